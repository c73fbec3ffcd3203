"""What the cells of a picture were made from, as the browser needs it: for the window that is shown, and no more."""

from __future__ import annotations

import numpy as np

from lmviz.stages import origins
from lmviz.trace.operations.reads import ABSENT, At, Index, Table
from lmviz.trace.step import Cell
from lmviz.ui.panel_types import Along, IndexAt, Origin
from lmviz.ui.pictures import WINDOW, Slice


def sent(found: tuple[origins.Origin, ...], place: Slice, rank: int, most: int = WINDOW) -> list[Origin]:
    """Origins of the cells of a window, whose leading axes stand still; `most` are its rows and columns at most."""
    return [{"address": one.address, "at": [_index(index, place, rank, most) for index in one.cells]} for one in found]


def _index(index: Index, place: Slice, rank: int, most: int) -> IndexAt | None:
    if index is None:
        return None
    made: IndexAt = {"start": _start(index, place.lead)}
    for along in index.along:
        axis = along.axis - rank
        if axis == -2:
            made["row"] = _along(along.table, place.row, most)
        elif axis == -1:
            made["col"] = _along(along.table, place.col, most)
    return made


def _start(index: At, lead: Cell) -> int:
    return index.start + sum(int(along.table[lead[along.axis]]) for along in index.along if along.axis < len(lead))


def _along(table: Table, first: int, most: int) -> Along:
    window = table[first : first + most]
    slopes = np.unique(np.diff(window))
    if window.min() > ABSENT // 2 and len(slopes) <= 1:
        by = int(slopes[0]) if len(slopes) else 0
        return {"start": int(window[0]) - by * first, "by": by}
    return {"start": first, "by": 0, "each": [None if i <= ABSENT // 2 else int(i) for i in window]}
