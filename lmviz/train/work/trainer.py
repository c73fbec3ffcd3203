"""One run, trained in this process: from its recipe or its last checkpoint to its end, or to what its owner wants."""

from __future__ import annotations

import json
import math
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from lmviz.errors import UserError
from lmviz.train.data import batches_of
from lmviz.train.gradient import Diverged
from lmviz.train.limits import Limits
from lmviz.train.loop import loss_and_accuracy, train
from lmviz.train.recipe import Recipe
from lmviz.train.sampling import samples
from lmviz.train.state import tensors_of
from lmviz.train.store.checkpoints import is_milestone, next_milestone
from lmviz.train.store.database import transaction
from lmviz.train.store.files import WATCHED, sentences
from lmviz.train.store.run_table import DONE, FAILED, INTERRUPTED, PAUSED, STOPPED, RunGone, release
from lmviz.train.store.series import read_series
from lmviz.train.store.space import checkpoints_of
from lmviz.train.trackers import Tracker, asked_for, opened
from lmviz.train.work.checkpoint_writer import Best, CheckpointWriter
from lmviz.train.work.measurements import Measurements
from lmviz.train.work.prepared import prepare

_ACCURACY = "accuracy"  # on the texts that the loss is measured on
_DOUBLING = 0.5  # seconds at least from step n to step 2n of a run that is watched
LOOK_EVERY = 20  # steps, between looks at how far every group of weights moves


def train_run(
    db: sqlite3.Connection,
    root: Path,
    run: str,
    worker: str,
    limits: Limits,
    must_quit: Callable[[], bool] = lambda: False,
) -> None:
    """Train a run that this worker has claimed, and let go of it in the state that it comes to.

    What goes wrong with the run is told in the store. What goes wrong with the store itself is raised.
    """
    state, why = FAILED, None
    try:
        with sentences(root):
            state = Trainer(db, root, run, worker, limits).go(must_quit)
    except RunGone:
        return
    except UserError as error:
        why = error
    except Exception as error:  # torch has no memory left, or we made a mistake: told here, and in the trainer's log
        traceback.print_exc()
        why = UserError("The training failed: {reason:code}.", reason=repr(error))
    with sentences(root), transaction(db):
        release(db, run, worker, state, why)


def seen_after(step: int) -> float:
    """Seconds after which a step of a run is made at the earliest, if somebody looks on.

    The loss falls in the first steps, which a small model makes in a blink. So some time goes by each time their number
    doubles; hundreds of steps take a few seconds more than they need, and a step of a larger model takes longer anyway.
    """
    return _DOUBLING * math.log2(1 + step)


