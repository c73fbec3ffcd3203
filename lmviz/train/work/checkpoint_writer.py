"""The checkpoints of a run in training: which are written, in a thread that waits for the disk, and which go."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lmviz.train.state import is_finite
from lmviz.train.store.checkpoints import Checkpoints, only_to_resume
from lmviz.train.store.space import checkpoints_of, free_space, kept

SAVE_EVERY = 5.0  # seconds: what a killed trainer loses at most,
SAVING_SHARE = 0.02  # unless saving is slow: it gets this part of the time

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Best:
    """The step with the lowest loss so far; its tensors until they are on disk."""

    step: int
    loss: float
    tensors: Tensors | None = None


class CheckpointWriter:
    """Keeps the checkpoints of one run: time travel's, the last and the best."""

    def __init__(
        self, db: sqlite3.Connection, root: Path, run: str, n_bytes: int, best: tuple[int, float] | None = None
    ) -> None:
        """Args:
        best: the step with the lowest loss so far, and that loss, where a run goes on; its checkpoint is on disk.
        """
        self._db, self._root, self._run, self._n_bytes = db, root, run, n_bytes
        self._checkpoints = checkpoints_of(root, run)
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[float] | None = None
        self._best = Best(*best) if best else None
        self.due = time.monotonic() + SAVE_EVERY  # when to save next

    @property
    def best(self) -> dict[str, float]:
        """The best checkpoint that is on disk, in the words of the table of runs; nothing while it is written."""
        if self._best is None or self._best.tensors is not None or not self._is_written():
            return {}
        return {"best_step": self._best.step, "best_loss": self._best.loss}

    def is_better(self, loss: float) -> bool:
        return loss < (self._best.loss if self._best else math.inf)

    def remember(self, best: Best) -> None:
        """Take this for the best so far. It is written with the next checkpoint."""
        self._best = best

    def save(self, step: int, tensors: Tensors) -> None:
        """Begin to write a checkpoint, and the best one if that is new; those that they replace go afterwards.

        Weights that aren't finite are not worth keeping. What goes wrong is raised by the next `save`, or by `close`.
        """
        self._wait()
        new = {}
        if self._best and self._best.tensors is not None:
            new[self._best.step] = self._best.tensors
            self._best = Best(self._best.step, self._best.loss)
        if (self._best is None or step != self._best.step) and is_finite(tensors):
            new[step] = tensors
        self._free_space(sum(tensor.nbytes for tensors in new.values() for tensor in tensors.values()))
        self._writing = self._thread.submit(_write, self._checkpoints, new, {*self._kept(), *new})
        self.due = time.monotonic() + SAVE_EVERY

    def close(self) -> None:
        """Wait until all is on disk."""
        self._wait()
        self._thread.shutdown()

    def sweep(self) -> None:
        """Drop what a run that rests does not need."""
        self._checkpoints.drop(only_to_resume(self._checkpoints.saved(), self._kept()))

    def _kept(self) -> Collection[int]:
        """Our own best counts too: it may be on disk before the table of runs has heard of it."""
        return {*kept(self._db, self._checkpoints, self._run), *([self._best.step] if self._best else ())}

    def _free_space(self, n_bytes: int) -> None:
        free_space(self._db, self._root, self._run, n_bytes, self._n_bytes, self._kept())

    def _is_written(self) -> bool:
        return self._writing is None or self._writing.done()

    def _wait(self) -> None:
        if self._writing is not None:
            took = self._writing.result()
            self.due = max(self.due, time.monotonic() + took / SAVING_SHARE)
            self._writing = None


def _write(checkpoints: Checkpoints, new: Mapping[int, Tensors], stay: Collection[int]) -> float:
    """Returns the seconds that it took."""
    began = time.monotonic()
    for step, tensors in new.items():
        checkpoints.put(step, tensors)
    checkpoints.drop(only_to_resume(checkpoints.saved(), stay))
    return time.monotonic() - began
