"""What the cells of a tensor in a picture were made from: the cells of the other tensors, through the steps between."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product

import numpy as np

from lmviz.trace.operations.reads import ABSENT, Along, At, Cells, Index, reads
from lmviz.trace.operations.table import OPERATIONS
from lmviz.trace.step import Cell, Step, Trace, Value

_MOST = 8  # ways from one tensor to another that are told
_SHAPE_ONLY = re.compile(r"new_|.*_like$")  # of what these are given, they read only how large it is


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Cells of a tensor that a cell of another was made from. The axes in `Along` are those of the other."""

    address: str
    cells: Cells


def origins(steps: Sequence[Step], value: Value, shown: Iterable[str]) -> tuple[Origin, ...]:
    """Of the tensors that are shown, the cells that one cell of `value` was made from, by way of some steps.

    All of them: a tensor is left out where one way to it is not known, since its other ways tell only a part.
    """
    found: dict[str, list[Cells]] = {value.address: [_itself(value.shape)]}
    unknown: set[str] = set()
    for step in reversed(steps):
        for output, made in enumerate(step.outputs):
            if made.address in unknown:
                unknown.update(given.address for given in step.inputs if given.address)
            elif made.address in found:
                unknown |= _follow(step, output, found)
    wanted = set(shown) - {value.address} - unknown
    return tuple(Origin(address, cells) for address, ways in found.items() if address in wanted for cells in ways)


def moved_from(trace: Trace, address: str, cell: Cell, shown: Collection[str]) -> tuple[str, Cell] | None:
    """Where, among the tensors that are shown, the number of a cell stands that was only moved: k, where kᵀ is read."""
    while address not in shown:
        step = trace[address] if address in trace else None
        record = None if step is None else OPERATIONS.get(step.op)
        if step is None or record is None or record.places is None or len(step.outputs) != 1:
            return None
        found = [
            (given.address, at)
            for given, read in zip(step.inputs, reads(step), strict=True)
            if read is not None and (at := _cell(read, cell)) is not None
        ]
        if len(found) != 1:
            return None
        address, cell = found[0]
    return address, cell


def _cell(read: Cells, cell: Cell) -> Cell | None:
    """The one cell that is read; None if it is none, or more than one."""
    found = []
    for index in read:
        if index is None:
            return None
        found.append(index.start + sum(int(along.table[cell[along.axis]]) for along in index.along))
    return None if any(i <= ABSENT // 2 for i in found) else tuple(found)


def _itself(shape: Sequence[int]) -> Cells:
    return tuple(At(0, (Along(axis, np.arange(size)),)) for axis, size in enumerate(shape))


def _follow(step: Step, output: int, found: dict[str, list[Cells]]) -> set[str]:
    """Add what the inputs of a step have to do with the cells of its output; returns those of which it isn't known."""
    unknown: set[str] = set()
    for given, read in zip(step.inputs, reads(step, output), strict=True):
        if not given.address or _SHAPE_ONLY.match(step.op):
            continue
        if read is None:
            unknown.add(given.address)
            continue
        ways = found.setdefault(given.address, [])
        for made in [*found[step.outputs[output].address]]:
            if (through := _through(read, made)) is None:
                continue
            if (way := _only_where(through, made)) is None:
                unknown.add(given.address)
            elif not any(_covers(other, way) for other in ways):
                ways[:] = [*(other for other in ways if not _covers(way, other)), way]
        if len(ways) > _MOST:
            unknown.add(given.address)
    return unknown


def _through(read: Cells, made: Cells) -> Cells | None:
    """What the cells `made` of a tensor read, where each of its cells reads `read`; None if that is nothing."""
    found = tuple(_index(index, made) for index in read)
    return None if any(index is not None and index.start <= ABSENT // 2 for index in found) else found


def _only_where(through: Cells, made: Cells) -> Cells | None:
    """The same, told only of the places that `made` itself was used for: one position, where a loop over them was
    stacked. None where no index can say so."""
    where = [
        At(0, (replace(along, table=np.where(along.table <= ABSENT // 2, ABSENT, 0)),))
        for index in made
        if index is not None
        for along in index.along
        if along.table.min() <= ABSENT // 2
    ]
    for axis, index in enumerate(through if where else ()):
        if index is not None:
            return *through[:axis], reduce(_added, where, index), *through[axis + 1 :]
    return None if where else through


def _index(index: Index, made: Cells) -> Index:
    if index is None:
        return None
    total = At(index.start)
    for along in index.along:
        part = _part(along, made[along.axis])
        if part is None:
            return None
        total = _added(total, part)
    return total


def _part(along: Along, at: Index) -> Index:
    """What one axis adds to an index, where the index on that axis is itself known; None where it may be anything."""
    table = along.table
    if at is None:
        return At(int(table[0])) if (table == table[0]).all() else None
    if not at.along:
        return At(int(table[at.start]))
    if len(at.along) == 1:
        (only,) = at.along
        reached = at.start + only.table
        inside = (only.table > ABSENT // 2) & (reached >= 0) & (reached < len(table))
        return At(0, (Along(only.axis, np.where(inside, table[np.where(inside, reached, 0)], ABSENT)),))
    slopes = np.unique(np.diff(table))
    if len(slopes) > 1 or (table <= ABSENT // 2).any():
        return None
    slope = int(slopes[0]) if len(slopes) else 0
    start = int(table[0]) + slope * at.start
    return At(start, tuple(replace(one, table=_times(one.table, slope)) for one in at.along))


def _times(table: np.ndarray, slope: int) -> np.ndarray:
    return np.where(table <= ABSENT // 2, ABSENT, slope * table)


def _added(one: At, other: At) -> At:
    tables = {along.axis: along.table for along in one.along}
    for along in other.along:
        known = tables.get(along.axis)
        tables[along.axis] = along.table if known is None else np.maximum(known + along.table, ABSENT)
    return At(max(one.start + other.start, ABSENT), tuple(Along(axis, table) for axis, table in tables.items()))


def _covers(one: Cells, other: Cells) -> bool:
    """Whether the first are all cells of the second, or more."""
    return all(a is None or (b is not None and _same(a, b)) for a, b in zip(one, other, strict=True))


def _same(one: At, other: At) -> bool:
    return (
        one.start == other.start
        and {a.axis for a in one.along} == {b.axis for b in other.along}
        and all(a.axis != b.axis or np.array_equal(a.table, b.table) for a, b in product(one.along, other.along))
    )
