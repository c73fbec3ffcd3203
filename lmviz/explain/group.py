"""The numbers along one or several axes of a tensor, which an operation takes together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.explain.explanation import Floats, Operand
from lmviz.explain.given import Given, cell_at, inputs
from lmviz.trace.step import Cell, Step

_LETTERS = "ijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The cells of a tensor that become one number, in the order of their index."""

    given: Given
    pattern: tuple[int | slice, ...]  # an index that takes them all
    axes: tuple[int, ...]

    @property
    def numbers(self) -> Floats:
        return self.given.row(self.pattern).reshape(-1)

    def __len__(self) -> int:
        return int(np.prod([self.given.shape[axis] for axis in self.axes], dtype=np.int64))

    def cell(self, i: int) -> Cell:
        """The cell of the i-th number."""
        inside = iter(cell_at(i, tuple(self.given.shape[axis] for axis in self.axes)))
        return tuple(next(inside) if isinstance(index, slice) else index for index in self.pattern)

    def label(self, i: int) -> str:
        return ",".join(str(self.cell(i)[axis]) for axis in self.axes)

    def operand(self, i: int) -> Operand:
        cell = self.cell(i)
        return Operand(self.given.name, self.given.address, cell, float(self.given.array[cell]))

    def latex(self) -> str:
        """The group's general member: `x_{0,3,i}`."""
        letter = iter(_LETTERS)
        return self.given.latex(*(next(letter) if isinstance(index, slice) else index for index in self.pattern))

    @property
    def letters(self) -> str:
        """The indices that run through the group: `i,j`."""
        return ",".join(_LETTERS[: len(self.axes)])


def axes_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """The axes that a `dim` setting means: None (and an empty tuple) is all of them."""
    if dim is None or dim == () or dim == [] or isinstance(dim, bool):  # x.var(False) has no dim
        return tuple(range(ndim))
    return tuple(sorted(int(axis) % max(ndim, 1) for axis in (dim if isinstance(dim, Iterable) else (dim,)))[:ndim])


def group(given: Given, axes: tuple[int, ...], cell: Cell) -> Group:
    """What becomes `cell` of the result; axes that were summed away may be kept with size 1, or be gone."""
    kept = iter(cell)
    ndim = given.array.ndim
    if len(cell) == ndim:
        return Group(given, tuple(slice(None) if a in axes else i for a, i in enumerate(cell)), axes)
    return Group(given, tuple(slice(None) if a in axes else next(kept) for a in range(ndim)), axes)


def group_of(step: Step, cell: Cell) -> Group:
    """The group that a reducing step made `cell` of."""
    x = inputs(step)[0]
    return group(x, axes_of(step.settings.get("dim"), x.array.ndim), cell)
