"""The numbers of a run over its steps: written a few at a time, read as many as a chart can show."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

CHUNK = 256  # numbers to a row: a flush writes one short row again, a chart of 100,000 steps reads 400 rows

T = TypeVar("T")
Points = list[tuple[int, float]]
Arrays = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Series:
    """One metric of one run, thinned. Steps grow; there is at most one number a step."""

    steps: NDArray[np.int64]
    numbers: NDArray[np.float64]
    n_measured: int  # how many numbers there are in the range that was asked for, before thinning
    n_damaged: int = 0  # stretches of up to CHUNK numbers that the disk has damaged; none of them is here

    def __len__(self) -> int:
        return len(self.steps)


class Writer:
    """Appends to the series of one run. Nobody else writes to them meanwhile."""

    def __init__(self, db: sqlite3.Connection, run: str) -> None:
        self._db = db
        self._run = run
        self._open: dict[str, Points] = {}  # the last chunk of each metric, until it is full

    def append(self, points: Mapping[str, Points]) -> None:
        """Add numbers, steps growing, in the transaction that is under way. If that fails, so has this: go on anew."""
        for metric, new in points.items():
            chunk = [*self._open.get(metric, ()), *new]
            while len(chunk) > CHUNK:
                self._write(metric, chunk[:CHUNK])
                chunk = chunk[CHUNK:]
            self._write(metric, chunk)
            self._open[metric] = chunk

    def cut(self, step: int) -> None:
        """Forget what was measured after a step, to measure it again."""
        late = "SELECT metric, steps, numbers, checksum FROM chunks WHERE run = ? AND last_step > ?"
        rows = self._db.execute(late, (self._run, step)).fetchall()
        self._db.execute("DELETE FROM chunks WHERE run = ? AND last_step > ?", (self._run, step))
        self._open.clear()
        for row in rows:
            points = _points(row)
            kept = [point for point in zip(*points, strict=True) if point[0] <= step] if points else []
            if kept:
                self._write(row["metric"], [(int(at), float(number)) for at, number in kept])

    def _write(self, metric: str, chunk: Points) -> None:
        steps, numbers = zip(*chunk, strict=True)
        written = np.array(steps, np.int64).tobytes(), np.array(numbers, np.float64).tobytes()
        self._db.execute(
            "INSERT OR REPLACE INTO chunks (run, metric, first_step, last_step, steps, numbers, checksum) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._run, metric, steps[0], steps[-1], *written, _checksum(*written)),
        )


def metrics_of(db: sqlite3.Connection, run: str) -> tuple[str, ...]:
    rows = db.execute("SELECT DISTINCT metric FROM chunks WHERE run = ? ORDER BY metric", (run,))
    return tuple(row[0] for row in rows)


def read_series(
    db: sqlite3.Connection, run: str, metric: str, n_points: int, steps: tuple[int, int] | None = None
) -> Series:
    """The numbers of the steps from the first to the last, both included; at most `n_points` of them."""
    first, last = steps or (0, 2**62)
    found = db.execute(
        "SELECT steps, numbers, checksum FROM chunks WHERE run = ? AND metric = ? AND last_step >= ? "
        "AND first_step <= ? ORDER BY first_step",
        (run, metric, first, last),
    )
    chunks = [_points(row) for row in found]
    at, numbers = _joined([points for points in chunks if points])
    inside = slice(np.searchsorted(at, first), np.searchsorted(at, last, side="right"))
    return replace(thinned(at[inside], numbers[inside], n_points), n_damaged=chunks.count(None))


def damaged(db: sqlite3.Connection, run: str) -> dict[str, int]:
    """The metrics of a run of which the disk has damaged some numbers, and how many stretches of them."""
    rows = db.execute("SELECT metric, steps, numbers, checksum FROM chunks WHERE run = ?", (run,))
    return dict(Counter(row["metric"] for row in rows if _points(row) is None))


def spread(things: Sequence[T], most: int) -> list[T]:
    """At most so many (2 at least) of some things, evenly spread: in their order, the first and the last among them.

    >>> spread([0, 1, 2, 3, 4, 5, 6], 3), spread([0, 1], 3)
    ([0, 3, 6], [0, 1])
    """
    last = len(things) - 1
    if last < most:
        return list(things)
    return [things[round(i * last / (most - 1))] for i in range(most)]


def thinned(steps: NDArray[np.int64], numbers: NDArray[np.float64], n_points: int) -> Series:
    """At most `n_points` of the points, the first and the last among them, and the lowest and highest of every stretch.

    Stretches are short at the beginning, where a curve changes most: half of their edges are evenly spread over the
    steps, and half over their logarithm.
    So no peak is lost, and nothing is shown that was not measured. What is not finite is left out of a thinned series.
    """
    n_measured = len(steps)
    if n_measured <= n_points:
        return Series(steps, numbers, n_measured)
    finite = np.flatnonzero(np.isfinite(numbers))
    n_stretches = max(1, (n_points - 2) // 2)
    even = np.linspace(steps[0], steps[-1] + 1, n_stretches // 2 + 1)
    growing = np.geomspace(1, steps[-1] - steps[0] + 2, n_stretches - n_stretches // 2 + 1) + steps[0] - 1
    edges = np.searchsorted(steps[finite], np.unique(np.concatenate([even, growing])))
    chosen = {int(finite[0]), int(finite[-1])} if len(finite) else set()
    for start, end in pairwise(edges):
        if end > start:
            stretch = numbers[finite[start:end]]
            chosen |= {int(finite[start + stretch.argmin()]), int(finite[start + stretch.argmax()])}
    order = np.array(sorted(chosen)[:n_points], dtype=np.int64)
    return Series(steps[order], numbers[order], n_measured)


def means(steps: NDArray[np.int64], numbers: NDArray[np.float64], width: int) -> Series:
    """The mean of every stretch of `width` steps that is complete, at the last step of the stretch.

    Args:
        steps: one after the other, from the first of a stretch on; the first stretch of all begins at step 1.
    """
    n_stretches = len(steps) // width
    whole = slice(0, n_stretches * width)
    return Series(steps[whole][width - 1 :: width], numbers[whole].reshape(-1, width).mean(axis=1), len(steps))


@dataclass(frozen=True)
class Jump:
    """Where a curve left what it had reached."""

    step: int  # the first that is above the limit
    before: float  # the number of the step before it
    after: float
    is_over: bool  # whether the curve has come back below the limit


def jump_of(steps: NDArray[np.int64], numbers: NDArray[np.float64], limit: float) -> Jump | None:
    """The first step of a curve whose number is above a limit, or is none; None if there is no such step.

    Args:
        steps: all that there are, not thinned.
    """
    above = np.flatnonzero(~(numbers <= limit))
    if not len(above) or above[0] == 0:
        return None
    first = int(above[0])
    is_over = bool(numbers[-1] <= limit)
    return Jump(int(steps[first]), float(numbers[first - 1]), float(numbers[first]), is_over)


def _joined(parts: Sequence[Arrays]) -> Arrays:
    if not parts:
        return np.empty(0, np.int64), np.empty(0)
    return np.concatenate([at for at, _ in parts]), np.concatenate([numbers for _, numbers in parts])


def _points(row: sqlite3.Row) -> Arrays | None:
    """Steps and numbers of a row; None if they are not those that were written."""
    steps, numbers, known = row["steps"], row["numbers"], row["checksum"]
    if not isinstance(steps, bytes) or not isinstance(numbers, bytes) or len(steps) != len(numbers) or len(steps) % 8:
        return None
    if known is not None and known != _checksum(steps, numbers):
        return None
    return np.frombuffer(steps, np.int64), np.frombuffer(numbers, np.float64)


def _checksum(steps: bytes, numbers: bytes) -> int:
    return crc32(numbers, crc32(steps))
