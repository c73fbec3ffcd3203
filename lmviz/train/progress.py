"""A training's progress in a terminal: a bar with the time left; in a file or a log, one line for every tenth."""

from __future__ import annotations

import time
from typing import TextIO

from lmviz.train.loop import Snapshot

WIDTH = 24  # characters of the bar
_REDRAW_EVERY = 0.1  # seconds


class Progress:
    """Shows the snapshots of one training, as many of them as a person can read."""

    def __init__(self, steps: int, output: TextIO, done: int = 0) -> None:
        """Args:
        done: steps of an earlier sitting.
        """
        self._steps, self._output, self._done = steps, output, done
        self._began = time.monotonic()
        self._drawn = 0.0
        self._held_out = ""

    def show(self, snapshot: Snapshot) -> None:
        now, is_last = time.monotonic(), snapshot.step == self._steps
        if snapshot.held_out_loss is not None:
            self._held_out = f", held out {snapshot.held_out_loss:.4f}"
        seconds_left = (now - self._began) / (snapshot.step - self._done) * (self._steps - snapshot.step)
        text = f"step {snapshot.step} of {self._steps}: loss {snapshot.loss:.4f}{self._held_out}"
        if not self._output.isatty():
            if is_last or snapshot.step % max(1, self._steps // 10) == 0:
                print(text, file=self._output)
        elif is_last or now - self._drawn > _REDRAW_EVERY:
            self._drawn = now
            line = f"{bar(snapshot.step / self._steps)} {text}, {clock(seconds_left)} left"
            print(f"\r{line:<100}", end="\n" if is_last else "", file=self._output, flush=True)


def bar(part: float) -> str:
    """
    >>> bar(0.25)
    '██████░░░░░░░░░░░░░░░░░░  25%'
    """
    n_full = int(part * WIDTH)
    return f"{'█' * n_full}{'░' * (WIDTH - n_full)} {part:4.0%}"


def clock(seconds: float) -> str:
    """
    >>> clock(75), clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
