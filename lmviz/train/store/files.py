"""Files of a run: whole or not at all, and known by the digest of what was written, so that no damage passes unseen.

A checkpoint carries its digest in its name. The other files of a folder are listed in its SHA256SUMS, which
`sha256sum -c` reads too. Files of a store of the first version have no digest, and are believed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from errno import EACCES, EDQUOT, EFBIG, ENOSPC, EPERM, EROFS
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lmviz.errors import UserError
from lmviz.faults import of_safetensors, of_system
from lmviz.model.files import MEGABYTE, MissingFile, read_bytes, read_text, write_whole

WATCHED = "watched"  # the file in a run's folder that says that somebody looks on
SUMS = "SHA256SUMS"
LARGEST = 2**40  # bytes of a file of our own: the limit is that of the folder
SECONDS = 600  # that a large one may take
NAMED = 16  # hexadecimal digits of a digest that a name carries
_FULL = (ENOSPC, EDQUOT, EFBIG)
_FULL_DISK_BYTES = 2**18  # bytes free on a disk that count as none


class DamagedFile(UserError):
    """A file does not hold what was written into it."""


class DiskFull(UserError):
    """There is no room left on a disk."""


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def tensors_as_bytes(tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> bytes:
    content: bytes = save(dict(tensors), metadata=dict(facts))
    return content


def read_tensors(path: Path, known: str = "") -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, in memory of their own, and its facts.

    Args:
        known: how the digest of its content begins; empty if that is not known.

    Raises:
        DamagedFile: it holds something else, or is no whole file.
    """
    content = read_bytes(path, LARGEST, SECONDS)
    _check(path, content, known)
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return load(content), dict(header.get("__metadata__", {}))
    except (SafetensorError, ValueError, AttributeError, RuntimeError) as error:
        raise DamagedFile(
            "{file} must be a whole safetensors file; it is not: {reason}.",
            file=path.name,
            reason=of_safetensors(error),
        ) from None


def write_listed(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files that are written once. Their digests are listed first: what is there is listed, whenever one looks.

    Args:
        files: what each holds, by its path below the folder.
    """
    known = {**sums_of(folder), **{name: digest(content) for name, content in files.items()}}
    lines = (f"{one}  {name}\n" for name, one in sorted(known.items()))
    write_whole(folder / SUMS, "".join(lines).encode())
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        write_whole(folder / name, content)


def read_listed(folder: Path, name: str, limit: int) -> bytes:
    """What one of those files holds.

    Raises:
        MissingFile: there is none.
        DamagedFile: it is not what was written.
    """
    content = read_bytes(folder / name, limit, SECONDS)
    _check(folder / name, content, sums_of(folder).get(name, ""))
    return content


def check_listed(folder: Path, below: str) -> None:
    """Raises as above for the first of the listed files below a folder's folder that is missing or damaged."""
    for name in sums_of(folder):
        if name.startswith(f"{below}/"):
            read_listed(folder, name, LARGEST)


def sums_of(folder: Path) -> dict[str, str]:
    """The digest of each listed file by its path below the folder."""
    try:
        lines = read_text(folder / SUMS, MEGABYTE).splitlines()
    except MissingFile:
        return {}
    return {name: one for one, _, name in (line.partition("  ") for line in lines)}


def _check(path: Path, content: bytes, known: str) -> None:
    if not digest(content).startswith(known):
        raise DamagedFile(
            "{file} is damaged: the disk gives back something else than was written. Put it back from a copy, or do "
            "without it.",
            file=path.name,
        )


@contextlib.contextmanager
def sentences(folder: Path) -> Iterator[None]:
    """What goes wrong on a disk or in the database of the runs, said in a sentence: full, locked, not ours to write,
    damaged."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise  # our own mistakes
    except (OSError, sqlite3.DatabaseError) as error:
        raise _sentence(error, folder) from error


@contextlib.contextmanager
def sentences_of_out(folder: Path) -> Iterator[None]:
    """The same where somebody has named the folder with --out: it holds no runs."""
    try:
        yield
    except DiskFull as error:
        raise _no_room(folder) from error
    except OSError as error:
        if error.errno in _FULL:
            raise _no_room(folder) from error
        raise UserError(
            "{folder} must be a folder that lmviz may write to; it can't be written: {reason}. Name another one with "
            "--out.",
            folder=folder,
            reason=of_system(error),
        ) from error


def _no_room(folder: Path) -> DiskFull:
    return DiskFull(
        "There is no room left on the disk of {folder}: free some space, or name another folder with --out.",
        folder=folder,
    )


def check_free_space(folder: Path, needed: int) -> None:
    """Raises DiskFull, before any work is done, if so many bytes do not go onto the folder's disk."""
    if free_bytes(folder) < needed:
        raise _full(folder)


def _full(folder: Path) -> DiskFull:
    return DiskFull("There is no room left on the disk of {folder}: delete runs, or free some space.", folder=folder)


def _sentence(error: OSError | sqlite3.DatabaseError, folder: Path) -> UserError:
    number = error.errno if isinstance(error, OSError) else None
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    is_full = number in _FULL or code == sqlite3.SQLITE_FULL
    if is_full or (code == sqlite3.SQLITE_IOERR and free_bytes(folder) < _FULL_DISK_BYTES):
        return _full(folder)
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
            "The list of runs in {folder} is damaged ({reason:code}): move that folder away to start with a new one.",
            folder=folder,
            reason=error,
        )
    return UserError(
        "The runs in {folder} cannot be read or written: {reason}.", folder=folder, reason=of_system(error)
    )


def free_bytes(folder: Path) -> int:
    """Bytes free on a folder's disk; what SQLite says of a full one is only that something went wrong."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free
    return _FULL_DISK_BYTES
