"""What a script or a notebook holds in memory, under the debugger: recordings, and a model that can run again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lmviz.attach.example import Example
from lmviz.attach.run import facts_of, own_run
from lmviz.errors import UserError
from lmviz.registry.program import Asked, OwnRun, State
from lmviz.trace.step import Trace

_Made = Callable[[Asked], OwnRun]


class MemoryProgram:
    """Recordings of this process, each of which may be made again with some numbers changed. For several threads."""

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name, title
        self._runs: list[_Made] = []
        self._known: dict[tuple[int, Asked], OwnRun] = {}
        self._lock = threading.RLock()

    @property
    def latest(self) -> int:
        return len(self._runs)

    def add(self, run: _Made) -> int:
        """One run more; its number."""
        with self._lock:
            self._runs.append(run)
            return len(self._runs)

    def record(self, number: int, asked: Asked) -> OwnRun:
        number = number or self.latest
        if not 1 <= number <= self.latest:
            raise UserError(
                "{name} has no run {number} to look at: it is still running, or that was too long ago.",
                name=self.title,
                number=number,
            )
        with self._lock:
            if (number, asked) not in self._known:
                self._known[number, asked] = self._runs[number - 1](asked)
            return self._known[number, asked]

    def look(self) -> State:
        return "ready"

    def wrong(self) -> UserError | None:
        return None


def live(example: Example) -> _Made:
    """A model that runs whenever something else is asked of it."""
    return lambda asked: own_run(example, asked)


def kept(trace: Trace, example: Example) -> _Made:
    """A recording that was made before, of a model that has changed since: nothing can be computed again."""
    run = OwnRun.of(trace, facts_of(example, trace))

    def made(asked: Asked) -> OwnRun:
        if asked.edits:
            raise UserError(
                "This step of a training is over, and its model has changed since: its numbers can be looked at, but "
                "none can be put in their place."
            )
        return run

    return made
