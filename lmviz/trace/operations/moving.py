"""Numbers that are only moved: every cell of the result is a cell of an input, or a number that fills a gap.

Which one is found by doing the same to arrays that hold, in each cell, the place where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmviz.trace.operations.arguments import Argument, cell_at, inputs, plain, shown
from lmviz.trace.operations.axes import UNNAMED, AxisRule
from lmviz.trace.operations.explanation import Explanation
from lmviz.trace.operations.latex import numeral, result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Ints, Slopes, Use, constant, flat, mesh
from lmviz.trace.step import Cell, Step

Places = NDArray[np.integer[Any]]
FILLED = -1  # the place of a cell that no input has


@dataclass(frozen=True, slots=True)
class Moving:
    """How an operation moves numbers.

    `arrange` does with arrays of places what the operation does with its tensors, for one output. It is given those of
    `sources`, the arguments whose numbers are moved; the others only say where to.
    """

    arrange: Callable[[Step, list[Places], int], Places]
    sources: tuple[str, ...] = ()  # none: the first input
    fill: Callable[[Step], Any] | None = None  # the number of the cells that are `FILLED`

    def moved(self, step: Step) -> list[int]:
        """Which of a step's inputs are moved; those of a list have a number after their name."""
        if not self.sources:
            return [0]
        return [n for n, name in enumerate(step.arguments) if name.partition(".")[0] in self.sources]

    def places(self, step: Step, output: int = 0) -> Places:
        """For each cell of an output: the place, counted through all that is moved, of the number that it shows."""
        shapes = [step.inputs[n].shape for n in self.moved(step)]
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
        starts = np.cumsum([0, *sizes])
        kind = np.int32 if starts[-1] < 2**31 else np.int64
        numbered = [
            np.arange(start, start + size, dtype=kind).reshape(shape)
            for start, size, shape in zip(starts, sizes, shapes, strict=False)
        ]
        return self.arrange(step, numbered, output)

    def source(self, step: Step, cell: Cell, output: int = 0) -> tuple[Argument, Cell]:
        """The input, and its cell, that a cell of the result is; a plain number if the cell is filled."""
        every = inputs(step)
        tensors = [every[n] for n in self.moved(step)]
        place = self._in_memory(step, tensors, cell, output)
        if place is None:
            place = int(self.places(step, output)[cell])
        if place == FILLED and self.fill is not None:
            return plain(self.fill(step)), ()
        for tensor in tensors:
            if place < tensor.array.size:
                return tensor, cell_at(place, tensor.shape)
            place -= tensor.array.size
        raise AssertionError("a view showed a cell that no input has")

    def _in_memory(self, step: Step, tensors: list[Argument], cell: Cell, output: int) -> int | None:
        """Where a cell is, if numpy only looks at the same memory in another way: then nothing has to be numbered."""
        if self.sources or self.fill is not None:
            return None
        blank = np.zeros(tensors[0].shape, np.int8)  # never touched, so it takes no memory
        shown = self.arrange(step, [blank], output)
        if not np.may_share_memory(shown, blank):
            return None
        index: Any = (*cell, ...)
        return int(shown[index].ctypes.data - blank.ctypes.data)


def explain_moved(moving: Moving, step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The one number that a cell shows, and where it stands in the input."""
    source, at = moving.source(step, cell, output)
    left = result(step, cell, output)
    if source.plain:
        return Explanation(f"{left} = {numeral(float(source.array))}", (), source.exact(()), (source.piece(()),))
    return shown(left, source, at)


def placed(moving: Moving, step: Step, output: int) -> tuple[list[int], Places]:
    """Which inputs are moved, and the place of the number that each cell of an output shows."""
    return moving.moved(step), moving.places(step, output)


def slopes_moved(moving: Moving, use: Use) -> Slopes:
    """A number goes, unchanged, to every cell that shows it."""
    moved = moving.moved(use.step)
    if use.n not in moved:  # it only said where to
        return constant(np.zeros(0, np.intp))
    if not moving.sources and 0 not in use.shape and (cells := _axis_by_axis(moving, use)) is not None:
        return constant(cells)
    start = sum(use.inputs[n].array.size for n in moved if n < use.n)
    return constant(np.flatnonzero(moving.places(use.step, use.output) == start + use.place))


def _axis_by_axis(moving: Moving, use: Use) -> Ints | None:
    """Where a number is shown, found along each axis alone; None if the view copies memory, or mixes axes.

    For each axis of the input, its indices (repeated along the others, which takes no memory) are seen through the
    view: they then change along one axis of the output, or along none.
    """
    shape, found = use.step.inputs[use.n].shape, [np.arange(size) for size in use.shape]
    for axis, index in enumerate(use.cell):
        line = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - axis - 1))
        seen = moving.arrange(use.step, [np.broadcast_to(line, shape)], use.output)
        changing = [a for a, stride in enumerate(seen.strides) if stride and seen.shape[a] > 1]
        if not np.may_share_memory(seen, line) or len(changing) > 1:
            return None
        here = seen[tuple(slice(None) if a in changing else 0 for a in range(seen.ndim))]
        if changing:
            found[changing[0]] = np.intersect1d(found[changing[0]], np.flatnonzero(here == index))
        elif here != index:
            return np.zeros(0, np.intp)
    return flat(mesh(*found), use.shape)


def moves(name: str, arguments: str, moving: Moving, axes: AxisRule = UNNAMED, **more: Any) -> Operation:
    """The record of an operation that moves numbers."""
    made: dict[str, Any] = {
        "complex": True,
        "explain": partial(explain_moved, moving),
        "slopes": partial(slopes_moved, moving),
    }
    if "explain" not in more:  # else it may do more than move them
        made["places"] = partial(placed, moving)
    return Operation(name=name, arguments=arguments, axes=axes, **(made | more))


def view(name: str, arguments: str, see: Callable[[Step, Places], Places], axes: AxisRule, **more: Any) -> Operation:
    """The record of an operation that shows one tensor in another way."""
    return moves(name, arguments, Moving(lambda step, at, output: see(step, at[0])), axes, **more)


# -- reading settings ------------------------------------------------------------------------------------------------


def setting(step: Step, name: str, otherwise: Any = None) -> Any:
    value = step.settings.get(name, otherwise)
    return otherwise if value is None else value


def sizes(step: Step, name: str) -> tuple[int, ...]:
    """A setting that torch takes as numbers or as one list of them."""
    value = setting(step, name)
    found = (value,) if isinstance(value, int) else tuple(value)
    return tuple(found[0]) if len(found) == 1 and isinstance(found[0], list | tuple) else found


def part(at: Places, axis: int, index: int | slice) -> Places:
    """at[..., index, ...] along one axis, still a view of the same memory."""
    return at[(*[slice(None)] * (axis % at.ndim), index)]
