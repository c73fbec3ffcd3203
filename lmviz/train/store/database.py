"""The SQLite file that knows all runs. One writer at a time and any number of readers, none of which waits (WAL).

It says which version of lmviz's tables it holds. Older tables are brought up to date when they are opened; a file of a
newer lmviz, or of another program, is left alone.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lmviz.errors import UserError
from lmviz.train.store.files import sentences
from lmviz.train.store.liveness import is_held, lock_of

FILE = "runs.sqlite"
VERSION = 2
PATIENCE = 5.0  # seconds to wait for another writer

_SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created REAL NOT NULL,           -- seconds since 1970
    recipe TEXT NOT NULL,            -- JSON, without the texts, which are in the run's folder
    facts TEXT NOT NULL DEFAULT '{}',-- JSON: what was counted before the first step
    state TEXT NOT NULL,             -- queued, running, paused, done, stopped, interrupted, failed
    queued REAL,                     -- since when, if it waits
    until INTEGER,                   -- the step after which it pauses by itself
    wanted TEXT,                     -- what its owner wants of a trainer at work: pause, stop
    worker TEXT,                     -- the trainer at work
    segment INTEGER NOT NULL DEFAULT 0,  -- grows whenever a trainer takes it up and drops what was not saved
    step INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, -- spent training
    pace REAL,                       -- steps per second, of late
    loss REAL,                       -- of the last step
    best_step INTEGER,
    best_loss REAL,
    sentence TEXT,                   -- why it failed, and the details of that sentence
    details TEXT,
    owner TEXT NOT NULL DEFAULT ''   -- the browser that started it, as far as that is known
);
CREATE TABLE chunks (                -- up to a thousand numbers of one metric in a row, as arrays of float64 and int64
    run TEXT NOT NULL,
    metric TEXT NOT NULL,
    first_step INTEGER NOT NULL,
    last_step INTEGER NOT NULL,
    steps BLOB NOT NULL,
    numbers BLOB NOT NULL,
    checksum INTEGER,                -- CRC-32 of steps and numbers; NULL in what version 1 wrote
    PRIMARY KEY (run, metric, first_step)
);
CREATE TABLE samples (run TEXT, step INTEGER, place INTEGER, prompt TEXT, text TEXT, PRIMARY KEY (run, step, place));
CREATE TABLE events (id INTEGER PRIMARY KEY, run TEXT, at REAL, step INTEGER, kind TEXT, sentence TEXT, details TEXT);
CREATE INDEX events_of_a_run ON events (run);
CREATE TABLE pins (run TEXT, step INTEGER, PRIMARY KEY (run, step));
CREATE TABLE workers (id TEXT PRIMARY KEY, pid INTEGER NOT NULL, run TEXT);
"""
MIGRATIONS = {  # what makes of a version the next one
    1: """
ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE chunks ADD COLUMN checksum INTEGER;
""",
}


class Database:
    """The file in a folder, made on first use. Safe to share between threads: every use opens it anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._address = f"{(folder / FILE).absolute().as_uri()}?mode=rw"
        with sentences(folder):
            folder.mkdir(parents=True, exist_ok=True)
            version = _make_file(folder)
        if version != VERSION:  # else nothing is written: a trainer that was stopped while it wrote locks nobody out
            with self.writing() as db:
                _make_tables(db, folder)
        self._keep_connected()

    def _keep_connected(self) -> None:
        """A connection that does nothing but keep the files there that SQLite needs beside the database: on a full
        disk they could not be made anew, and nobody could even look."""
        with sentences(self.folder):
            db = sqlite3.connect(self._address, isolation_level=None, uri=True, check_same_thread=False)
            db.execute("SELECT count(*) FROM workers").fetchall()
        weakref.finalize(self, db.close)

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        with sentences(self.folder):
            db = self.connect()
            try:
                yield db
            finally:
                db.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the store, whatever is written meanwhile."""
        with self.connected() as db:
            db.execute("BEGIN")
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: what is written in it is there at its end, all of it or, after an exception, none."""
        with self.connected() as db, transaction(db):
            yield db

    def connect(self) -> sqlite3.Connection:
        """A connection of one's own, for who writes often. Nothing is translated into sentences here."""
        db = sqlite3.connect(self._address, timeout=PATIENCE, isolation_level=None, uri=True)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous = NORMAL")  # in WAL mode safe from all but the loss of the last second
        return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _make_file(folder: Path) -> int:
    """Returns the version of its tables."""
    db = sqlite3.connect(folder / FILE, timeout=PATIENCE, isolation_level=None)
    try:
        version = _version(db, folder)
        if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            db.execute("BEGIN EXCLUSIVE")  # wait for whoever else is making it: the next line would not
            db.execute("COMMIT")
            db.execute("PRAGMA journal_mode = WAL")
        return version
    finally:
        db.close()


def _version(db: sqlite3.Connection, folder: Path) -> int:
    """Of the tables; 0 if there are none. A UserError if they are not ours, or not yet."""
    both = "SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)"
    version, n_tables = (int(number) for number in db.execute(both).fetchone())  # both of one moment
    if version > VERSION:
        raise UserError("These runs were written by a newer lmviz: update this one, or name another folder.")
    if (n_tables == 0) != (version == 0) or version < 0:
        raise UserError(
            "{file} in {folder} must be lmviz's own list of runs; it belongs to another program: name another folder "
            "with LMVIZ_RUNS.",
            file=FILE,
            folder=folder,
        )
    return version


def _make_tables(db: sqlite3.Connection, folder: Path) -> None:
    version = _version(db, folder)
    if version == VERSION:
        return
    if version == 0:
        _execute_all(db, _SCHEMA)
    else:
        _check_idle(db, folder)
        for older in range(version, VERSION):
            _execute_all(db, MIGRATIONS[older])
    db.execute(f"PRAGMA user_version = {VERSION}")


def _execute_all(db: sqlite3.Connection, script: str) -> None:
    """One by one: `executescript` would end the transaction."""
    for statement in script.split(";\n"):
        db.execute(statement)


def _check_idle(db: sqlite3.Connection, folder: Path) -> None:
    """Trainers of an older lmviz would write into tables that are no longer theirs."""
    if any(is_held(lock_of(folder, row["id"])) for row in db.execute("SELECT id FROM workers").fetchall()):
        raise UserError(
            "An older lmviz is training in {folder}: let it come to its end, or end it, before this one takes over.",
            folder=folder,
        )
