"""The bytes that all runs of a folder may take together, and who gives way when they are used up."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path

from lmviz.errors import UserError
from lmviz.train.store.checkpoints import Checkpoints, bytes_in, crowded
from lmviz.train.store.database import transaction
from lmviz.train.store.run_table import note, pins_of

CHECKPOINTS = "checkpoints"


def checkpoints_of(root: Path, run: str) -> Checkpoints:
    return Checkpoints(root / run / CHECKPOINTS)


def check_space(root: Path, n_bytes: int, limit: int) -> None:
    """A UserError if so many bytes more would be above the limit. Nothing gives way."""
    if bytes_in(root) + n_bytes > limit:
        raise _full(limit)


def free_space(
    db: sqlite3.Connection, root: Path, run: str, n_bytes: int, limit: int, stay: Collection[int] = ()
) -> None:
    """Drop checkpoints until `n_bytes` more fit below the limit, and tell every run that loses some.

    This run's go first, then those of its owner's other runs, then those of others', the oldest run first. A run's
    last, best and pinned checkpoints stay, and of this run those in `stay`.

    Raises:
        UserError: they would not fit all the same.
    """
    missing = bytes_in(root) + n_bytes - limit
    if missing <= 0:
        return
    for owner in (run, *_others(db, run)):
        checkpoints = checkpoints_of(root, owner)
        saved = {one.step: one.n_bytes for one in checkpoints.saved()}
        safe = {*kept(db, checkpoints, owner), *(stay if owner == run else ())}
        if dropped := crowded(checkpoints.saved(), safe, missing):
            with transaction(db):  # first the word, then the deed
                _report_dropped(db, owner, run, dropped)
            checkpoints.drop(dropped)
            missing -= sum(saved[step] for step in dropped)
        if missing <= 0:
            return
    raise _full(limit)


def kept(db: sqlite3.Connection, checkpoints: Checkpoints, run: str) -> Collection[int]:
    """The steps of a run whose checkpoints stay: the last, the best and those that are pinned."""
    row = db.execute("SELECT best_step FROM runs WHERE id = ?", (run,)).fetchone()
    last = [saved.step for saved in checkpoints.saved()][-1:]
    return {*last, *pins_of(db, run), *([row["best_step"]] if row and row["best_step"] is not None else ())}


def _others(db: sqlite3.Connection, run: str) -> list[str]:
    rows = db.execute(
        "SELECT id FROM runs WHERE id != :run "
        "ORDER BY owner != coalesce((SELECT owner FROM runs WHERE id = :run), ''), created",
        {"run": run},
    )
    return [row["id"] for row in rows.fetchall()]


def _report_dropped(db: sqlite3.Connection, owner: str, run: str, dropped: list[int]) -> None:
    row = db.execute("SELECT name FROM runs WHERE id = ?", (run,)).fetchone()
    steps = ", ".join(map(str, sorted(dropped)))
    if owner == run or row is None:
        why = UserError(
            "To make room for newer checkpoints, those of these steps were dropped: {steps}. The last, the best and "
            "the pinned ones stayed.",
            steps=steps,
        )
    else:
        why = UserError(
            "To make room for the run {name}, the checkpoints of these steps were dropped: {steps}. The last, the best "
            "and the pinned ones stayed.",
            name=row["name"],
            steps=steps,
        )
    step = db.execute("SELECT step FROM runs WHERE id = ?", (owner,)).fetchone()
    note(db, owner, step["step"] if step else 0, "thinned", why)


def _full(limit: int) -> UserError:
    return UserError(
        "The runs may take {limit} bytes and have taken all of it, with nothing left to thin: delete runs or pins.",
        limit=limit,
    )
