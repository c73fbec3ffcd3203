"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lmviz.errors import UserError

UNFINISHED = ".unfinished"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a power cut, finds all of the old one or all of the new one."""
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with open(unfinished, "wb") as file:
            put(file.fileno(), content)
            os.fsync(file.fileno())
        unfinished.replace(path)
        _sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def put(descriptor: int, content: bytes) -> None:
    """All writing of files passes here."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    write_whole(path, save(dict(tensors), metadata=dict(facts)))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, in memory of their own, and its facts; a UserError if it isn't a whole file."""
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118 - not a dict
            return tensors, dict(stored.metadata() or {})
    except FileNotFoundError:
        raise UserError("There is no file {file} in {folder}.", file=path.name, folder=path.parent) from None
    except (SafetensorError, OSError) as error:
        raise UserError(
            "{file} must be a whole safetensors file; it is not: {reason}.", file=path.name, reason=error
        ) from None


@contextlib.contextmanager
def sentences(folder: Path) -> Iterator[None]:
    """What goes wrong on a disk or in the database, said in a sentence: full, locked, not ours to write, damaged."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise  # our own mistakes
    except (OSError, sqlite3.DatabaseError) as error:
        raise _sentence(error, folder) from error


def _sentence(error: OSError | sqlite3.DatabaseError, folder: Path) -> UserError:
    number = error.errno if isinstance(error, OSError) else None
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    if number in (ENOSPC, EDQUOT) or code == sqlite3.SQLITE_FULL:
        return UserError(
            "There is no room left on the disk of {folder}: delete runs, or free some space.", folder=folder
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return UserError("The runs in {folder} are locked by another program: try again in a moment.", folder=folder)
    if number in (EACCES, EPERM, EROFS) or code in (
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
    ):
        return UserError(
            "{folder} must be a folder that lmviz may write to; it is not: give it the right, or name another folder "
            "with LMVIZ_RUNS.",
            folder=folder,
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return UserError(
            "The list of runs in {folder} is damaged ({reason}): move that folder away to start with a new one.",
            folder=folder,
            reason=error,
        )
    return UserError("The runs in {folder} cannot be read or written: {reason}.", folder=folder, reason=error)


def _sync_folder(folder: Path) -> None:
    """Make the new name last too. Not every system can open a folder; where it can't, the name is safe enough."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
