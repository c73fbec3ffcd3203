"""Numbers for a page: one block of bytes, in which the same numbers lie once."""

from __future__ import annotations

import numpy as np

from lmviz.trace.step import Array
from lmviz.ui.offline.walk_types import NumberKind, Stored

_TYPES: dict[NumberKind, str] = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "u1": "<u1", "d4": "<i4"}
_ALIGNED = 8  # bytes: the browser reads float64 at such places only
_WHOLE = 2**31


class Store:
    def __init__(self) -> None:
        self.entries: list[Stored] = []
        self.n_bytes = 0
        self._parts: list[bytes] = []
        self._known: dict[tuple[NumberKind, bytes], int] = {}

    def add(self, array: Array) -> int:
        """The place of some real numbers among the entries."""
        kind = _kind_of(array)
        return self._add(kind, np.ascontiguousarray(array.reshape(-1), dtype=_TYPES[kind]).tobytes(), array.size)

    def add_places(self, places: Array) -> int:
        """The same for whole numbers of which each is often the one before and some constant."""
        steps = np.diff(places.reshape(-1).astype(np.int64), prepend=0)
        return self._add("d4", steps.astype(_TYPES["d4"]).tobytes(), places.size)

    def data(self) -> bytes:
        return b"".join(self._parts)

    def _add(self, kind: NumberKind, data: bytes, n: int) -> int:
        if (kind, data) not in self._known:
            self._known[kind, data] = len(self.entries)
            self.entries.append((kind, self.n_bytes, n))
            padded = data + b"\0" * (-len(data) % _ALIGNED)
            self._parts.append(padded)
            self.n_bytes += len(padded)
        return self._known[kind, data]


def _kind_of(array: Array) -> NumberKind:
    """The smallest kind that holds the numbers of an array as they are."""
    if array.dtype.kind == "b":
        return "u1"
    if array.dtype.kind in "iu":
        fits = not array.size or (int(array.min()) >= -_WHOLE and int(array.max()) < _WHOLE)
        return "i4" if fits else "f8"
    return "f4" if array.dtype.itemsize <= np.dtype(np.float32).itemsize else "f8"
