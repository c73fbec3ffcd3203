"""Handles: tensors as a recording knows them, each with the step that made it.

A handle holds its tensor as long as the budget allows. Past that it holds only what identifies the tensor while the
model still uses it; its numbers are then computed again when somebody asks for them.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.trace import torch_private
from lmviz.trace.step import Array

ATOMS = frozenset(
    (int, float, bool, str, complex, type(None), type(...), torch.dtype, torch.Size, torch.device, torch.layout)
)


class TensorHandle:
    """One tensor, from the call that made it to the call that overwrites it."""

    __slots__ = (
        *(
            "_tensor",
            "before",
            "copied",
            "device",
            "dtype",
            "edge",
            "edge_number",
            "grad",
            "kept",
            "lengths",
            "met",
            "nested",
            "output",
            "overwritten",
            "requires_grad",
            "several",
        ),
        *("sample", "shape", "step", "version"),
    )

    def __init__(self, tensor: Tensor, version: int, step: int = -1, output: int = 0) -> None:
        self._tensor = weakref.ref(tensor)
        self.version = version
        self.shape = _shape_of(tensor)
        self.dtype = tensor.dtype
        self.device = tensor.device
        self.nested = tensor.is_nested  # a batch of sequences of unequal length
        self.lengths = lengths_of(tensor) if self.nested else ()
        self.several = torch_private.is_of_vmap(tensor)
        self.requires_grad = tensor.requires_grad
        self.step = step  # the step that made it; -1 for weights, inputs and constants
        self.output = output
        self.kept: Tensor | None = None
        self.copied = False  # whether what is kept is a copy of its own, from another device
        self.sample: tuple[str, ...] = ()  # a few of the numbers that were not kept
        self.overwritten = False  # what is kept is a copy, since the tensor itself has other numbers now
        self.before: TensorHandle | None = None  # what it was, if a call in place has changed it through another tensor
        self.met = step  # the step that used it first: in that case later than the one that made it
        self.edge: Any = None  # where its gradient passes, while there is a graph
        self.edge_number = -1  # the same for all that passes there
        self.grad: Tensor | None = None

    def alive(self) -> Tensor | None:
        """The tensor itself, as long as somebody holds it."""
        tensor = self._tensor()
        if tensor is not None:
            torch_private.keep_alive(tensor)
        return tensor

    @property
    def unchanged(self) -> bool:
        """Whether its numbers are kept, and are still those of the recording."""
        return self.kept is not None and (self.copied or version_of(self.kept) == self.version)

    def tensor(self) -> Tensor:
        """The numbers as they were recorded.

        Raises:
            UserError: they are gone.
        """
        if self.kept is None or not self.unchanged:
            raise UserError(
                "This tensor was changed after it was recorded, so the recorded numbers are gone: record again."
            )
        return torch_private.first_of_func(self.kept).detach()

    def is_of(self, tensor: Tensor) -> bool:
        """Whether this is a handle of `tensor`, and no call in place has changed it since."""
        return self._tensor() is tensor and not self.overwritten


def version_of(tensor: Tensor) -> int:
    """How often a tensor was written to; tensors made in inference mode don't count, and can't be told apart."""
    return 0 if tensor.is_inference() else torch_private.version_of(tensor)


def states_of(tensors: list[Tensor]) -> tuple[list[int], list[int]]:
    """The versions of tensors, and where they lie."""
    try:
        return torch_private.versions_of(tensors), [*map(Tensor.data_ptr, tensors)]
    except RuntimeError:  # some have no version, or no place
        return [*map(version_of, tensors)], [*map(place_of, tensors)]


def _shape_of(tensor: Tensor) -> torch.Size:
    """The shape; for a batch of sequences of unequal length (a nested tensor), that of the smallest box around them.

    A nested tensor that torch makes for its own bookkeeping has no lengths, and so no box.
    """
    if not tensor.is_nested:
        return tensor.shape
    sizes = _sizes_of(tensor)
    if sizes is None:
        return torch.Size((0,) * tensor.dim())
    return torch.Size((len(sizes), *(max(axis) for axis in zip(*sizes, strict=True))))


def lengths_of(tensor: Tensor) -> tuple[int, ...]:
    """How long each sequence of a nested tensor is; () if that can't be told."""
    return tuple(size[0] for size in _sizes_of(tensor) or () if size)


def _sizes_of(tensor: Tensor) -> list[torch.Size] | None:
    """The shape of each part of a nested tensor; None if that can't be told."""
    try:
        return [part.shape for part in tensor.unbind()]
    except (RuntimeError, NotImplementedError):
        return None


