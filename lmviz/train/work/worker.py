"""What a trainer does between two runs: stays warm, asks for work, and goes when nobody needs it."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import torch

from lmviz.train.data import batches, windows
from lmviz.train.initial import new_model
from lmviz.train.limits import Limits
from lmviz.train.loop import train
from lmviz.train.recipe import ModelRecipe, TrainingRecipe
from lmviz.train.store.database import Database, transaction
from lmviz.train.store.liveness import SilenceClock, hold, lock_of, log_of, start_heartbeat
from lmviz.train.store.run_table import claim
from lmviz.train.work.trainer import train_run
from lmviz.train.work.trainer_pool import mark_dead

NICENESS = 10  # of 19: whatever a page does comes first
LOOK_EVERY = 0.02  # seconds, for new work
LOOK_SECONDS = 1.0  # seconds


def work(root: Path, worker: str, limits: Limits) -> None:
    """Take runs from the queue until there are none and the app that started this process is gone, or long silent."""
    quitting = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: quitting.set())  # a run under way is saved first
    torch.set_num_threads(1)  # quicker for models this small; one core stays free; and the same sums on every machine
    alone = _alone()
    with hold(lock_of(root, worker)):
        start_heartbeat(lock_of(root, worker))
        _warm_up()
        if hasattr(os, "nice"):
            os.nice(NICENESS)
        db = Database(root).connect()
        with transaction(db):
            db.execute("INSERT INTO workers (id, pid) VALUES (?, ?)", (worker, os.getpid()))
        try:
            while (run := _next_run(db, root, worker, limits, alone, quitting)) is not None:
                train_run(db, root, run, worker, limits, quitting.is_set)
                gc.collect()
        finally:
            with contextlib.suppress(sqlite3.Error), transaction(db):
                db.execute("DELETE FROM workers WHERE id = ?", (worker,))
    lock_of(root, worker).unlink(missing_ok=True)
    if log_of(root, worker).is_file() and not log_of(root, worker).stat().st_size:
        log_of(root, worker).unlink()


def _alone() -> threading.Event:
    """Set when the app that started this process is gone, however it went: its end of our standard input closes."""
    alone = threading.Event()

    def listen() -> None:
        while os.read(0, 1):
            pass
        alone.set()

    threading.Thread(target=listen, daemon=True).start()
    return alone


def _next_run(
    db: sqlite3.Connection,
    root: Path,
    worker: str,
    limits: Limits,
    alone: threading.Event,
    quitting: threading.Event,
) -> str | None:
    """Wait for a run; None when it is time to go."""
    idle_since, looked, seen, silence = time.monotonic(), 0.0, None, SilenceClock(root)
    while not quitting.is_set():
        now = time.monotonic()
        changed = db.execute("PRAGMA data_version").fetchone()[0]
        if changed != seen or now - looked > LOOK_SECONDS:
            seen, looked = changed, now
            mark_dead(db, root, silence)
            if run := _claim(db, worker, limits.at_once):
                return run
            if alone.is_set() or now - idle_since > 60 * limits.idle_minutes:
                return None
        quitting.wait(LOOK_EVERY)
    return None


def _claim(db: sqlite3.Connection, worker: str, at_once: int) -> str | None:
    if db.execute("SELECT 1 FROM runs WHERE state = 'queued'").fetchone() is None:
        return None  # nobody else has to wait while we look
    with transaction(db):
        return claim(db, worker, at_once)


def _warm_up() -> None:
    """One step of a tiny training, so that what torch does on first use is done before somebody waits for it."""
    tiny = new_model(ModelRecipe("gpt2", n_ctx=4, n_layers=1, d_model=4, n_heads=1, d_mlp=4, dropout=0.1), 4, seed=0)
    shown = windows([[0, 1, 2, 3]], n_ctx=4)
    list(train(tiny, batches(shown, 0, 0), TrainingRecipe(steps=1, learning_rate=0.1), shown, look_every=1))
    gc.collect()
    gc.freeze()  # what is here now will stay: collections need not look at it again
