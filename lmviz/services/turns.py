"""Taking turns: what takes long is done one at a time, for all sessions together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_WAIT_SECONDS = 0.3  # seconds between two looks at the queue

Waiting = Callable[[int], None]


def say_nothing(place: int) -> None:
    """Wait without a word."""


class Turns:
    """A queue in the order of asking."""

    def __init__(self) -> None:
        self._queue: list[object] = []
        self._moved = threading.Condition()

    @contextmanager
    def turn(self, waiting: Waiting = say_nothing) -> Iterator[None]:
        """Wait for one's turn, and have it.

        Args:
            waiting: told again and again how many are before; if it raises, whoever waited leaves the queue.
        """
        ticket = object()
        with self._moved:
            self._queue.append(ticket)
        try:
            while place := self._place(ticket):
                waiting(place)
                with self._moved:
                    self._moved.wait(_WAIT_SECONDS)
            yield
        finally:
            with self._moved:
                self._queue.remove(ticket)
                self._moved.notify_all()

    def _place(self, ticket: object) -> int:
        with self._moved:
            return self._queue.index(ticket)
