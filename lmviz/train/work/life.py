"""Who is alive: every trainer holds a lock on a file of its own, which the system takes from it however it dies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

WORKERS = "workers"


def life_of(root: Path, worker: str) -> Path:
    """The file that a trainer holds."""
    return root / WORKERS / f"{worker}.lock"


def log_of(root: Path, worker: str) -> Path:
    """What a trainer printed: nothing, unless something went wrong that nobody expected."""
    return root / WORKERS / f"{worker}.log"


def hold(path: Path) -> IO[bytes]:
    """Lock a file for as long as what is returned stays open, or this process lives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "ab")  # noqa: SIM115 - held open on purpose
    if not _lock(file, shared=False):
        file.close()
        raise RuntimeError(f"{path} is held by another process.")
    return file


def is_held(path: Path) -> bool:
    """Whether some process lives that holds this file."""
    try:
        with open(path, "rb+") as file:
            return not _lock(file, shared=True)
    except OSError:
        return False


def _lock(file: IO[bytes], shared: bool) -> bool:
    """False if another process holds the file. Those who only look share the lock, so as not to see each other."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_NB | (fcntl.LOCK_SH if shared else fcntl.LOCK_EX))
    except OSError:
        return False
    return True
