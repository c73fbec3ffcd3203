"""The trainers of a folder, seen from the app: enough of them, warm, and no more than allowed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Set
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from lmviz.bundle import PACKAGES
from lmviz.errors import UserError
from lmviz.train.limits import Limits
from lmviz.train.store.database import Database, transaction
from lmviz.train.store.files import sentences
from lmviz.train.store.liveness import SILENT, SilenceClock, end, is_held, lock_of, log_of
from lmviz.train.store.run_table import interrupt

CLOSING = 20.0  # seconds that a trainer may take to save its run when it is told to go
SOON = 5.0  # seconds of silence after which it is not asked first


def mark_dead(db: sqlite3.Connection, root: Path, silence: SilenceClock) -> Set[str]:
    """Notice trainers that died, end those that hang, and mark what they were at as interrupted. Returns them."""
    pids = {row["id"]: row["pid"] for row in db.execute("SELECT id, pid FROM workers").fetchall()}
    dead: dict[str, UserError | None] = {worker: None for worker in pids if not is_held(lock_of(root, worker))}
    for worker, seconds in silence.look(pids).items():
        if worker not in dead and seconds > SILENT:
            end(worker, pids[worker])  # before anything is written: it may have been stopped while it wrote
            _wait_for_the_end(root, [worker])
            dead[worker] = UserError(
                "Its process did not answer for {seconds} seconds and was ended: resume it from its last checkpoint.",
                seconds=round(seconds),
            )
    if dead:
        with transaction(db):
            interrupt(db, dead)
        for worker in dead:
            lock_of(root, worker).unlink(missing_ok=True)
    return dead.keys()


def _wait_for_the_end(root: Path, workers: Iterable[str]) -> None:
    """A process that was ended lets go of all that it held, a moment later."""
    until = time.monotonic() + SOON
    while any(is_held(lock_of(root, worker)) for worker in workers) and time.monotonic() < until:
        time.sleep(0.01)


class TrainerPool:
    """Starts trainers. They belong to themselves: when the app ends, those at work go on."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database, self._root, self._limits = database, database.folder, limits
        self._lock = threading.Lock()
        self._silence = SilenceClock(self._root)
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def ensure_one(self) -> None:
        """Have one trainer warm and free, beside those at work. Cheap to call often."""
        with self._lock:
            self._mark_dead()
            self._start_one()

    def mark_dead(self) -> None:
        """Notice trainers that died or hang: their runs are interrupted, and can be resumed; whoever waits in the queue
        gets another trainer."""
        with self._lock:
            if self._mark_dead():
                self._start_one()

    def _mark_dead(self) -> Set[str]:
        with self._database.connected() as db:
            dead = mark_dead(db, self._root, self._silence)
        for worker in dead & self._started.keys():
            self._started[worker].kill()
            self._started.pop(worker).communicate()
        return dead

    def _start_one(self) -> None:
        for worker in [worker for worker, one in self._started.items() if one.poll() is not None]:
            self._started.pop(worker).communicate()
        with self._database.reading() as db:
            known = {row["id"]: row["run"] for row in db.execute("SELECT id, run FROM workers")}
        starting = self._started.keys() - known.keys()
        free = [worker for worker, run in known.items() if run is None]
        if not starting and not free and len(known) < self._limits.at_once + 1:
            self._start()

    def seconds_silent(self, run: str) -> float:
        """For how many seconds the trainer of a run has not been heard; 0 if it has none."""
        with self._database.reading() as db:
            workers = {row["id"]: row["run"] for row in db.execute("SELECT id, run FROM workers").fetchall()}
        silent = self._silence.look(workers)
        return max((silent[worker] for worker, at in workers.items() if at == run), default=0.0)

    def end(self, run: str) -> None:
        """End the trainer of a run at once. What it has not saved is lost; the run is interrupted."""
        with self._database.reading() as db:
            rows = db.execute("SELECT id, pid FROM workers WHERE run = ?", (run,)).fetchall()
        with self._lock:
            for worker, pid in rows:
                if worker in self._started:
                    self._started[worker].kill()
                else:
                    end(worker, pid)
        _wait_for_the_end(self._root, [worker for worker, _ in rows])
        self.mark_dead()

    def close(self) -> None:
        """End the trainers that were started here. A run under way is saved, and is then interrupted."""
        with self._lock:
            silent = self._silence.look(self._started)
            until = time.monotonic() + CLOSING
            for worker, one in self._started.items():
                if silent[worker] > SOON:
                    one.kill()
                else:
                    one.terminate()
            for one in self._started.values():
                try:
                    one.communicate(timeout=max(0.0, until - time.monotonic()))
                except subprocess.TimeoutExpired:
                    one.kill()
                    one.communicate()
            self._started.clear()

    def _start(self) -> None:
        worker = uuid4().hex[:8]
        log = log_of(self._root, worker)
        limits = json.dumps(asdict(self._limits))
        paths = os.pathsep.join(filter(None, (str(PACKAGES), os.environ.get("PYTHONPATH"))))
        with sentences(self._root):
            log.parent.mkdir(parents=True, exist_ok=True)
            with open(log, "wb") as output:
                self._started[worker] = subprocess.Popen(
                    [sys.executable, "-m", "lmviz.train.work", str(self._root.absolute()), worker, limits],
                    stdin=subprocess.PIPE,  # closes when we end, however we end: who has no work then goes too
                    stdout=output,
                    stderr=output,
                    env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
                    start_new_session=True,  # so that closing the app's terminal does not end a run
                )
