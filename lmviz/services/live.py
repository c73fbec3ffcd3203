"""Something small that is computed while a page watches: a training of words, a fine-tuning in fewer bits."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

PAUSES_AFTER = 30.0  # seconds after which it pauses; the next look goes on with it

Snapshot = TypeVar("Snapshot")

_one_step = threading.Lock()  # of all that is live: steps take turns, and no two draw random numbers at once


class Live(Generic[Snapshot]):
    """Snapshots of something that a thread computes, one after another, for as long as somebody looks."""

    def __init__(self, snapshots: Iterator[Snapshot], total: int, keep: int = 200) -> None:
        """
        Args:
            total: how many snapshots there will be.
            keep: how many of them are kept, about: the first, every so-manyth one, and the last.
        """
        self._snapshots, self._total, self._every = snapshots, total, max(1, total // keep)
        self._kept: list[Snapshot] = []
        self._last: Snapshot | None = None
        self._n = 0
        self._error: Exception | None = None
        self._is_done = self._is_running = False
        self._thread: threading.Thread | None = None
        self._seen = 0.0
        self._lock = threading.Lock()

    @property
    def progress(self) -> float:
        """How much of it is done, from 0 to 1."""
        return min(1.0, self._n / self._total)

    @property
    def is_done(self) -> bool:
        return self._is_done

    def look(self) -> tuple[Snapshot, ...]:
        """What there is so far, one at least. Raises what the computation raised."""
        with self._lock:
            self._seen = time.monotonic()
            if not self._is_done and not self._is_running:
                self._is_running = True
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        while not self._n and not self._is_done:
            time.sleep(0.002)
        return self._found()

    def pause(self) -> tuple[Snapshot, ...]:
        """What there is so far; nothing more is computed until somebody looks again."""
        with self._lock:
            self._seen = -math.inf
        if self._thread is not None:
            self._thread.join()
        return self._found()

    def wait(self, seconds: float) -> None:
        """Until it is done, or for so long."""
        self.look()
        if self._thread is not None:
            self._thread.join(seconds)

    def finish(self) -> tuple[Snapshot, ...]:
        """All there will be: waits for it."""
        while not self._is_done:
            self.look()
            time.sleep(0.005)
        return self._found()

    def _found(self) -> tuple[Snapshot, ...]:
        if self._error is not None:
            raise self._error
        with self._lock:
            late = () if self._last is None or (self._n - 1) % self._every == 0 else (self._last,)
            return (*self._kept, *late)

    def _run(self) -> None:
        """One step at least, then more for as long as it is wanted."""
        while True:
            try:
                with _one_step:
                    snapshot = next(self._snapshots, None)
            except Exception as error:  # told to whoever looks
                self._error, self._is_done = error, True
                return
            if snapshot is None:
                self._is_done = True
                return
            self._keep(snapshot)
            if not self._is_wanted():
                return
            time.sleep(0)  # the others' turn

    def _keep(self, snapshot: Snapshot) -> None:
        with self._lock:
            if self._n % self._every == 0:
                self._kept.append(snapshot)
            self._last = snapshot
            self._n += 1

    def _is_wanted(self) -> bool:
        with self._lock:
            self._is_running = time.monotonic() - self._seen < PAUSES_AFTER
            return self._is_running
