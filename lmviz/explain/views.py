"""The same numbers, seen otherwise: every cell of the result is a cell of an input.

Which one is found by doing the same to an array that holds, in each cell, where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmviz.explain.explanation import Explanation, write
from lmviz.explain.getitem import assign, numpy_index
from lmviz.explain.given import Given, cell_at, inputs, needed, shown
from lmviz.explain.latex import result
from lmviz.trace.step import Cell, Step

Places = NDArray[np.integer[Any]]
Arrange = Callable[[Step, Places], Places]


def explain_view(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The one number that a cell of a view shows, and where it stands in the input."""
    if step.inputs[0].dtype != step.outputs[output].dtype:
        raise NotImplementedError("the same bits, read as another type")
    return shown(result(step, cell, output), *source_of(step, cell, output))


def explain_to(step: Step, cell: Cell) -> Explanation:
    """The same number in another type: whole numbers lose what is behind the point, booleans are 1 unless it was 0."""
    x, kind = inputs(step)[0], step.outputs[0].array.dtype.kind
    left, number = result(step, cell), x.number(cell)
    if kind == "b":
        written = write("[{x} ≠ {0}]", x=x.piece(cell))
        return Explanation(rf"{left} = [{x.latex(*cell)} \neq 0]", (), float(number != 0), written)
    if kind in "iu" and x.array.dtype.kind == "f":
        written = write("trunc({x})", x=x.piece(cell))
        return Explanation(rf"{left} = \operatorname{{trunc}} {x.latex(*cell)}", (), float(np.trunc(number)), written)
    return shown(left, x, cell)


def source_of(step: Step, cell: Cell, output: int = 0) -> tuple[Given, Cell]:
    """The input, and its cell, that a cell of the result is."""
    tensors = moved(step)
    place = _in_memory(step, tensors, cell, output)
    if place is None:
        place = int(places(step, tensors, output)[cell])
    for tensor in tensors:
        if place < tensor.array.size:
            return tensor, cell_at(place, tensor.shape)
        place -= tensor.array.size
    raise AssertionError("a view showed a cell that no input has")


def moved(step: Step) -> list[Given]:
    """The inputs whose numbers are moved; the others only say where to."""
    return inputs(step) if step.op in JOINED else inputs(step)[:1]


def _in_memory(step: Step, tensors: list[Given], cell: Cell, output: int) -> int | None:
    """Where a cell is, if numpy only looks at the same memory in another way: then nothing has to be numbered."""
    if step.op in JOINED:
        return None
    blank = np.zeros(tensors[0].shape, np.int8)  # never touched, so it takes no memory
    shown = through(step, blank, output)
    if not np.may_share_memory(shown, blank):
        return None
    index: Any = (*cell, ...)
    return int(shown[index].ctypes.data - blank.ctypes.data)


def explain_setitem(step: Step, cell: Cell) -> Explanation:
    """A cell of `x[index] = value`, after it: a cell of the value where the index reached, else what was there."""
    x, value = needed(step, "input"), needed(step, "value")
    at = written_to(step, x, value)[cell]
    source, place = (x, at) if at < x.array.size else (value, at - x.array.size)
    return shown(result(step, cell), source, cell_at(int(place), source.shape))


def written_to(step: Step, x: Given, value: Given) -> Places:
    """For each cell after `x[index] = value`: its place, counted through x and then through value."""
    at = np.arange(x.array.size).reshape(x.shape)
    assign(step, at, np.arange(value.array.size).reshape(value.shape) + x.array.size)
    return at


def places(step: Step, tensors: Sequence[Given], output: int = 0) -> Places:
    """For each cell of an output: the place, counted through all tensors, of the number that it shows."""
    starts = np.cumsum([0, *(tensor.array.size for tensor in tensors)])
    kind = np.int32 if starts[-1] < 2**31 else np.int64
    numbered = [
        np.arange(start, start + tensor.array.size, dtype=kind).reshape(tensor.shape)
        for start, tensor in zip(starts, tensors, strict=False)
    ]
    return _arranged(step, numbered, output)


def through(step: Step, at: Places, output: int) -> Places:
    """Something of the input's shape, seen as the step sees its input."""
    return _arranged(step, [at], output)


def _arranged(step: Step, tensors: list[Places], output: int) -> Places:
    """What a step does with its tensors, done to others of the same shapes."""
    if step.op in SAME_ORDER:
        return tensors[0].reshape(step.outputs[output].shape)
    if step.op in JOINED:
        return JOINED[step.op](step, tensors)
    if step.op in PARTED:
        return PARTED[step.op](step, tensors[0], output)
    return ARRANGED[step.op](step, tensors[0])


# -- one input, one output ------------------------------------------------------------------------------------------

