"""A command that is stopped from outside ends in a sentence, and clears away what it had begun."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

CUT_SHORT = 130  # the exit code, a shell's for Ctrl-C
NOT_READ = 141  # a shell's for a pipe that nobody reads any more


def stoppable(work: Callable[[], int]) -> int:
    """The exit code of a command's work, CUT_SHORT where Ctrl-C or the system stops it, or NOT_READ.

    Unlike Python's own end by SIGTERM, `finally` and `with` are carried out: no temporary file stays behind.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()  # which no signal reaches
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = work()
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `lmviz doctor model.py | head`: enough was read
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest goes, at the end too
        return NOT_READ
    except KeyboardInterrupt:
        print("Stopped. Nothing is half written; the same command begins anew.", file=sys.stderr)
        return CUT_SHORT
    finally:
        signal.signal(signal.SIGTERM, before)
