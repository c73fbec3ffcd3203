"""Pitfalls that are run, and trials of what fits into memory: long work, one at a time for all sessions."""

from __future__ import annotations

from collections.abc import Callable

from lmviz.debug.memory.trial import Outcome, Trial, try_out
from lmviz.debug.pitfalls.run import Result, result_of
from lmviz.debug.pitfalls.setup import Setup
from lmviz.debug.threads import one_thread
from lmviz.registry.models import Models
from lmviz.services.turns import Turns, Waiting, say_nothing
from lmviz.train.loop import Snapshot


class Pitfalls:
    """Shared by all sessions; safe to use from several threads."""

    def __init__(self, models: Models) -> None:
        self._results, self._outcomes = models.cache(32), models.cache(64)
        self._turns = Turns()  # of trainings that sessions wait for: each takes a core, or a gigabyte

    def has_run(self, setup: Setup) -> bool:
        return setup in self._results

    def result(
        self, setup: Setup, watch: Callable[[Snapshot], None] = lambda snapshot: None, waiting: Waiting = say_nothing
    ) -> Result:
        """A training of a pitfall, run once, when its turn has come; `watch` sees its steps.

        If `watch` raises, because nobody looks any more, the training ends there.
        """

        def made() -> Result:
            with one_thread():
                return result_of(setup, watch)

        if setup in self._results:
            return self._results.get(setup, made)
        with self._turns.turn(waiting):
            return self._results.get(setup, made)

    def try_out(self, trial: Trial, waiting: Waiting = say_nothing) -> Outcome:
        """A trial in a process of its own, made once, when its turn has come."""
        if trial in self._outcomes:
            return self._outcomes.get(trial, lambda: try_out(trial))
        with self._turns.turn(waiting):
            return self._outcomes.get(trial, lambda: try_out(trial))
