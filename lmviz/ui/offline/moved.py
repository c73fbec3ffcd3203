"""Where the numbers of a tensor stood before they were moved: a kᵀ is lit as the k that is in the picture."""

from __future__ import annotations

import numpy as np

from lmviz.trace.operations.reads import ABSENT, Cells, reads
from lmviz.trace.operations.table import OPERATIONS
from lmviz.trace.step import Array, Step
from lmviz.ui.offline.kept import Kept
from lmviz.ui.offline.store import Store
from lmviz.ui.offline.walk_types import Moved

_ABSENT = -1


def moved_by(step: Step, kept: Kept, store: Store) -> list[Moved]:
    """As `moved_from` finds it for one cell; nothing for a step that does more than move numbers."""
    record = OPERATIONS.get(step.op)
    if record is None or record.places is None or len(step.outputs) != 1:
        return []
    found = []
    for given, read in zip(step.inputs, reads(step), strict=True):
        places = None if read is None else _places(read, step.outputs[0].shape, given.shape)
        if places is not None and given.address in kept.by_address:
            found.append(Moved(tensor=kept.by_address[given.address], places=store.add_places(places)))
    return found


def _places(read: Cells, shape: tuple[int, ...], source: tuple[int, ...]) -> Array | None:
    """For each cell of the result its place in an input; None if it was made from more than one of them, or
    there are none."""
    if 0 in source:
        return None  # nothing was moved from there: `transformers` joins its keys to a cache that is still empty
    indices = []
    for index in read:
        if index is None:
            return None
        at = np.full(shape, index.start, np.int64)
        for along in index.along:
            at = at + along.table.reshape([-1 if axis == along.axis else 1 for axis in range(len(shape))])
        indices.append(at)
    is_absent = np.any([at <= ABSENT // 2 for at in indices], axis=0) if indices else np.zeros(shape, bool)
    inside = [np.where(is_absent, 0, at) for at in indices]
    places = np.ravel_multi_index(inside, source) if inside else np.zeros(shape, np.int64)
    return np.where(is_absent, _ABSENT, places)
