"""All that a page can do with trainings. It knows nothing of processes and files; those are in `work` and `store`."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from uuid import uuid4

from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint, contents, load
from lmviz.train import drafts, export, time_travel
from lmviz.train.export import Files
from lmviz.train.initial import check_same_sizes, config_of
from lmviz.train.limits import Limits, limits_set
from lmviz.train.memory import check_memory
from lmviz.train.opened import OpenedStep, open_step
from lmviz.train.recipe import Recipe, tables_of
from lmviz.train.store import run_table
from lmviz.train.store.database import Database
from lmviz.train.store.files import WATCHED, DiskFull, sentences, write_listed
from lmviz.train.store.run_table import Event, TrainingRun, Unreadable
from lmviz.train.store.series import Points, Series, damaged, metrics_of, read_series
from lmviz.train.store.space import CHECKPOINTS, check_space, checkpoints_of, free_space, kept
from lmviz.train.time_travel import BeforeStep
from lmviz.train.work.prepared import read_run_recipe, recipe_file
from lmviz.train.work.trainer_pool import TrainerPool

log = logging.getLogger(__name__)
FOLDER = "LMVIZ_RUNS"  # the environment variable that names the folder of all runs
START = "start"  # the folder, in a run's own, of the model that it starts from
LONGEST_NAME = 80
_GONE = ".gone-"  # put before the name of a folder that is being removed


@dataclass(frozen=True)
class Stop:
    """A step that time travel can go to."""

    step: int
    n_bytes: int
    is_kept: bool  # pinned, best or last: never thinned
    is_pinned: bool
    is_best: bool


@dataclass(frozen=True)
class Sample:
    """A text that the model wrote after a step: the prompt and on."""

    step: int
    prompt: str
    text: str


@dataclass(frozen=True)
class Difference:
    """A setting in which some recipes differ, and what it is in each."""

    name: str  # "training.learning_rate"
    values: tuple[object, ...]


class Runs:
    """The runs of one folder. Safe to use from several threads and from several servers at once.

    Every method that is given a run raises a UserError if there is none of that id, and every method raises one if
    the folder is full, locked by another program, damaged, or not ours to write.
    """

    def __init__(self, folder: str | Path | None = None, limits: Limits | None = None) -> None:
        """Open a folder of runs, or make it; default: the one that LMVIZ_RUNS names, or `runs`."""
        self.folder = Path(folder or os.environ.get(FOLDER) or "runs").expanduser().absolute()
        self.limits = limits or limits_set()
        self._database = Database(self.folder)
        self._trainers = TrainerPool(self._database, self.limits)
        for path in self.folder.glob(f"{_GONE}*"):
            shutil.rmtree(path, ignore_errors=True)

    def warm(self) -> None:
        """Have a trainer ready, so that the next run starts at once. For a page to call whenever it is drawn."""
        self._trainers.ensure_one()

    def close(self) -> None:
        """End the trainers started here; what they were at is saved, and interrupted. Without it they go on."""
        self._trainers.close()

    # -- a run's life ------------------------------------------------------------------------------------------------

    def start(
        self,
        recipe: Recipe,
        name: str = "",
        start_from: Checkpoint | None = None,
        owner: str = "",
        is_watched: bool = False,
    ) -> str:
        """Put a run into the queue and see to it that a trainer takes it up. Returns its id.

        Args:
            recipe: with its texts in it, not in a file beside it.
            start_from: a model of the same sizes, whose weights and tokenizer the run starts with.
            owner: who starts it, as far as that is known; kept with the run.
            is_watched: whether somebody looks on: then no step is so early that it could not be seen.

        Raises:
            UserError: the sizes cannot be, or need too much memory whatever the texts are. What only the texts can
                tell fails the run instead, with a sentence.
        """
        if recipe.data.file:
            raise UserError(
                "The texts of a run must be in its recipe; they are in the file {file}.", file=recipe.data.file
            )
        recipe = replace(recipe, model=replace(recipe.model, start=START if start_from else ""))
        check_memory(config_of(recipe.model, d_vocab=1), recipe.training, n_windows=1, limit=self.limits.memory)
        if start_from:
            check_same_sizes(recipe.model, start_from)
        run = uuid4().hex[:12]
        name = _good_name(name or recipe.card.title or recipe.model.architecture)
        start = contents(start_from) if start_from else {}
        files = {**recipe_file(tables_of(recipe)), **{f"{START}/{file}": content for file, content in start.items()}}
        if is_watched:
            files[WATCHED] = b""
        with sentences(self.folder):
            with self._database.connected() as db:
                free_space(db, self.folder, run, sum(map(len, files.values())), self.limits.n_bytes)
            try:
                (self.folder / run / CHECKPOINTS).mkdir(parents=True)
                write_listed(self.folder / run, files)
                with self._database.writing() as db:
                    run_table.add_run(db, run, name, _without_texts(recipe), owner)
            except BaseException:
                shutil.rmtree(self.folder / run, ignore_errors=True)
                raise
        self._trainers.ensure_one()
        log.info("run %s queued: %s", run, name)
        return run

    def duplicate(self, run: str, name: str = "", recipe: Recipe | None = None, owner: str = "") -> str:
        """Start another run from the same beginning, with the same recipe or a changed one."""
        found = self.get(run)
        start = self.folder / found.id / START
        start_from = load(start) if start.is_dir() else None
        return self.start(recipe or self.recipe(run), name or found.name, start_from, owner)

    def resume(self, run: str) -> None:
        """Go on from the last checkpoint, to the curve that there would have been."""
        self._queue(run)

    def step(self, run: str, n_steps: int = 1) -> None:
        """Make a few steps and pause. Does not wait for other runs, if there is a trainer free."""
        self._queue(run, n_steps)

    def pause(self, run: str) -> None:
        self._halt(run, "pause")

    def stop(self, run: str) -> None:
        """Like a pause, for good; but nothing is lost, and it can be resumed all the same."""
        self._halt(run, "stop")

    def end(self, run: str) -> None:
        """End the process that trains it at once, whatever it does; the run goes on from its last checkpoint."""
        self._trainers.end(self.get(run).id)

    def seconds_silent(self, run: str) -> float:
        """For how many seconds the process that trains it has not been heard; 0 if there is none."""
        return self._trainers.seconds_silent(run)

    def rename(self, run: str, name: str) -> None:
        with self._database.writing() as db:
            found = run_table.run_of(db, run)
            db.execute("UPDATE runs SET name = ? WHERE id = ?", (_good_name(name), found.id))

    def delete(self, run: str) -> None:
        """Remove a run and all that it wrote. If it trains, its trainer leaves it."""
        with self._database.reading() as db:
            run = run_table.known_id(db, run)
        try:
            self._forget(run)
        except DiskFull:  # its checkpoints go first, and make room for what is to be written
            shutil.rmtree(self.folder / run / CHECKPOINTS, ignore_errors=True)
            self._forget(run)
        with contextlib.suppress(OSError):  # what can't go now goes when the folder is next opened
            gone = (self.folder / run).rename(self.folder / f"{_GONE}{run}")
            shutil.rmtree(gone, ignore_errors=True)

    def _forget(self, run: str) -> None:
        with self._database.writing() as db:
            run_table.forget(db, run)

    def pin(self, run: str, step: int, is_pinned: bool = True) -> None:
        """Keep a checkpoint from being thinned, or let it go again."""
        with self._database.writing() as db:
            found = run_table.run_of(db, run)
            db.execute("DELETE FROM pins WHERE run = ? AND step = ?", (found.id, step))
            if is_pinned:
                checkpoints_of(self.folder, found.id).check(step)
                db.execute("INSERT INTO pins VALUES (?, ?)", (found.id, step))

    # -- a text that is not trained on yet ---------------------------------------------------------------------------

    def keep_text(self, text: str) -> str:
        """Keep a person's own text for a while; returns the name that `kept_text` knows it by."""
        with sentences(self.folder):
            check_space(self.folder, len(text.encode("utf-8", "replace")), self.limits.n_bytes)
            return drafts.keep(self.folder, text)

    def kept_text(self, name: str) -> str:
        return drafts.kept(self.folder, name)

    # -- what a page reads -------------------------------------------------------------------------------------------

    def all(self) -> tuple[TrainingRun, ...]:
        """Every run as it is now, the newest first; those that cannot be read are left out: see `unreadable`."""
        self._trainers.mark_dead()
        with self._database.reading() as db:
            return run_table.all_runs(db)[0]

    def unreadable(self) -> tuple[Unreadable, ...]:
        """The entries of the list of runs that make no sense. They can be deleted, and nothing else."""
        with self._database.reading() as db:
            return run_table.all_runs(db)[1]

    def get(self, run: str) -> TrainingRun:
        with self._database.reading() as db:
            return run_table.run_of(db, run)

    def recipe(self, run: str) -> Recipe:
        """The recipe with its texts."""
        return read_run_recipe(self.folder / self.get(run).id)

    def metrics(self, run: str) -> tuple[str, ...]:
        """What was measured: loss, held_out_loss (or measured_loss, on texts trained on, where none are held out),
        accuracy on the same texts (the share of tokens that the model finds likeliest), grad_norm, learning_rate,
        tokens_per_second; and by group of weights update_ratio/… and grad_norm/…"""
        with self._reading(run) as db:
            return metrics_of(db, run)

    def series(
        self, run: str, metric: str, n_points: int = 600, steps: tuple[int, int] | None = None, after: int | None = None
    ) -> Series:
        """One metric over the steps, as at most `n_points` measured points that keep every peak.

        Args:
            steps: from the first to the last, both included; default: all.
            after: only what came after this step, for a page that has the rest. A run whose `segment` has changed
                since has gone back a little, and is to be read anew.
        """
        with self._reading(run) as db:
            return read_series(db, run, metric, n_points, (after + 1, 2**62) if after is not None else steps)

    def curves(self, run: str) -> dict[str, Points]:
        """All that was measured, every step of it, by metric."""
        with self._reading(run) as db:
            found = {metric: read_series(db, run, metric, 2**31) for metric in metrics_of(db, run)}
        return {
            metric: list(zip(one.steps.tolist(), one.numbers.tolist(), strict=True)) for metric, one in found.items()
        }

    def samples(self, run: str, after: int = -1) -> tuple[Sample, ...]:
        """What the model wrote while it learned, the oldest first."""
        with self._reading(run) as db:
            found = db.execute(
                "SELECT step, prompt, text FROM samples WHERE run = ? AND step > ? ORDER BY step, place", (run, after)
            )
            return tuple(Sample(*row) for row in found)

    def events(self, run: str) -> tuple[Event, ...]:
        with self._reading(run) as db:
            return run_table.events_of(db, run)

    def damaged(self, run: str) -> dict[str, int]:
        """The metrics of which the disk has damaged some numbers, and how many stretches of them are left out."""
        with self._reading(run) as db:
            return damaged(db, run)

    # -- time travel -------------------------------------------------------------------------------------------------

    def stops(self, run: str) -> tuple[Stop, ...]:
        """The steps whose checkpoints there are."""
        with self._reading(run) as db:
            checkpoints, best = checkpoints_of(self.folder, run), run_table.run_of(db, run).best_step
            safe, pins = kept(db, checkpoints, run), run_table.pins_of(db, run)
        return tuple(
            Stop(one.step, one.n_bytes, one.step in safe, one.step in pins, one.step == best)
            for one in checkpoints.saved()
        )

    def ends(self, run: str) -> tuple[int, int]:
        """The steps of the first and of the last checkpoint; a UserError if there is none yet."""
        steps = [stop.step for stop in self.stops(run)]
        if not steps:
            raise UserError("This training has no checkpoint yet, so there is no model of it to be had.")
        return steps[0], steps[-1]

    def model_at(self, run: str, step: int, is_rounded: bool = True) -> Checkpoint:
        """The model as it was after a step for which there is a checkpoint, ready to run.

        Args:
            is_rounded: as it is used, if its training was quantisation-aware; else with the weights behind the
                rounding.
        """
        found = self.get(run)
        d_vocab = found.facts.get("d_vocab", 1)
        return time_travel.model_at(self.folder, run, step, found.recipe, d_vocab, found.name, is_rounded)

    def before_step(self, run: str, step: int) -> BeforeStep:
        """Model, optimiser and batch just before a step is made, bad or good: what a recording of it needs."""
        found = self.get(run)
        if found.state == run_table.FAILED and found.details.get("step") == step:
            return time_travel.before_bad_step(self.folder, run, found.facts["d_vocab"])
        return time_travel.before_step(self.folder, run, step, found.facts.get("d_vocab", 1))

    def open_step(self, run: str, step: int) -> OpenedStep:
        """One step with all its numbers. Works for a step after a checkpoint, and for the one that a run failed at."""
        before = self.before_step(run, step)
        return open_step(before.model, before.tensors, before.batch, self.get(run).recipe.training, step)

    def export(self, run: str, step: int, folder: str | Path | None = None) -> Path:
        """Write the model of a step as an ordinary folder; default: below `exports` in the folder of all runs, where
        the limit of that folder holds."""
        checkpoint, files = self._exported(run, step)
        if folder is not None:
            with sentences(Path(folder)):
                return export.write_folder(files, Path(folder))
        folder = self.folder / "exports" / f"{export.folder_name(checkpoint.card.title, step)}-{run}"
        with sentences(self.folder):
            check_space(self.folder, sum(map(len, files.values())), self.limits.n_bytes)
            return export.write_folder(files, folder)

    def zipped(self, run: str, step: int) -> bytes:
        """The same as the bytes of a zip file."""
        checkpoint, files = self._exported(run, step)
        return export.zipped(files, export.folder_name(checkpoint.card.title, step))

    def _exported(self, run: str, step: int) -> tuple[Checkpoint, Files]:
        checkpoint, corpus = self.model_at(run, step), time_travel.corpus_of(self.folder, run)
        with sentences(self.folder):
            return checkpoint, export.exported(checkpoint, step, *corpus, self.folder / run)

    # ----------------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self, run: str) -> Iterator[sqlite3.Connection]:
        with self._database.reading() as db:
            run_table.known_id(db, run)
            yield db

    def _queue(self, run: str, n_steps: int | None = None) -> None:
        with self._database.writing() as db:
            found = run_table.run_of(db, run)
            run_table.queue(db, found, None if n_steps is None else found.step + n_steps)
        self._trainers.ensure_one()

    def _halt(self, run: str, wanted: str) -> None:
        with self._database.writing() as db:
            run_table.halt(db, run_table.run_of(db, run), wanted)


def differences(recipes: Sequence[Recipe]) -> tuple[Difference, ...]:
    """The settings in which recipes differ, texts and cards aside: what a table beside two curves shows."""
    found = []
    for section in ("data", "tokenizer", "model", "training", "quantisation"):
        for field in fields(getattr(recipes[0], section)) if recipes else ():
            values = tuple(getattr(getattr(recipe, section), field.name) for recipe in recipes)
            if field.name != "texts" and len(set(values)) > 1:
                found.append(Difference(f"{section}.{field.name}", values))
    return tuple(found)


def _good_name(name: str) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise UserError(
            "The name of a run must have 1 to {limit} characters; got {length}.", limit=LONGEST_NAME, length=len(name)
        )
    return name


def _without_texts(recipe: Recipe) -> dict[str, object]:
    """For the list of runs, which is read often: a file name stands for the texts, which may be long."""
    tables = tables_of(recipe)
    return {**tables, "data": {**tables["data"], "texts": [], "file": "texts"}}
