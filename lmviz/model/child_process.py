"""The end of a child process: by the clock, and by its parent."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopped_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[Callable[[], bool]]:
    """Kill a process that is still at work after so many seconds; gives what says whether that was done."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield late.is_set
    finally:
        timer.cancel()


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, and close what led to it."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):  # what was still to be sent
                stream.close()
