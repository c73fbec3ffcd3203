"""What a recording holds besides numbers, as JSON and back: settings of calls, and what a model returned."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lmviz.trace.step import InputRef

_TAG = "="  # the key of an object that stands for what JSON lacks
_TORCH = {"dtype": torch.dtype, "layout": torch.layout, "memory_format": torch.memory_format}


@dataclass(frozen=True)
class Written:
    """Stands for an object that is no plain data: how Python writes it."""

    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Stored:
    """Stands for a tensor whose numbers are stored apart: under a name, or not at all, for a reason."""

    where: Any


def encoded(value: Any) -> Any:
    """Any value as JSON: what is no plain data becomes how it is written."""
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_TAG: "float", "of": str(value)}
    if type(value) is list:
        return [encoded(one) for one in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value) and _TAG not in value:
        return {key: encoded(one) for key, one in value.items()}
    kind, content = _tagged(value)
    return {_TAG: kind, "of": content}


def _tagged(value: Any) -> tuple[str, Any]:
    if isinstance(value, complex):
        return "complex", str(value)
    if isinstance(value, list | tuple):
        return "size" if isinstance(value, torch.Size) else "tuple", [encoded(one) for one in value]
    if isinstance(value, slice):
        return "slice", [encoded(one) for one in (value.start, value.stop, value.step)]
    if isinstance(value, InputRef):
        return "input", value.n
    if isinstance(value, Stored):
        return "stored", value.where
    if value is ...:
        return "ellipsis", None
    if isinstance(value, torch.device):
        return "device", str(value)
    for name, kind in _TORCH.items():
        if isinstance(value, kind):
            return name, str(value).removeprefix("torch.")
    return "written", repr(value)[:1000]


def decoded(value: Any, stored: Callable[[Any], Any] = Stored) -> Any:
    """What was encoded.

    Args:
        stored: gives the tensor for what stands in the place of one.

    Raises:
        ValueError, TypeError, KeyError: it is nothing that `encoded` makes.
    """
    if isinstance(value, list):
        return [decoded(one, stored) for one in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {key: decoded(one, stored) for key, one in value.items()}
    kind, content = value[_TAG], value["of"]
    if kind == "stored":
        return stored(content)
    if kind in _TORCH:
        return _of_torch(kind, str(content))
    return _DECODERS[kind](decoded(content, stored))


def _of_torch(kind: str, name: str) -> Any:
    found = getattr(torch, name, None)
    if not isinstance(found, _TORCH[kind]):
        raise ValueError(f"torch has no {kind} {name!r}")
    return found


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "float": float,
    "complex": complex,
    "tuple": tuple,
    "size": torch.Size,
    "slice": lambda parts: slice(*parts),
    "input": lambda n: InputRef(int(n)),
    "ellipsis": lambda _: ...,
    "device": lambda name: torch.device(str(name)),
    "written": lambda text: Written(str(text)),
}
