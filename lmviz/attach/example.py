"""What a file of one's own names: a model, example inputs for it, and perhaps a tokenizer and a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.attach.token_words import ids_of
from lmviz.errors import UserError, check_model
from lmviz.trace.recorder import check_loss

EXAMPLE = "lmviz_example"  # the function that a file may have


@dataclass(frozen=True, eq=False)
class Example:
    """A model ready to run."""

    model: nn.Module | Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: Any = None
    loss: Callable[[Any], Tensor] | None = None  # from what the model returns to one number
    device: str = ""  # where it runs; empty: where it is


def example_of(
    model: Any, inputs: Any, tokenizer: Any = None, loss: Any = None, kwargs: Mapping[str, Any] | None = None
) -> Example:
    """A model with its inputs in any of the ways in which they are written.

    Args:
        inputs: one input, or several in a tuple; in a dict, by the names of the arguments. A text is read by the
            tokenizer.

    Raises:
        UserError: one of them is not what it must be.
    """
    check_model(model)
    check_loss(loss)
    if isinstance(inputs, Mapping):
        named = {str(name): _input(one, tokenizer) for name, one in inputs.items()}
        return Example(model, (), {**named, **(kwargs or {})}, tokenizer, loss)
    several = inputs if isinstance(inputs, tuple) else (inputs,)
    return Example(model, tuple(_input(one, tokenizer) for one in several), kwargs or {}, tokenizer, loss)


def _input(given: Any, tokenizer: Any) -> Any:
    """An input as a model takes it: ids of a text, a tensor of a list of numbers."""
    if isinstance(given, str) and tokenizer is not None:
        return torch.tensor([ids_of(tokenizer, given)])
    if isinstance(given, list) and given and all(isinstance(one, int | float | list) for one in given):
        return torch.tensor(given)
    return given


def example_in(names: Mapping[str, Any], file: str) -> Example:
    """The example that a file names: what `lmviz_example()` returns, else its `model` and `inputs`.

    Raises:
        UserError: it names none.
    """
    if callable(names.get(EXAMPLE)):
        return _returned(names[EXAMPLE](), names, f"{EXAMPLE}()")
    if "model" in names and "inputs" in names:
        return _named(names)
    raise UserError(
        "{file} must name a `model` and its `inputs`, or have a function `lmviz_example()` that returns them; "
        'it names {found}. What stands below `if __name__ == "__main__":` is not run.',
        file=file,
        found=", ".join(name for name in ("model", "inputs") if name in names) or "neither",
    )


def example_made(factory: Callable[[], Any], names: Mapping[str, Any], name: str) -> Example:
    """The example that a factory returns: all of it, or the model alone, with the inputs that its module names."""
    return _returned(factory(), names, f"{name}()")


def _returned(found: Any, names: Mapping[str, Any], name: str) -> Example:
    if isinstance(found, Example):
        return found
    if isinstance(found, Mapping) and "model" in found and "inputs" in found:
        return _named(found)
    if isinstance(found, tuple) and 2 <= len(found) <= 4:
        return example_of(*found)
    if callable(found) and "inputs" in names:
        return _named({**names, "model": found})
    raise UserError(
        "{name} must return (model, inputs), or a dict with these names, and perhaps tokenizer and loss; it returned "
        "{found}.",
        name=name,
        found=type(found).__name__,
    )


def _named(names: Mapping[str, Any]) -> Example:
    return example_of(names["model"], names["inputs"], names.get("tokenizer"), names.get("loss"))