class Trainer:
    """What is kept in mind between two steps, and done beside them."""

    def __init__(self, db: sqlite3.Connection, root: Path, run: str, worker: str, limits: Limits) -> None:
        row = db.execute("SELECT * FROM runs WHERE id = ? AND worker = ?", (run, worker)).fetchone()
        if row is None:
            raise RunGone(run)
        self.limits = limits
        self.until: int | None = row["until"]
        self.wanted: str | None = None
        self.spent: float = row["seconds"]  # on training, before now
        self.began = time.monotonic()
        self.checkpoints = checkpoints_of(root, run)
        self.made = prepare(root / run, self.checkpoints, row["step"], limits.memory)
        self.steps = self.made.recipe.training.steps
        trackers = _trackers(root / run, row["name"] or run, self.made.recipe)
        self.measurements = Measurements(db, run, worker, self.made.step, trackers)
        self.writer = CheckpointWriter(db, root, run, limits.n_bytes, self._best_so_far(db, run))
        self.saved: int | None = self.made.step or None
        self.is_watched, self.first = (root / run / WATCHED).exists(), self.step

    @property
    def step(self) -> int:
        return self.measurements.step

    def go(self, must_quit: Callable[[], bool]) -> str:
        """Train; returns the state that the run is in afterwards."""
        self.measurements.begin(self.made.damage)
        self._flush(facts=json.dumps(self.made.facts))
        if self.step == 0:
            self._measure_and_save()
            self._save()
        try:
            self._learn(must_quit)
        except Diverged as error:
            self._close()
            state = {**tensors_of(self.made.model, self.made.optimizer), "inputs": error.batch.inputs}
            self.checkpoints.put_bad_step(error.step, {**state, "targets": error.batch.targets})
            raise
        self._close()
        if self.step == self.steps:
            return DONE
        if must_quit():
            return INTERRUPTED
        return STOPPED if self.wanted == "stop" else PAUSED

    def _best_so_far(self, db: sqlite3.Connection, run: str) -> tuple[int, float] | None:
        """From what was measured and not from the table of runs, which hears of it a little later, or never."""
        measured = read_series(db, run, self.made.metric, 2**31, (0, self.made.step))
        there = {saved.step for saved in self.checkpoints.saved()}
        points = zip(measured.steps.tolist(), measured.numbers.tolist(), strict=True)
        known = [(step, loss) for step, loss in points if step in there and math.isfinite(loss)]
        return min(known, key=lambda point: point[1], default=None)

    def _learn(self, must_quit: Callable[[], bool]) -> None:
        """Step after step, until something is due: between two such moments a run is as quick as a bare loop."""
        made, training = self.made, self.made.recipe.training
        if self._is_to_halt():
            return
        stream = batches_of(made.corpus.train, training, done=self.step)
        steps = train(made.model, stream, training, optimizer=made.optimizer, done=self.step, look_every=LOOK_EVERY)
        event, alarm = self._next_event(), self._alarm()
        for snapshot in steps:
            self.measurements.note(snapshot)
            if self.is_watched:
                due = self.began + seen_after(snapshot.step) - seen_after(self.first)
                time.sleep(max(0.0, due - time.monotonic()))
            if snapshot.step >= event or time.monotonic() >= alarm:
                self._look_up_from_work()
                if self._is_to_halt() or must_quit():
                    return
                event, alarm = self._next_event(), self._alarm()

    def _is_to_halt(self) -> bool:
        if self.wanted or (self.until is not None and self.step >= self.until):
            return True
        return time.monotonic() - self.began > 3600 * self.limits.hours

    def _next_event(self) -> int:
        """The step at which there is something to do, whatever the time."""
        every = self.made.measure_every
        return min(next_milestone(self.step), (self.step // every + 1) * every, self.until or self.steps, self.steps)

    def _alarm(self) -> float:
        return min(self.measurements.due, self.writer.due)

    def _is_stop_of_time_travel(self) -> bool:
        return is_milestone(self.step) or self.step == self.steps

    def _look_up_from_work(self) -> None:
        is_stop = self._is_stop_of_time_travel()
        if is_stop or self.step % self.made.measure_every == 0:
            self._measure_and_save()
        now = time.monotonic()
        if is_stop or now >= self.writer.due:
            self._save()
        elif now >= self.measurements.due:
            self._flush()

    def _measure_and_save(self) -> None:
        """Measure the loss; where time travel stops, write samples too."""
        made = self.made
        loss, accuracy = loss_and_accuracy(made.model, made.measured)
        self.measurements.measure(made.metric, loss)
        self.measurements.measure(_ACCURACY, accuracy)
        if self.writer.is_better(loss):
            self.writer.remember(Best(self.step, loss, tensors_of(made.model, made.optimizer)))
        if self._is_stop_of_time_travel():
            seed = made.recipe.training.seed + self.step
            self.measurements.sample(
                made.prompt, samples(made.model, made.corpus.tokenizer, made.recipe, made.prompt, seed)
            )

    def _flush(self, **progress: object) -> bool:
        """Write the numbers, and hear what is wanted. False if the store is locked: then they wait."""
        seconds = self.spent + time.monotonic() - self.began
        orders = self.measurements.flush(seconds=seconds, **self.writer.best, **progress)
        if orders is None:
            return False
        self.wanted, self.until = orders
        return True

    def _save(self) -> None:
        """The numbers first, then a checkpoint that goes on from them: who resumes finds all of them up to there."""
        if self._flush():
            self.writer.save(self.step, tensors_of(self.made.model, self.made.optimizer))
            self.saved = self.step

    def _close(self) -> None:
        while self.saved != self.step:
            self._save()  # again, while the store is locked; the measurements loses patience with it in the end
        self.writer.close()
        self._flush()
        self.measurements.close()
        self.writer.sweep()


def _trackers(folder: Path, name: str, recipe: Recipe) -> list[Tracker]:
    """Those that whoever runs this server has asked for; what is wrong with one stands in the trainer's log."""
    found: list[Tracker] = []
    for kind in asked_for():
        try:
            found += opened([kind], folder, name, recipe)
        except (UserError, OSError) as error:
            print(error, file=sys.stderr)
    return found
