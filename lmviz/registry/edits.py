"""Numbers that are put in the place of others while a model runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from lmviz.errors import UserError
from lmviz.trace.step import Cell


@dataclass(frozen=True, slots=True)
class CellEdit:
    """One number of a weight or of an activation."""

    address: str
    cell: Cell
    value: float

    def changes(self, cell: Cell) -> bool:
        """Whether a cell of its tensor is the one."""
        return cell == self.cell

    def apply(self, tensor: Tensor) -> None:
        """Put it into the tensor."""
        _check_inside(self.address, tensor, self.cell, n_axes=tensor.ndim)
        tensor[self.cell] = self.value


@dataclass(frozen=True, slots=True)
class HeadOff:
    """A whole head switched off: zeros, in a tensor [batch, head, …]."""

    address: str
    head: int

    def changes(self, cell: Cell) -> bool:
        """Whether a cell of its tensor is the head's."""
        return cell[1:2] == (self.head,)

    def apply(self, tensor: Tensor) -> None:
        """Put zeros into the tensor."""
        _check_inside(self.address, tensor, (0, self.head), n_axes=2)
        tensor[:, self.head] = 0


Edit = CellEdit | HeadOff


def functions_of(edits: tuple[Edit, ...]) -> dict[str, Callable[[Tensor], Tensor]]:
    """Edits as the recorder takes them: by the address of the tensor, what is made of it."""
    by_address: dict[str, list[Edit]] = {}
    for edit in edits:
        by_address.setdefault(edit.address, []).append(edit)
    return {address: partial(_edited, edits=tuple(found)) for address, found in by_address.items()}


def _edited(tensor: Tensor, edits: tuple[Edit, ...]) -> Tensor:
    for edit in edits:
        edit.apply(tensor)
    return tensor


def _check_inside(address: str, tensor: Tensor, index: Cell, n_axes: int) -> None:
    """An edit has an index for each of the axes that it is about, and none beyond the end."""
    if len(index) != n_axes or n_axes > tensor.ndim or any(i >= n for i, n in zip(index, tensor.shape, strict=False)):
        raise UserError(
            "An edit must be inside the tensor: {address} has the shape {shape}, and {cell} is not in it.",
            address=address,
            shape=list(tensor.shape),
            cell=list(index),
        )
