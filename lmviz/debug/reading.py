"""How logits for every position are had from a model: models give them in many ways.

Some give a tensor, some a tuple or an object with the loss and the logits; some give all positions only when they are
given targets, and else the last; some read [pos, batch].
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lmviz.random_state import seeded
from lmviz.trace.capture.handles import tensors_in

Kind = Literal["whole", "with_targets", "prefixes", "pos_first"]
_ATTACHED = "lmviz_reading"
TARGETS = ("targets", "target", "labels", "label", "y", "tgt")


@dataclass(frozen=True)
class Reading:
    """What must be done to have the logits of all positions, [batch, pos, d_vocab]."""

    kind: Kind
    d_vocab: int
    argument: str = ""  # the one that targets are given as

    def attach(self, model: nn.Module) -> None:
        """Let a model of one's own give its logits and nothing else, from now on."""
        if vars(model).get(_ATTACHED):
            return
        vars(model)[_ATTACHED] = True
        model.register_forward_pre_hook(self._before, with_kwargs=True)
        model.register_forward_hook(self._after, with_kwargs=True)

    def _before(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.kind == "with_targets" and len(args) == 1 and not kwargs:
            return args, {self.argument: args[0]}
        if self.kind == "pos_first":
            return (args[0].T, *args[1:]), kwargs
        return None

    def _after(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Tensor:
        ids = args[0]
        if self.kind == "pos_first":
            return _need(whole_logits(output, ids.shape[0], ids.shape[1], self.d_vocab)).transpose(0, 1)
        if self.kind == "prefixes":
            given = (
                [output]
                if ids.shape[1] == 1
                else [model.forward(ids[:, :n]) for n in range(1, ids.shape[1])] + [output]
            )
            return torch.stack([_need(last_logits(one, len(ids), self.d_vocab)) for one in given], dim=1)
        return _need(whole_logits(output, len(ids), ids.shape[1], self.d_vocab))


def _need(found: Tensor | None) -> Tensor:
    if found is None:
        raise ValueError("the model gives no logits, [batch, pos, d_vocab]")
    return found


def reading_of(model: nn.Module, d_vocab: int, ids: Tensor) -> Reading:
    """How a model gives its logits, tried out.

    Args:
        model: in evaluation mode.
        ids: [2, pos], two texts without a token in common at any position.

    Raises:
        ValueError: it gives none. Whatever the model raises.
    """
    output = _run(model, ids)
    d_vocab = _width(output, len(ids), ids.shape[1], d_vocab)
    if whole_logits(output, len(ids), ids.shape[1], d_vocab) is not None:
        return Reading("pos_first" if _reads_positions_first(model, d_vocab, ids) else "whole", d_vocab)
    if last_logits(output, len(ids), d_vocab) is not None:
        for argument in _arguments(model):
            try:
                if whole_logits(_run(model, ids, **{argument: ids}), len(ids), ids.shape[1], d_vocab) is not None:
                    return Reading("with_targets", d_vocab, argument)
            except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
                continue
        return Reading("prefixes", d_vocab)
    raise ValueError("the model gives no logits, [batch, pos, d_vocab]")


def _width(output: Any, n_texts: int, n_pos: int, d_vocab: int) -> int:
    """How many logits a position has: some models have a few more than there are tokens, for the sake of speed."""
    tensors = list(_tensors(output))
    if any(d_vocab in tensor.shape for tensor in tensors) or not tensors:
        return d_vocab
    first = tensors[0]
    is_wider = (
        first.ndim == 3 and tuple(first.shape[:2]) in ((n_texts, n_pos), (n_texts, 1)) and first.shape[-1] > d_vocab
    )
    return int(first.shape[-1]) if is_wider else d_vocab


def _reads_positions_first(model: nn.Module, d_vocab: int, ids: Tensor) -> bool:
    """Whether a model that is given [batch, pos] takes texts for positions, and knows nothing of the order in a text.

    Then another text moves what it says of this one, an earlier token of this text does not, and one token again and
    again is always the same to it. A model that reads [pos, batch] does this, and so does one in which batch_first was
    forgotten.
    """
    other, later = ids.clone(), ids.clone()
    other[0] = ids[1]
    later[1, 0] = (ids[1, 0] + 1) % d_vocab
    same = torch.full_like(ids, int(ids[0, 0]))
    runs = [whole_logits(_run(model, one), len(ids), ids.shape[1], d_vocab) for one in (ids, other, later, same)]
    if any(run is None for run in runs):
        return False
    base, by_other, by_earlier, repeated = (_need(run) for run in runs)
    mixes = bool((base[1] - by_other[1]).abs().max() > 1e-6)
    looks_back = bool((base[1, 1:] - by_earlier[1, 1:]).abs().max() > 1e-6)
    tells_places_apart = bool((repeated[1] - repeated[1, :1]).abs().max() > 1e-6)
    return mixes and not looks_back and not tells_places_apart


def _run(model: nn.Module, ids: Tensor, **kwargs: Tensor) -> Any:
    with torch.no_grad(), seeded(0):
        return model(ids, **kwargs)


def _arguments(model: nn.Module) -> Iterator[str]:
    """The names of arguments that targets may be given as."""
    try:
        known = inspect.signature(model.forward).parameters
    except (TypeError, ValueError):
        return
    yield from (name for name in TARGETS if name in known)


def whole_logits(output: Any, n_texts: int, n_pos: int, d_vocab: int) -> Tensor | None:
    """The logits of all positions in what a model gave back, [n_texts, n_pos, d_vocab]; None if they are not in it."""
    for tensor in _tensors(output):
        match tuple(tensor.shape):
            case (b, t, v) if (b, t, v) == (n_texts, n_pos, d_vocab):
                return tensor
            case (b, v) if (b, v) == (n_texts * n_pos, d_vocab) and n_pos > 1:
                return tensor.view(n_texts, n_pos, d_vocab)
            case (b, v, t) if (b, v, t) == (n_texts, d_vocab, n_pos):
                return tensor.transpose(1, 2)
            case (t, b, v) if (t, b, v) == (n_pos, n_texts, d_vocab):
                return tensor.transpose(0, 1)
    return None


def last_logits(output: Any, n_texts: int, d_vocab: int) -> Tensor | None:
    """The logits of the last position, [n_texts, d_vocab]."""
    for tensor in _tensors(output):
        if tuple(tensor.shape) == (n_texts, d_vocab):
            return tensor
        if tuple(tensor.shape) == (n_texts, 1, d_vocab):
            return tensor[:, 0]
    return None


def named_logits(output: Any) -> Tensor | None:
    """What a model gives back under the name of logits."""
    named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    return named if isinstance(named, Tensor) and named.is_floating_point() else None


def tensors_given(output: Any) -> list[Tensor]:
    """All tensors in what a model gave back, those of an object with names too."""
    return tensors_in(vars(output) if hasattr(output, "__dict__") and not isinstance(output, Tensor) else output)


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors in what a model gave back that may be logits, what is called so first."""
    named: Any = output if isinstance(output, Mapping) else getattr(output, "__dict__", {})
    several: Any = named.values() if named else output if isinstance(output, tuple | list) else ()
    called = [named.get(name) for name in ("logits", "lm_logits", "prediction_logits")] if named else []
    found = [output] if isinstance(output, Tensor) else [*called, *several]
    yield from (one for one in found if isinstance(one, Tensor) and one.is_floating_point() and one.ndim > 1)
