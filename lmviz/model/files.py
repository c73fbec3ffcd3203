"""The one door through which files come in that somebody else wrote: of one type, so many bytes, so many seconds.

An ordinary file is asked for: no folder, device, pipe or socket, and no link that leads out of the file's own folder.
And the one through which files go out: they are there whole or not at all, whatever happens while they are written.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import threading
import tomllib
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

from lmviz.errors import UserError
from lmviz.faults import of_syntax, of_system

MEGABYTE = 10**6  # bytes, on screen too
CHUNK = MEGABYTE  # bytes asked of the disk at once
SECONDS = 20  # that a disk may take to give a whole file
UNFINISHED = ".unfinished"  # after the name of a file that is being written
MOST_WAITING = 8  # threads that wait for a disk which does not answer

_DEEP_KEY = re.compile(
    r"""(?:(?:[\w-]{1,64}+|"[^"\n]{0,64}"|'[^'\n]{0,64}')[ \t]{0,4}+\.[ \t]{0,4}+){24}"""
)  # a.b.c.d…

T = TypeVar("T")

_waiting = threading.Semaphore(MOST_WAITING)


class MissingFile(UserError):
    """There is no file of that name."""


def read_bytes(path: Path, limit: int = MEGABYTE, seconds: float = SECONDS) -> bytes:
    """What a file holds, up to `limit` bytes.

    Raises:
        MissingFile: there is none.
        UserError: it is no ordinary file, too large, not ours to read, or on a disk that takes more than `seconds`.
    """
    return _in_time(path, seconds, lambda: _content(path, limit))


def read_text(path: Path, limit: int = MEGABYTE) -> str:
    """The text of a UTF-8 file of at most `limit` bytes; raises as `read_bytes` does."""
    content = read_bytes(path, limit)
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UserError(
            "{file} must be text in UTF-8; byte {position} is not.", file=_name(path), position=error.start
        ) from None


def read_json_object(path: Path, limit: int = MEGABYTE) -> dict[str, Any]:
    """The JSON object in a file, or a UserError that says where it stops being one."""
    return json_object(read_text(path, limit), _name(path))


def json_object(text: str, name: str) -> dict[str, Any]:
    """The JSON object that the text of a file of that name holds."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError("{file} must be JSON; it is not: {reason}.", file=name, reason=of_syntax(error)) from None
    if not isinstance(found, dict):
        raise UserError(
            "{file} must hold a JSON object, {{...}}; it holds a {kind}.", file=name, kind=type(found).__name__
        )
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """The tables in a TOML file, or a UserError that says where it stops being one."""
    try:
        written = read_text(path)
        if _DEEP_KEY.search(written):  # whose reading takes time that grows with the square of its length
            raise RecursionError
        return tomllib.loads(written)
    except UserError:
        raise
    except (ValueError, RecursionError) as error:  # also a number with thousands of digits, or lists in lists in lists
        raise UserError(
            "{file} must be TOML; it is not: {reason}.", file=_name(path), reason=of_syntax(error)
        ) from None


def ordinary_file(path: Path, seconds: float = SECONDS) -> Path:
    """Where a file really is, for a library that opens it by itself; raises as `read_bytes` does."""
    return _in_time(path, seconds, lambda: _real(path))


def open_parts(path: Path, seconds: float = SECONDS) -> FileIO:
    """An ordinary file, open for parts of it to be read; raises as `read_bytes` does."""
    return _in_time(path, seconds, lambda: FileIO(_descriptor(path)))


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


def _sync_folder(folder: Path) -> None:
    """Make the new name last too. Not every system can open a folder; where it can't, the name is safe enough."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _descriptor(path: Path) -> int:
    real = _real(path)
    flags = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))
    descriptor = os.open(real, flags)
    try:
        _check_type(path, os.fstat(descriptor))  # of what is open: the name may stand for something else by now
    except UserError:
        os.close(descriptor)
        raise
    return descriptor


def _content(path: Path, limit: int) -> bytes:
    descriptor = _descriptor(path)
    try:
        found = os.fstat(descriptor)
        if found.st_size > limit:
            raise UserError(
                "{file} must be at most {limit} bytes; it has {size}.",
                file=_name(path),
                limit=limit,
                size=found.st_size,
            )
        return _first(descriptor, found.st_size)
    finally:
        os.close(descriptor)


def _first(descriptor: int, n_bytes: int) -> bytes:
    """Not more than there was: a file may grow, and those of the system itself have no end."""
    parts, rest = [], n_bytes
    while rest and (part := os.read(descriptor, min(rest, CHUNK))):
        parts.append(part)
        rest -= len(part)
    return b"".join(parts)


def _real(path: Path) -> Path:
    """The file behind a name, if it is an ordinary one and lies where it may."""
    real = Path(os.path.realpath(path, strict=True))
    _check_type(path, os.stat(real))
    if os.path.islink(path) and not any(real.is_relative_to(root) for root in _homes(path.parent)):
        raise UserError(
            "{file} must be an ordinary file in its own folder; it is a link to another place: copy the file itself.",
            file=_name(path),
        )
    return real


def _homes(folder: Path) -> list[Path]:
    """Where a folder's links may lead: into itself and, in the Hub's cache, to the files that its revisions share."""
    own = Path(os.path.realpath(folder))
    shared = own.parent.parent / "blobs"
    return [own, shared] if own.parent.name == "snapshots" else [own]


def _check_type(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UserError(
            "{file} must be an ordinary file; it is a folder, a device or a pipe: put a file in its place.",
            file=_name(path),
        )


def _in_time(path: Path, seconds: float, work: Callable[[], T]) -> T:
    """What a thread makes of a file; a disk that hangs, as a network's may, holds up that thread and nobody else."""
    found: list[T | Exception] = []
    if not _waiting.acquire(blocking=False):
        raise _too_slow(path, seconds)

    def go() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)
        finally:
            _waiting.release()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise _too_slow(path, seconds)
    if isinstance(found[0], Exception):
        raise _as_sentence(path, found[0])
    return found[0]


def _too_slow(path: Path, seconds: float) -> UserError:
    return UserError(
        "{file} could not be read within {seconds} seconds: copy its folder to a disk of this machine.",
        file=_name(path),
        seconds=seconds,
    )


def _as_sentence(path: Path, error: Exception) -> Exception:
    """What the system said, as a sentence."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            folder = path.parent if path.parent.parts else path.parent.absolute()
            return MissingFile("There is no file {file} in {folder}.", file=_name(path), folder=folder)
        case OSError():
            return UserError("{file} cannot be read: {reason}.", file=_name(path), reason=of_system(error))
        case ValueError() if not isinstance(error, UserError):  # a null character in the name
            return UserError("{file} cannot be read: {reason}.", file=_name(path), reason=of_system(error))
    return error


def _name(path: Path) -> str:
    return path.name if len(path.name) <= 200 else f"{path.name[:200]}…"
