"""How a step's output changes with one of its numbers: rows of the Jacobian, in numpy, from finite formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmviz.trace.operations.arguments import Argument, cell_at, place_of
from lmviz.trace.operations.explanation import Floats, Operand
from lmviz.trace.step import Cell, Step

Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """One place that a number goes: it stands at `cell` of the `n`-th input of a step, and acts on an output."""

    step: Step
    inputs: Sequence[Argument]  # of the step
    n: int
    cell: Cell
    output: int = 0

    @property
    def argument(self) -> str:
        return self.step.arguments[self.n]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.step.outputs[self.output].shape

    @property
    def place(self) -> int:
        """The cell, counted through its tensor."""
        return place_of(self.cell, self.step.inputs[self.n].shape)


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """d output[cells[n]] / d number = values[n]; no other cell of the output depends on the number.

    Where the slope is itself a recorded number, `factor` is its tensor, and `at` its cells.
    """

    cells: Ints  # [n], counted through the output
    values: Floats  # [n]
    factor: Argument | None = None
    at: Ints | None = None  # [n], counted through the factor
    by_torch: bool = False  # no formula is written for them: they are torch's own derivative

    def operand(self, n: int) -> Operand | None:
        """The recorded number that the n-th slope is, if it is one."""
        if self.factor is None or self.at is None:
            return None
        return self.factor.at(cell_at(int(self.at[n]), self.factor.shape))


Rule = Callable[[Use], Slopes]


def no_slopes(use: Use) -> Slopes:
    """Nothing of the result changes with the number: it says where, whether or how many."""
    return constant(np.zeros(0, np.intp))


def constant(cells: Ints, slope: float = 1.0) -> Slopes:
    return Slopes(cells, np.full(len(cells), slope))


def recorded(cells: Ints, factor: Argument, index: Sequence[Ints]) -> Slopes:
    """Slopes that are cells of a tensor, or a plain number."""
    if not factor.shape:
        return Slopes(cells, np.full(len(cells), float(factor.array)), factor, np.zeros_like(cells))
    return Slopes(cells, factor.row(tuple(index)), factor, flat(index, factor.shape))


def flat(index: Sequence[Ints], shape: tuple[int, ...]) -> Ints:
    """Cells, one array of indices for each axis, counted through a tensor."""
    return np.ravel_multi_index(tuple(index), shape).astype(np.intp) if shape else np.zeros(1, np.intp)


def mesh(*ranges: Sequence[int] | Ints) -> list[Ints]:
    """Every combination of indices, in order: one array [n] for each axis."""
    return [axis.reshape(-1) for axis in np.meshgrid(*map(np.asarray, ranges), indexing="ij")]


def broadcast_ranges(cell: Cell, shape: tuple[int, ...], out: tuple[int, ...]) -> list[Sequence[int]]:
    """Along each axis of an output, where a cell of a tensor that is broadcast to it goes."""
    new = len(out) - len(shape)
    return [range(size) for size in out[:new]] + [
        range(size) if own == 1 else [i] for i, own, size in zip(cell, shape, out[new:], strict=True)
    ]


def under(index: Sequence[Ints], shape: tuple[int, ...]) -> list[Ints]:
    """The cells of a tensor that stand at cells of what it is broadcast to."""
    own = index[len(index) - len(shape) :]
    return [np.zeros_like(i) if size == 1 else i for i, size in zip(own, shape, strict=True)]


def broadcast_cells(use: Use) -> tuple[Ints, list[Ints]]:
    """The output cells that a number is broadcast to: counted through, and by axis."""
    out = mesh(*broadcast_ranges(use.cell, use.inputs[use.n].shape, use.shape))
    return flat(out, use.shape), out


def numbers(part: Argument, index: list[Ints], count: int) -> Floats:
    """What an argument has at some cells of the output, [count]."""
    found: Floats = np.broadcast_to(part.row(tuple(under(index, part.shape))), count)
    return found


def one(use: Use, cell: Cell, slope: float) -> Slopes:
    """The slope of one cell of the output; no other depends on the number."""
    return constant(np.array([place_of(cell, use.shape)]), slope)


def along(use: Use, axis: int) -> Ints:
    """All cells of the output that differ from the used one along one axis only."""
    ranges = [range(size) if a == axis else [i] for a, (i, size) in enumerate(zip(use.cell, use.shape, strict=True))]
    return flat(mesh(*ranges), use.shape)