SAME_ORDER = frozenset(
    "view reshape flatten unflatten squeeze unsqueeze contiguous clone detach to view_as reshape_as ravel".split()
)


def setting(step: Step, name: str, otherwise: Any = None) -> Any:
    value = step.settings.get(name, otherwise)
    return otherwise if value is None else value


def _sizes(step: Step, name: str) -> tuple[int, ...]:
    """A setting that torch takes as numbers or as one list of them."""
    value = setting(step, name)
    sizes = (value,) if isinstance(value, int) else tuple(value)
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], list | tuple) else sizes


def _transpose(step: Step, at: Places) -> Places:
    return np.swapaxes(at, setting(step, "dim0", 0), setting(step, "dim1", 1)) if at.ndim else at


def _repeat(step: Step, at: Places) -> Places:
    return np.tile(at, _sizes(step, "repeats"))


def _repeat_interleave(step: Step, at: Places) -> Places:
    repeats = inputs(step)[1].array if len(step.inputs) == 2 else np.array(_sizes(step, "repeats"))
    return np.repeat(at, repeats if repeats.size > 1 else int(repeats.reshape(-1)[0]), setting(step, "dim"))


def _roll(step: Step, at: Places) -> Places:
    dims = step.settings.get("dims")
    return np.roll(at, setting(step, "shifts"), tuple(_sizes(step, "dims")) if dims not in (None, (), []) else None)


def part(at: Places, axis: int, index: int | slice) -> Places:
    """at[..., index, ...] along one axis, still a view of the same memory."""
    return at[(*[slice(None)] * (axis % at.ndim), index)]


def _narrow(step: Step, at: Places) -> Places:
    axis, start, length = (int(setting(step, name)) for name in ("dim", "start", "length"))
    start = start + at.shape[axis] if start < 0 else start
    return part(at, axis, slice(start, start + length))


def _gather(step: Step, at: Places) -> Places:
    """gather may look at a part of the input only: its index may be shorter along the other axes."""
    index, axis = inputs(step)[1].array, int(setting(step, "dim"))
    if not at.ndim:
        return at.reshape(index.shape)
    axis %= at.ndim
    window = tuple(slice(None) if a == axis else slice(size) for a, size in enumerate(index.shape))
    return np.take_along_axis(at[window], index, axis)


def _take_along_dim(step: Step, at: Places) -> Places:
    index, axis = inputs(step)[1].array, step.settings.get("dim")
    if axis is None:
        return np.take(at.reshape(-1), index.reshape(-1))
    return np.take_along_axis(at, index, int(axis))  # type: ignore[call-overload]


def _index_select(step: Step, at: Places) -> Places:
    return np.take(at, inputs(step)[1].array.reshape(-1), setting(step, "dim"))


ARRANGED: dict[str, Arrange] = {
    "transpose": _transpose,
    "T": lambda step, at: at.T,
    "t": lambda step, at: at.T,
    "mT": lambda step, at: np.swapaxes(at, -1, -2),
    "permute": lambda step, at: np.transpose(at, _sizes(step, "dims")),
    "expand": lambda step, at: np.broadcast_to(at, step.outputs[0].shape),
    "expand_as": lambda step, at: np.broadcast_to(at, step.outputs[0].shape),
    "repeat": _repeat,
    "repeat_interleave": _repeat_interleave,
    "roll": _roll,
    "flip": lambda step, at: np.flip(at, _sizes(step, "dims")),
    "narrow": _narrow,
    "select": lambda step, at: part(at, int(setting(step, "dim")), int(setting(step, "index"))),
    "gather": _gather,
    "index_select": _index_select,
    "take_along_dim": _take_along_dim,
    "getitem": lambda step, at: numpy_index(step, at),
}


# -- one input, several outputs -------------------------------------------------------------------------------------


def _split(step: Step, at: Places, output: int) -> Places:
    """A part begins where those before it end."""
    axis = int(setting(step, "dim", 0))
    sizes = [value.shape[axis] for value in step.outputs]
    start = sum(sizes[:output])
    return part(at, axis, slice(start, start + sizes[output]))


PARTED: dict[str, Callable[[Step, Places, int], Places]] = {
    "split": _split,
    "chunk": _split,
    "split_with_sizes": _split,
    "unbind": lambda step, at, output: part(at, int(setting(step, "dim", 0)), output),
}


# -- several inputs, one output -------------------------------------------------------------------------------------

JOINED: dict[str, Callable[[Step, list[Places]], Places]] = {
    "cat": lambda step, at: np.concatenate([a for a in at if a.shape != (0,)] or at[:1], int(setting(step, "dim", 0))),
    "stack": lambda step, at: np.stack(at, int(setting(step, "dim", 0))),
}

VIEWS = (*SAME_ORDER, *ARRANGED, *PARTED, *JOINED)
