"""The trainers of a folder, seen from the app: enough of them, warm, and no more than allowed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from lmviz.train.limits import Limits
from lmviz.train.store.database import Database, transaction
from lmviz.train.store.files import sentences
from lmviz.train.store.run_table import interrupt
from lmviz.train.work.life import is_held, life_of, log_of

PACKAGES = Path(__file__).parents[3]  # where `import lmviz` finds us, wherever the app was started


def bury(db: sqlite3.Connection, root: Path) -> None:
    """Notice trainers that died, and mark what they were at as interrupted."""
    workers = [row["id"] for row in db.execute("SELECT id FROM workers").fetchall()]
    dead = [worker for worker in workers if not is_held(life_of(root, worker))]
    if dead:
        with transaction(db):
            interrupt(db, dead)
        for worker in dead:
            life_of(root, worker).unlink(missing_ok=True)


class Staff:
    """Starts trainers. They belong to themselves: when the app ends, those at work go on."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database, self._root, self._limits = database, database.folder, limits
        self._lock = threading.Lock()
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def see_to_it(self) -> None:
        """Have one trainer warm and free, beside those at work. Cheap to call often."""
        with self._lock:
            for worker in [worker for worker, one in self._started.items() if one.poll() is not None]:
                self._started.pop(worker).communicate()
            self.bury()
            with self._database.reading() as db:
                known = {row["id"]: row["run"] for row in db.execute("SELECT id, run FROM workers")}
            starting = self._started.keys() - known.keys()
            free = [worker for worker, run in known.items() if run is None]
            if not starting and not free and len(known) < self._limits.at_once + 1:
                self._start()

    def bury(self) -> None:
        """Notice trainers that died: their runs are interrupted, and can be resumed."""
        with self._database.connected() as db:
            bury(db, self._root)

    def dismiss(self) -> None:
        """End the trainers that were started here. A run under way is saved, and is then interrupted."""
        with self._lock:
            for one in self._started.values():
                one.terminate()
            for one in self._started.values():
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
