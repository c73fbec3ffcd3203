"""Tensors as a recording knows them: each seen once, each with the moment that it was made.

A slot holds its tensor as long as the budget allows. Past that it holds only what identifies the tensor while the model
still uses it; its numbers are then computed again when somebody asks for them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.trace.step import Array

SMALL = 1 << 16  # bytes under which a tensor's storage is not looked up before it is counted


class Slot:
    """One tensor, from the call that made it to the call that overwrites it."""

    __slots__ = ("again", "alive", "dtype", "grad", "kept", "output", "shape", "step", "version")

    def __init__(self, tensor: Tensor, version: int, keep: bool, step: int = -1, output: int = 0) -> None:
        self.alive = weakref.ref(tensor)
        self.version = version
        self.shape = tensor.shape
        self.dtype = tensor.dtype
        self.step = step  # the step that made it; -1 for weights, inputs and constants
        self.output = output
        self.kept: Tensor | None = tensor if keep else None
        self.grad: Callable[[], Tensor | None] | Tensor | None = None
        self.again: Callable[[], Tensor] | None = None  # how to compute what was not kept

    def freeze(self) -> None:
        """Keep the present numbers, because the tensor is about to be overwritten."""
        if self.kept is not None:
            self.kept = self.kept.detach().clone()
            self.version = version_of(self.kept)

    def tensor(self) -> Tensor:
        kept = self.kept
        if kept is not None and version_of(kept) == self.version:
            return kept.detach()
        if self.again is not None:
            return self.again()
        raise UserError(
            "This tensor was changed in place after it was recorded, so the recorded numbers are gone: record again."
        )

    def read(self) -> Array:
        return to_array(self.tensor())

    def read_grad(self) -> Array | None:
        grad = self.grad() if callable(self.grad) else self.grad
        return None if grad is None else to_array(grad.detach())


def version_of(tensor: Tensor) -> int:
    """How often a tensor was written to; tensors made in inference mode don't count, and can't be told apart."""
    try:
        return int(tensor._version)
    except RuntimeError:
        return 0


def to_array(tensor: Tensor) -> Array:
    """A read-only numpy array of the same numbers; bfloat16, which numpy lacks, becomes float32."""
    if tensor.is_meta:
        raise UserError("This tensor has a shape but no numbers (device 'meta'): give the model real weights.")
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    array: Array = np.asarray(tensor.detach().cpu().resolve_conj().resolve_neg().numpy())
    array.flags.writeable = False
    return array


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples and dicts, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in tensors_in(item)]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in tensors_in(item)]
    return []


def map_nested(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """`value` with every `kind` in its lists, tuples, dicts and slices changed."""
    if isinstance(value, kind):
        return change(value)
    if type(value) in (list, tuple):
        return type(value)(map_nested(item, kind, change) for item in value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_nested(item, kind, change) for item in value))
    if type(value) is dict:
        return {key: map_nested(item, kind, change) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(*(map_nested(part, kind, change) for part in (value.start, value.stop, value.step)))
    return value
