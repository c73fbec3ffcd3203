"""What a trainer has to say, collected in memory and written to the store a few times a second."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from lmviz.errors import UserError
from lmviz.train.loop import Snapshot
from lmviz.train.store.database import transaction
from lmviz.train.store.run_table import note, report
from lmviz.train.store.series import Points, Writer
from lmviz.train.trackers import Tracker, points_of

log = logging.getLogger(__name__)

FLUSH_EVERY = 0.4  # seconds
PATIENCE = 60.0  # seconds of a locked store before a run gives up


class Measurements:
    """The measurements of one run, on their way to the store."""

    def __init__(
        self, db: sqlite3.Connection, run: str, worker: str, step: int, trackers: Sequence[Tracker] = ()
    ) -> None:
        self._trackers = list(trackers)
        self._db, self._run, self._worker = db, run, worker
        self._writer = Writer(db, run)
        self._snapshots: list[Snapshot] = []
        self._measured: list[tuple[str, int, float]] = []
        self._samples: list[tuple[str, int, int, str, str]] = []
        self._flushed_at, self._flushed_step = time.monotonic(), step
        self._trouble_since: float | None = None
        self._pace: float | None = None
        self.step = step  # the last that was noted
        self.due = 0.0  # when to flush next, by the monotonic clock

    def begin(self, damage: Iterable[UserError] = ()) -> None:
        """Forget what was written after the step that the run goes on from, and say what was damaged."""
        with transaction(self._db):
            for why in damage:
                note(self._db, self._run, self.step, "damaged", why)
            self._writer.cut(self.step)
            self._db.execute("DELETE FROM samples WHERE run = ? AND step > ?", (self._run, self.step))
            self._report(step=self.step, best_step=None, best_loss=None)  # who knows the best tells with the next flush

    def note(self, snapshot: Snapshot) -> None:
        """Called after every step: nothing is done here that can wait."""
        self._snapshots.append(snapshot)
        self.step = snapshot.step

    def measure(self, metric: str, number: float) -> None:
        self._measured.append((metric, self.step, number))

    def sample(self, prompt: str, texts: tuple[str, ...]) -> None:
        self._samples += [(self._run, self.step, place, prompt, text) for place, text in enumerate(texts)]

    def flush(self, **progress: Any) -> tuple[str | None, int | None] | None:
        """Write all of it in one transaction; returns what the run's owner wants, and until which step it goes.

        None: the store is locked. Nothing is lost, all is kept for the next time.
        """
        now = time.monotonic()
        self.due = now + FLUSH_EVERY
        seconds = max(now - self._flushed_at, 1e-9)
        pace, points = self._new_pace(seconds), self._points(seconds)
        try:
            with transaction(self._db):
                self._writer.append(points)
                self._db.executemany("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?)", self._samples)
                answer = self._report(step=self.step, pace=pace, **self._loss(), **progress)
        except sqlite3.OperationalError as error:
            self._tolerate_lock(error)
            return None
        self._track(points)
        self._snapshots, self._measured, self._samples = [], [], []
        self._flushed_at, self._flushed_step, self._pace, self._trouble_since = now, self.step, pace, None
        return answer

    def _track(self, points: Mapping[str, Points]) -> None:
        """Tell the others. One that fails is told no more: the run goes on."""
        for tracker in tuple(self._trackers):
            try:
                tracker.write(points)
            except Exception:  # somebody else's code, and perhaps a network
                log.exception("a tracker has failed, and is left out from step %d on", self.step)
                self._trackers.remove(tracker)

    def close(self) -> None:
        """Nothing more is measured."""
        for tracker in self._trackers:
            with suppress(Exception):
                tracker.close()

    def _points(self, seconds: float) -> dict[str, Points]:
        """The numbers since the last flush, by metric."""
        points = points_of(self._snapshots)
        for metric, step, number in self._measured:
            points.setdefault(metric, []).append((step, number))
        if self._snapshots:
            n_targets = sum(snapshot.n_targets for snapshot in self._snapshots)
            points["tokens_per_second"] = [(self.step, n_targets / seconds)]
        return points

    def _loss(self) -> dict[str, float]:
        return {"loss": self._snapshots[-1].loss} if self._snapshots else {}

    def _new_pace(self, seconds: float) -> float | None:
        if not self._snapshots:
            return self._pace
        latest = (self.step - self._flushed_step) / seconds
        return latest if self._pace is None else 0.7 * self._pace + 0.3 * latest

    def _report(self, **progress: Any) -> tuple[str | None, int | None]:
        return report(self._db, self._run, self._worker, progress)

    def _tolerate_lock(self, error: sqlite3.OperationalError) -> None:
        """Go on for a while with a store that another program locks; any other trouble is raised."""
        now = time.monotonic()
        self._trouble_since = self._trouble_since or now
        is_locked = (error.sqlite_errorcode & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if not is_locked or now - self._trouble_since > PATIENCE:
            raise error
        self._writer = Writer(self._db, self._run)