def storage_of(tensor: Tensor) -> tuple[int, int]:
    """Where the numbers of a tensor lie, and how many bytes there are in all; (0, size) if that can't be told."""
    try:
        storage = tensor.untyped_storage()
        return storage.data_ptr(), storage.nbytes()
    except (RuntimeError, NotImplementedError):  # sparse, nested, inside torch.func
        return 0, size_of(tensor)


def place_of(tensor: Tensor) -> int:
    """Where the first number of a tensor lies; 0 if that can't be told."""
    try:
        return int(tensor.data_ptr())
    except RuntimeError:
        return 0


def size_of(tensor: Tensor) -> int:
    """Bytes of the numbers in a tensor."""
    try:
        return int(tensor.nbytes)
    except (RuntimeError, NotImplementedError):
        return tensor.element_size() * tensor.numel()


def sample_of(tensor: Tensor) -> tuple[str, ...]:
    """A few numbers of a tensor, to tell later whether another is the same."""
    if tensor.device.type != "cpu" or tensor.layout is not torch.strided or tensor.is_nested or not tensor.numel():
        return ()
    if torch_private.is_inside_func(tensor):
        return ()
    last = tensor.numel() - 1
    return tuple(repr(tensor[_cell(tensor.shape, last * i // 3)].item()) for i in range(4))


def _cell(shape: torch.Size, n: int) -> tuple[int, ...]:
    """The index of the n-th cell, row by row."""
    cell: tuple[int, ...] = ()
    for size in reversed(shape):
        n, i = divmod(n, size)
        cell = (i, *cell)
    return cell


def to_array(tensor: Tensor) -> Array:
    """A read-only numpy array of the same numbers; small floats, which numpy lacks, become float32.

    Raises:
        UserError: there are no numbers, or none that numpy can hold.
    """
    if tensor.is_meta:
        raise UserError("This tensor has a shape but no numbers (device 'meta'): give the model real weights.")
    try:
        array: Array = np.asarray(_plain(tensor.detach()).cpu().resolve_conj().resolve_neg().numpy())
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise UserError(
            "Numbers of this kind, {kind}, can't be shown: turn the tensor into a plain one (.float(), .to_dense()) to "
            "see it.",
            kind=_kind(tensor),
        ) from error
    array.flags.writeable = False
    return array


def _plain(tensor: Tensor) -> Tensor:
    """The same numbers, one for each cell, in a type that numpy has."""
    if tensor.is_nested:
        tensor = torch.nested.to_padded_tensor(tensor.float(), float("nan"))  # nan: there is no number here
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        return tensor.dequantize()
    if tensor.dtype is torch.complex32:
        return tensor.to(torch.complex64)
    return tensor.float() if tensor.dtype in _LACKING else tensor


_LACKING = frozenset(
    kind
    for name in "bfloat16 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu".split()
    if (kind := getattr(torch, name, None)) is not None
)


def _kind(tensor: Tensor) -> str:
    """What a tensor is, where it is no plain one: its class, or its type of number."""
    return type(tensor).__name__ if type(tensor) is not Tensor else str(tensor.dtype).removeprefix("torch.")


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples, dicts and dataclasses, in order."""
    if isinstance(value, Tensor):
        return [value]
    if type(value) in ATOMS:
        return []
    if isinstance(value, list | tuple):
        if ATOMS.issuperset(map(type, value)):
            return []
        return [tensor for item in value for tensor in tensors_in(item)]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in tensors_in(item)]
    if isinstance(value, slice):
        return tensors_in((value.start, value.stop, value.step))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [tensor for part in dataclasses.fields(value) for tensor in tensors_in(getattr(value, part.name, None))]
    return []


def map_nested(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """`value` with every `kind` in its lists, tuples, dicts and slices changed; lists and dicts are copied."""
    if isinstance(value, kind):
        return change(value)
    if type(value) in (list, tuple):
        return type(value)([map_nested(item, kind, change) for item in value])
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)._make(map_nested(item, kind, change) for item in value)  # type: ignore[attr-defined]
    if isinstance(value, tuple) and tensors_in(value):  # torch.return_types
        return type(value)([map_nested(item, kind, change) for item in value])
    if type(value) is dict:
        return {key: map_nested(item, kind, change) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(*(map_nested(part, kind, change) for part in (value.start, value.stop, value.step)))
    return value
