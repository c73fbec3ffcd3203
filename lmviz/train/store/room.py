"""The bytes that all runs of a folder may take together, and who gives way when they are used up."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path

from lmviz.errors import UserError
from lmviz.train.store.run_table import pins_of
from lmviz.train.store.shelf import Shelf, bytes_in, crowded

CHECKPOINTS = "checkpoints"


def shelf_of(root: Path, run: str) -> Shelf:
    return Shelf(root / run / CHECKPOINTS)


def make_room(
    db: sqlite3.Connection, root: Path, run: str, n_bytes: int, limit: int, stay: Collection[int] = ()
) -> tuple[int, ...]:
    """Drop checkpoints until `n_bytes` more fit below the limit: first this run's, then those of the oldest run.

    A run's last, best and pinned checkpoints stay, and of this run those in `stay`. Returns the steps that it lost.

    Raises:
        UserError: they would not fit all the same.
    """
    missing = bytes_in(root) + n_bytes - limit
    lost: tuple[int, ...] = ()
    others = db.execute("SELECT id FROM runs WHERE id != ? ORDER BY created", (run,)).fetchall()
    for owner in (run, *(row["id"] for row in others)):
        if missing <= 0:
            return lost
        shelf = shelf_of(root, owner)
        saved = {one.step: one.n_bytes for one in shelf.saved()}
        safe = {*kept(db, shelf, owner), *(stay if owner == run else ())}
        dropped = crowded(shelf.saved(), safe, missing)
        shelf.drop(dropped)
        missing -= sum(saved[step] for step in dropped)
        lost = tuple(dropped) if owner == run else lost
    if missing > 0:
        raise UserError(
            "The runs may take {limit} bytes and have taken all of it, with nothing left to thin: delete runs or pins.",
            limit=limit,
        )
    return lost


def kept(db: sqlite3.Connection, shelf: Shelf, run: str) -> Collection[int]:
    """The steps of a run whose checkpoints stay: the last, the best and those that are pinned."""
    row = db.execute("SELECT best_step FROM runs WHERE id = ?", (run,)).fetchone()
    last = [saved.step for saved in shelf.saved()][-1:]
    return {*last, *pins_of(db, run), *([row["best_step"]] if row and row["best_step"] is not None else ())}
