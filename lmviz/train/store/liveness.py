"""Who is alive: every trainer holds a lock on a file of its own, which the system takes from it however it dies.

While it is well, a thread of it touches that file every second. One that was stopped, or hangs, holds the lock and is
silent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_WORKERS = "workers"
_HEARTBEAT = 1.0  # seconds between two touches
SILENT = 30.0  # seconds without one after which a trainer counts as hanging


def lock_of(root: Path, worker: str) -> Path:
    """The file that a trainer holds."""
    return root / _WORKERS / f"{worker}.lock"


def log_of(root: Path, worker: str) -> Path:
    """What a trainer printed: nothing, unless something went wrong that nobody expected."""
    return root / _WORKERS / f"{worker}.log"


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


def start_heartbeat(path: Path) -> None:
    """Touch the file from now on, from a thread, for as long as this process lives and the file is there."""

    def go() -> None:
        while True:
            try:
                os.utime(path)
            except OSError:
                return
            time.sleep(_HEARTBEAT)

    threading.Thread(target=go, daemon=True).start()


class SilenceClock:
    """For how long each trainer has been silent, as one observer sees it.

    By the observer's own clock, which stands still while a machine sleeps: what counts is not when a file was last
    touched, but for how long it has been seen untouched.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int, float]] = {}  # by trainer: when it last touched its file, seen first at

    def look(self, workers: Iterable[str]) -> dict[str, float]:
        """Seconds of silence by trainer."""
        now = time.monotonic()
        with self._lock:
            latest = {worker: _touched(lock_of(self._root, worker)) for worker in workers}
            known = self._seen
            self._seen = {
                worker: known[worker] if known.get(worker, (None,))[0] == touched else (touched, now)
                for worker, touched in latest.items()
            }
            return {worker: now - since for worker, (_, since) in self._seen.items()}


def end(worker: str, pid: int) -> None:
    """End a trainer at once, whatever it does, if the process of that number is it."""
    if pid > 0 and worker in _command(pid):
        with contextlib.suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def _command(pid: int) -> str:
    """How a process was started; a trainer's id is in it. Empty if there is no such process on this machine."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if Path("/proc/self/cmdline").exists():
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
        asked = ["ps", "-p", str(pid), "-o", "command="]
        return subprocess.run(asked, capture_output=True, encoding="utf-8", timeout=5).stdout
    return ""


def _touched(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


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
