"""The runs and their queue: what a page reads of them, and how they pass from one state to another."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lmviz.errors import UserError, plain_details, retold
from lmviz.faults import of_content
from lmviz.train.recipe import Recipe, stored_recipe

QUEUED, RUNNING, PAUSED, DONE = "queued", "running", "paused", "done"
STOPPED, INTERRUPTED, FAILED = "stopped", "interrupted", "failed"
_RESUMABLE = (PAUSED, STOPPED, INTERRUPTED, FAILED)
_ACTIVE = (QUEUED, RUNNING)
STATES = (*_ACTIVE, *_RESUMABLE, DONE)
_RECIPES_KEPT = 4096  # that were read from their text; more runs than this are read a little more slowly


ID = re.compile(r"[0-9a-z-]{1,40}")  # of a run, which is also the name of its folder
NUMBER, MAYBE_NUMBER, MAYBE_TEXT = (int, float), (int, float, type(None)), (str, type(None))
_TYPES: Mapping[str, type | tuple[type, ...]] = {  # of the columns that a run is read from as they are
    "id": str,
    "name": str,
    "created": NUMBER,
    "state": str,
    "wanted": MAYBE_TEXT,
    "segment": int,
    "step": int,
    "seconds": NUMBER,
    "pace": MAYBE_NUMBER,
    "loss": MAYBE_NUMBER,
    "best_step": (int, type(None)),
    "best_loss": MAYBE_NUMBER,
    "sentence": MAYBE_TEXT,
    "owner": str,
}


class RunGone(Exception):
    """The run was deleted, or given to another trainer: leave it alone."""


@dataclass(frozen=True)
class TrainingRun:
    """One run as the store knows it at one moment."""

    id: str
    name: str
    created: float  # seconds since 1970
    state: str  # queued, running, paused, done, stopped (by its owner), interrupted (its trainer died), failed
    queue_place: int  # 1: next; 0: not in the queue
    wanted: str | None  # "pause" or "stop", while its trainer has not yet done so
    recipe: Recipe  # without its texts: see Runs.recipe
    facts: Mapping[str, Any]  # what was counted before the first step: n_parameters, d_vocab, baselines, ...
    segment: int  # when this changes, steps that were not saved have been forgotten: read the series anew
    step: int
    seconds: float  # spent training
    pace: float | None  # steps per second, of late
    loss: float | None  # nats per target, of the last step
    best_step: int | None
    best_loss: float | None  # nats per target: on texts held out, or, where there are none, on those trained on
    sentence: str | None  # why it failed: a UserError's sentence
    details: Mapping[str, Any]
    owner: str = ""  # the browser that started it, as far as that is known

    @property
    def steps(self) -> int:
        return self.recipe.training.steps

    @property
    def is_active(self) -> bool:
        """Whether it trains, or waits for its turn."""
        return self.state in _ACTIVE

    @property
    def seconds_left(self) -> float | None:
        return (self.steps - self.step) / self.pace if self.pace and self.state == RUNNING else None

    @property
    def why(self) -> UserError | None:
        return retold(self.sentence, self.details) if self.sentence else None

    @property
    def failure(self) -> str | None:
        return str(self.why) if self.why else None


@dataclass(frozen=True)
class Unreadable:
    """An entry of the list of runs that makes no sense; the others are not the worse for it."""

    id: str
    why: UserError


@dataclass(frozen=True)
class Event:
    """Something that happened to a run."""

    at: float  # seconds since 1970
    step: int
    kind: str  # the state that it came into; "thinned": checkpoints gave way to others; "damaged": one was passed over
    sentence: str | None
    details: Mapping[str, Any]

    @property
    def why(self) -> UserError | None:
        return retold(self.sentence, self.details) if self.sentence else None


def add_run(db: sqlite3.Connection, run: str, name: str, recipe: Mapping[str, Any], owner: str = "") -> None:
    now = time.time()
    db.execute(
        "INSERT INTO runs (id, name, created, recipe, state, queued, owner) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (run, name, now, json.dumps(recipe), QUEUED, now, owner),
    )
    note(db, run, 0, QUEUED)


def all_runs(db: sqlite3.Connection) -> tuple[tuple[TrainingRun, ...], tuple[Unreadable, ...]]:
    """The newest first; and what could not be read. Every entry is read by itself, so that none can hide another."""
    runs, unreadable = [], []
    places = {run: place for place, run in enumerate(_queue(db), start=1)}
    for (number,) in db.execute("SELECT rowid FROM runs ORDER BY created DESC, rowid DESC").fetchall():
        try:
            row = db.execute("SELECT * FROM runs WHERE rowid = ?", (number,)).fetchone()
            runs.append(_run(row, places.get(row["id"], 0)))
        except UserError as error:
            unreadable.append(Unreadable(_id_at(db, number), error))
        except sqlite3.DatabaseError as error:  # the page of the file that it lies on is damaged
            run = _id_at(db, number)
            why = UserError("The entry of the run {run} cannot be read: {reason}.", run=run, reason=of_content(error))
            unreadable.append(Unreadable(run, why))
    return tuple(runs), tuple(unreadable)


def run_of(db: sqlite3.Connection, run: str) -> TrainingRun:
    row = db.execute("SELECT * FROM runs WHERE id = ?", (known_id(db, run),)).fetchone()
    waiting = _queue(db) if row["state"] == QUEUED else []
    return _run(row, waiting.index(run) + 1 if run in waiting else 0)


def known_id(db: sqlite3.Connection, run: str) -> str:
    """The id of a run of which there may be nothing else that can be read."""
    if not ID.fullmatch(run) or db.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
        raise UserError("There is no run {run}: it may have been deleted.", run=run)
    return run


def _queue(db: sqlite3.Connection) -> list[str]:
    """The runs that wait, the next one first."""
    rows = db.execute("SELECT id FROM runs WHERE state = 'queued' ORDER BY until IS NULL, queued")
    return [row["id"] for row in rows]


def _id_at(db: sqlite3.Connection, number: int) -> str:
    try:
        return str(db.execute("SELECT id FROM runs WHERE rowid = ?", (number,)).fetchone()[0])
    except sqlite3.DatabaseError:
        return f"№ {number}"


def queue(db: sqlite3.Connection, run: TrainingRun, until: int | None = None) -> None:
    """Let the next free trainer take it up, to its end or until a step."""
    if run.state == RUNNING:
        db.execute("UPDATE runs SET wanted = NULL, until = ? WHERE id = ?", (until, run.id))
        return
    if run.state not in (*_RESUMABLE, QUEUED):
        raise UserError(
            "{name} has made all its {steps} steps: duplicate it with more.", name=run.name, steps=run.steps
        )
    db.execute(
        "UPDATE runs SET state = ?, queued = coalesce(CASE state WHEN 'queued' THEN queued END, ?), until = ?, "
        "wanted = NULL, sentence = NULL, details = NULL WHERE id = ?",
        (QUEUED, time.time(), until, run.id),
    )
    note(db, run.id, run.step, QUEUED)


def halt(db: sqlite3.Connection, run: TrainingRun, wanted: str) -> None:
    """Have it paused or stopped: by its trainer, at the end of its step, or here if it has none."""
    if run.state == RUNNING:
        db.execute("UPDATE runs SET wanted = ? WHERE id = ?", (wanted, run.id))
    elif run.state in (*_RESUMABLE, QUEUED):
        state = {"pause": PAUSED, "stop": STOPPED}[wanted]
        if run.state == QUEUED or (wanted == "stop" and run.state != FAILED):
            db.execute("UPDATE runs SET state = ?, queued = NULL, until = NULL WHERE id = ?", (state, run.id))
            note(db, run.id, run.step, state)


def claim(db: sqlite3.Connection, worker: str, at_once: int) -> str | None:
    """Give a trainer the next run of the queue, if one may start now. Runs of a few steps don't wait for the others."""
    busy = db.execute("SELECT count(*) FROM runs WHERE state = 'running' AND until IS NULL").fetchone()[0]
    waiting = (
        "SELECT id, step FROM runs WHERE state = 'queued' AND (until IS NOT NULL OR ?) ORDER BY until IS NULL, queued"
    )
    row = db.execute(f"{waiting} LIMIT 1", (busy < at_once,)).fetchone()
    if row is None:
        return None
    db.execute(
        "UPDATE runs SET state = ?, worker = ?, wanted = NULL, queued = NULL, segment = segment + 1 WHERE id = ?",
        (RUNNING, worker, row["id"]),
    )
    db.execute("UPDATE workers SET run = ? WHERE id = ?", (row["id"], worker))
    note(db, row["id"], row["step"], RUNNING)
    return str(row["id"])


