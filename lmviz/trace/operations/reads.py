"""Which cells of its inputs a call made each cell of a result from, axis by axis: a row, a column, the same cell.

It follows from what the call's record says of axes. An axis of an input that is named after one of the result goes with
it; one that is not named is read in full. Where numbers are only moved, the record says from which place to which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmviz.trace.operations.arguments import UNKNOWN_SPELLING
from lmviz.trace.operations.axes import dims_of
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.table import OPERATIONS
from lmviz.trace.step import Step, Value

Table = NDArray[np.int64]
ABSENT = -(2**40)  # in a table: from there on, nothing of this input was read
_MOST = 1 << 21  # cells of a result whose places are looked through
_MOST_DECIDING = 4096  # numbers of an index that is told apart from others


@dataclass(frozen=True, slots=True, eq=False)
class Along:
    """The part of an index that goes with one axis of the result: what it is at each index of that axis."""

    axis: int
    table: Table


@dataclass(frozen=True, slots=True, eq=False)
class At:
    """The index on one axis of an input: a number, and what each of some axes of the result adds to it."""

    start: int
    along: tuple[Along, ...] = ()


Index = At | None  # None: the whole axis
Cells = tuple[Index, ...]  # of one input, an index for each of its axes


def reads(step: Step, output: int = 0) -> tuple[Cells | None, ...]:
    """For each input of a step: which of its cells one cell of an output was made from, never fewer than that.

    None for an input of which that is not known.
    """
    record, nothing = OPERATIONS.get(step.op), (None,) * len(step.inputs)
    if record is None or not step.outputs or 0 in step.outputs[output].shape:
        return nothing
    if (key := _key(step, output)) is None:
        return _reads(record, step, output)
    return _kept(_Asked(key, record, step, output))


class _Asked:
    """A call of which only its key counts: the same call in another block reads the same cells."""

    def __init__(self, key: tuple[Any, ...], record: Operation, step: Step, output: int) -> None:
        self.key, self.arguments = key, (record, step, output)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=512)
def _kept(asked: _Asked) -> tuple[Cells | None, ...]:
    found = _reads(*asked.arguments)
    asked.arguments = ()  # type: ignore[assignment]  # a kept answer keeps no recording alive
    return found


def _key(step: Step, output: int) -> tuple[Any, ...] | None:
    """What the answer depends on; None where that is too much to keep."""
    moves = OPERATIONS[step.op].places is not None
    deciding = [value for value in step.inputs if not value.dtype.startswith(("float", "bf", "complex"))]
    if sum(int(np.prod(value.shape)) for value in deciding) > _MOST_DECIDING:
        return None
    indices = tuple(value.array.tobytes() for value in deciding if value.dtype != "bool" or moves)
    shapes = tuple((value.shape, value.role == "weight") for value in step.inputs)
    made = step.outputs[output].shape, output
    return step.op, step.arguments, repr(sorted(step.settings.items(), key=str)), shapes, made, indices


def _reads(record: Operation, step: Step, output: int) -> tuple[Cells | None, ...]:
    found = [
        _by_axes(record, step, value, argument, output)
        for value, argument in zip(step.inputs, step.arguments, strict=True)
    ]
    shape = step.outputs[output].shape
    if record.places is not None and np.prod(shape, dtype=np.int64) <= _MOST:
        try:
            moved, places = record.places(step, output)
        except UNKNOWN_SPELLING:
            return tuple(found)
        if places.shape != shape:
            return tuple(found)
        start = 0
        for n in moved:
            given = step.inputs[n].shape
            found[n] = _by_places(places - start, given)
            start += int(np.prod(given, dtype=np.int64))
    return tuple(found)


# -- by the names of axes --------------------------------------------------------------------------------------------


def _by_axes(record: Operation, step: Step, value: Value, argument: str, output: int) -> Cells | None:
    """Where the result's axes are called 0, 1, 2, the names of the input's axes say which of them each goes with."""
    if not record.axes.looks_back:
        return None
    shape = step.outputs[output].shape
    after = shape, tuple(map(str, range(len(shape))))
    names = record.axes.before(value.shape, argument, step.settings, after)
    if not any(names) and value.role == "weight":
        names = record.axes.of_weight(argument, value.shape, "", after[1][-1] if shape else "")
    if record.places is not None and not all(names):
        return None
    is_weight = argument in ("weight", "bias", "running_mean", "running_var")
    in_full = set() if is_weight else _rows(record, step, len(value.shape))
    return tuple(
        None if axis in in_full else _named(name, size, shape)
        for axis, (name, size) in enumerate(zip(names, value.shape, strict=True))
    )


def _named(name: str, size: int, shape: Sequence[int]) -> Index:
    if size == 1:
        return At(0)
    if name.isdigit() and shape[int(name)] == size:
        return At(0, (Along(int(name), np.arange(size)),))
    return None


def _rows(record: Operation, step: Step, rank: int) -> set[int]:
    """The axes that a call reads in full although its result has them too: a softmax reads whole rows."""
    if not record.axes.rows:
        return set()
    if record.axes.rows == "*":
        return set(range(rank))
    setting = step.settings.get(record.axes.rows)
    if record.axes.rows == "normalized_shape":
        return set(range(rank - len(setting) if isinstance(setting, Sequence) else rank - 1, rank))
    return dims_of(step.settings, rank, record.axes.rows)


# -- by places -------------------------------------------------------------------------------------------------------


def _by_places(places: NDArray[Any], shape: tuple[int, ...]) -> Cells:
    """The same for an input of which a result shows, in each cell, the number at a place (counted row by row)."""
    inside = (places >= 0) & (places < int(np.prod(shape, dtype=np.int64)))
    if not inside.any():
        return tuple(At(ABSENT) for _ in shape) or (At(ABSENT),)
    first = tuple(int(i) for i in np.argwhere(inside)[0])
    indices = np.unravel_index(np.where(inside, places, 0), shape) if shape else ()
    return tuple(_along(index.astype(np.int64), inside, first) for index in indices)


def _along(index: Table, inside: NDArray[np.bool_], first: tuple[int, ...]) -> Index:
    """The index on one axis as a sum over the axes of the result; None where it is no such sum."""
    start, along, total = int(index[first]), [], np.full(index.shape, int(index[first]), np.int64)
    for axis in range(index.ndim):
        line = tuple(slice(None) if a == axis else i for a, i in enumerate(first))
        table = np.where(inside[line], index[line] - start, ABSENT)
        if table.any():
            along.append(Along(axis, table))
            total += table.reshape([-1 if a == axis else 1 for a in range(index.ndim)])
    present = total >= 0
    is_sum = np.array_equal(present, inside) and np.array_equal(total[present], index[present])
    return At(start, tuple(along)) if is_sum else None
