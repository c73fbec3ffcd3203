"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

from lmviz.train.runs import Runs

PATIENCE = 120.0  # seconds after which something has gone wrong, however slow the machine


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def rests(runs: Runs, run: str) -> bool:
    return next(one.state for one in runs.all() if one.id == run) not in ("queued", "running")


def until_rests(runs: Runs, run: str) -> None:
    until(lambda: rests(runs, run))
