"""The tensors that a model was given, by the names of its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from lmviz.trace.capture.handles import tensors_in


def named_tensors(
    model: nn.Module | Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Every tensor in a model's arguments, under the name that its `forward` gives it; "name.0" inside a list,
    "name.key" in a dict of tensors."""
    function = model.forward if isinstance(model, nn.Module) else model
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names += [f"input_{i + 1}" for i in range(len(names), len(args))]
    found: dict[str, Tensor] = {}
    for name, value in (*zip(names, args, strict=False), *kwargs.items()):
        found.update({name: value} if isinstance(value, Tensor) else _inside(name, value))
    return found


def _inside(name: str, value: Any) -> dict[str, Tensor]:
    if isinstance(value, dict) and all(
        isinstance(one, Tensor) and str(key).isidentifier() for key, one in value.items()
    ):
        return {f"{name}.{key}": one for key, one in value.items()}
    return {f"{name}.{i}": one for i, one in enumerate(tensors_in(value))}
