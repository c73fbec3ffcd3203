"""The numbers along one or several axes of a tensor, which an operation takes together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, cell_at, inputs, place_of
from lmviz.trace.operations.explanation import Floats, Operand, plain_number
from lmviz.trace.step import Cell, Step

_LETTERS = "ijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The cells of a tensor that become one number, in the order of their index."""

    tensor: Argument
    pattern: tuple[int | slice, ...]  # an index that takes them all; slices go one by one
    axes: tuple[int, ...]

    @property
    def numbers(self) -> Floats:
        return self.tensor.row(self.pattern).reshape(-1)

    @property
    def exact(self) -> list[Any]:
        """The numbers, whole ones in full, however large."""
        return [*map(int, self.tensor.array[self.pattern].reshape(-1))] if self.tensor.is_whole else [*self.numbers]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many indices run along each of the axes."""
        return tuple(len(self._indices(axis)) for axis in self.axes)

    def _indices(self, axis: int) -> range:
        index = self.pattern[axis]
        assert isinstance(index, slice)
        return range(*index.indices(self.tensor.shape[axis]))

    def __len__(self) -> int:
        return int(np.prod(self.sizes, dtype=np.int64))

    def cell(self, i: int) -> Cell:
        """The cell of the i-th number."""
        inside = iter(cell_at(i, self.sizes))
        return tuple(
            self._indices(axis)[next(inside)] if isinstance(index, slice) else index
            for axis, index in enumerate(self.pattern)
        )

    def place(self, cell: Cell) -> int:
        """Which of the numbers a cell is."""
        inside = tuple(cell[axis] - self._indices(axis).start for axis in self.axes)
        return place_of(inside, self.sizes)

    def label(self, i: int) -> str:
        return ",".join(str(self.cell(i)[axis]) for axis in self.axes)

    def operand(self, i: int) -> Operand:
        cell = self.cell(i)
        return Operand(self.tensor.name, self.tensor.address, cell, plain_number(self.tensor.array[cell]))

    def latex(self) -> str:
        """The group's general member: `x_{0,3,i}`."""
        letter = iter(_LETTERS)
        return self.tensor.latex(*(next(letter) if isinstance(index, slice) else index for index in self.pattern))

    @property
    def letters(self) -> str:
        """The indices that run through the group: `i,j`."""
        return ",".join(_LETTERS[: len(self.axes)])


def axes_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """The axes that a `dim` setting means: None (and an empty tuple) is all of them."""
    if dim is None or dim == () or dim == [] or isinstance(dim, bool):  # x.var(False) has no dim
        return tuple(range(ndim))
    return tuple(sorted(int(axis) % max(ndim, 1) for axis in (dim if isinstance(dim, Iterable) else (dim,)))[:ndim])


def group(tensor: Argument, axes: tuple[int, ...], cell: Cell) -> Group:
    """What becomes `cell` of the result; axes that were summed away may be kept with size 1, or be gone."""
    kept = iter(cell)
    ndim = tensor.array.ndim
    if len(cell) == ndim:
        return Group(tensor, tuple(slice(None) if a in axes else i for a, i in enumerate(cell)), axes)
    return Group(tensor, tuple(slice(None) if a in axes else next(kept) for a in range(ndim)), axes)


def group_of(step: Step, cell: Cell) -> Group:
    """The group that a reducing step made `cell` of."""
    x = inputs(step)[0]
    return group(x, axes_of(step.settings.get("dim"), x.array.ndim), cell)