def report(db: sqlite3.Connection, run: str, worker: str, progress: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Write how far a run has come; returns what its owner wants of it, and until which step it goes."""
    columns = ", ".join(f"{name} = :{name}" for name in progress)
    row = db.execute(
        f"UPDATE runs SET {columns} WHERE id = :run AND worker = :worker AND state = 'running' RETURNING wanted, until",
        {**progress, "run": run, "worker": worker},
    ).fetchone()
    if row is None:
        raise RunGone(run)
    return row["wanted"], row["until"]


def release(db: sqlite3.Connection, run: str, worker: str, state: str, why: UserError | None = None) -> None:
    """A trainer lets go of a run."""
    sentence, details = (why.sentence, json.dumps(plain_details(why))) if why else (None, None)
    row = db.execute(
        "UPDATE runs SET state = ?, worker = NULL, wanted = NULL, until = NULL, pace = NULL, sentence = ?, details = ? "
        "WHERE id = ? AND worker = ? AND state = 'running' RETURNING step",
        (state, sentence, details, run, worker),
    ).fetchone()
    db.execute("UPDATE workers SET run = NULL WHERE id = ?", (worker,))
    if row is not None:
        note(db, run, row["step"], state, why)


def interrupt(db: sqlite3.Connection, dead: Mapping[str, UserError | None]) -> None:
    """Forget trainers that died, and mark what they were at as interrupted, with the reason if it is known."""
    for worker, why in dead.items():
        for row in db.execute("SELECT id FROM runs WHERE worker = ? AND state = 'running'", (worker,)).fetchall():
            release(db, row["id"], worker, INTERRUPTED, why)
        db.execute("DELETE FROM workers WHERE id = ?", (worker,))


def forget(db: sqlite3.Connection, run: str) -> None:
    """Remove every trace of a run."""
    for table in ("chunks", "samples", "events", "pins"):
        db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
    db.execute("DELETE FROM runs WHERE id = ?", (run,))


def note(db: sqlite3.Connection, run: str, step: int, kind: str, why: UserError | None = None) -> None:
    sentence, details = (why.sentence, json.dumps(plain_details(why))) if why else (None, None)
    db.execute(
        "INSERT INTO events (run, at, step, kind, sentence, details) VALUES (?, ?, ?, ?, ?, ?)",
        (run, time.time(), step, kind, sentence, details),
    )


def events_of(db: sqlite3.Connection, run: str) -> tuple[Event, ...]:
    rows = db.execute("SELECT * FROM events WHERE run = ? ORDER BY id", (run,))
    return tuple(
        Event(row["at"], row["step"], row["kind"], row["sentence"], json.loads(row["details"] or "{}")) for row in rows
    )


def pins_of(db: sqlite3.Connection, run: str) -> tuple[int, ...]:
    return tuple(row["step"] for row in db.execute("SELECT step FROM pins WHERE run = ? ORDER BY step", (run,)))


def _run(row: sqlite3.Row, queue_place: int) -> TrainingRun:
    """A row as a run; a UserError says what of it is not as it was written."""
    try:
        found = TrainingRun(
            queue_place=queue_place,
            recipe=_recipe(row["recipe"]),
            facts=_object(row["facts"]),
            details=_object(row["details"] or "{}"),
            **{name: row[name] for name in _TYPES},
        )
        _ = found.failure  # a sentence whose details are damaged is none
    except UserError:
        raise
    except (ValueError, TypeError, RecursionError, LookupError, AttributeError) as error:
        raise UserError(
            "The entry of the run {run} cannot be read: {reason}.", run=row["id"], reason=of_content(error)
        ) from None
    for name, types in _TYPES.items():
        if not isinstance(row[name], types):
            raise UserError(
                "The entry of the run {run} cannot be read: its {name} is damaged.", run=row["id"], name=name
            )
    if found.state not in STATES or not ID.fullmatch(found.id):
        raise UserError("The entry of the run {run} cannot be read: its {name} is damaged.", run=found.id, name="state")
    return found


def _object(written: str) -> dict[str, Any]:
    found = json.loads(written)
    if not isinstance(found, dict):
        raise ValueError(written[:40])
    return found


@lru_cache(_RECIPES_KEPT)
def _recipe(written: str) -> Recipe:
    return stored_recipe(_object(written))
