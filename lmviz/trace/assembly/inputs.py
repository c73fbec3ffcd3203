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
    """Every tensor in a model's arguments, under the name that its `forward` gives it; "name.0" inside a list."""
    function = model.forward if isinstance(model, nn.Module) else model
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names += [f"input_{i + 1}" for i in range(len(names), len(args))]
    found: dict[str, Tensor] = {}
    for name, value in (*zip(names, args, strict=False), *kwargs.items()):
        tensors = tensors_in(value)
        found.update({name: value} if isinstance(value, Tensor) else {f"{name}.{i}": t for i, t in enumerate(tensors)})
    return found
