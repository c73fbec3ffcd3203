"""What was made once and is kept for whoever asks for it again, within one limit on bytes for all of it."""

from __future__ import annotations

import gc
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
_UNCOLLECTED = 1 / 16  # of a budget: what may have been dropped before the collector looks for it


class Part(Protocol):
    """Something large that is kept: the same one in several places counts once."""

    @property
    def owner(self) -> object:
        """What it is: two parts of one owner are the same."""

    def n_bytes(self) -> int:
        """What it takes now."""


@dataclass(slots=True)
class _Entry:
    thing: Any
    parts: tuple[Part, ...]
    used: int  # a count that grows with every use of anything


class Budget:
    """What several caches may hold together. The least recently used thing of all of them goes first."""

    def __init__(self, n_bytes: int, parts: Callable[[Any], Iterable[Part]]) -> None:
        """
        Args:
            n_bytes: the limit. What was made last is always kept, however large.
            parts: the large parts of a thing or of a key.
        """
        self.n_bytes, self.parts = n_bytes, parts
        self.lock = threading.RLock()
        self.clock = itertools.count()
        self._caches: list[Cache] = []
        self._n_dropped = 0  # bytes since the last collection

    def cache(self, size: int) -> Cache:
        """A cache of at most `size` things, within this budget."""
        made = Cache(size, self)
        with self.lock:
            self._caches.append(made)
        return made

    def spent(self) -> int:
        """What all parts take, each counted once."""
        with self.lock:
            held = {id(part.owner): part for cache in self._caches for entry in cache.entries() for part in entry.parts}
        return sum(part.n_bytes() for part in held.values())

    def keep_within(self) -> None:
        """Drop what was not used for longest until the limit holds."""
        while self.spent() > self.n_bytes:
            oldest = min(self._caches, key=lambda cache: cache.oldest())
            if len([entry for cache in self._caches for entry in cache.entries()]) < 2:
                break
            oldest.drop_oldest()

    def count_dropped(self, entry: _Entry) -> None:
        self._n_dropped += sum(part.n_bytes() for part in entry.parts)

    def collect(self) -> None:
        """Streamlit's own collections are off: ours follow what was dropped, as soon as it is much."""
        if self._n_dropped > self.n_bytes * _UNCOLLECTED:
            self._n_dropped = 0
            gc.collect()


class Cache:
    """The most recently used of some things, each made once even if several threads ask at the same time.

    A key is made of values, and of objects themselves where their identity matters: the key keeps them alive, so that
    none can be taken for another.
    """

    def __init__(self, size: int, budget: Budget) -> None:
        self._size, self._budget = size, budget
        self._kept: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a key, made now if nothing is."""
        with self._budget.lock:
            if key in self._kept:
                return self._use(key)  # type: ignore[no-any-return]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._budget.lock:
                if key in self._kept:
                    return self._use(key)  # type: ignore[no-any-return]
            try:
                thing = make()
                parts = (*self._budget.parts(key), *self._budget.parts(thing))
            finally:
                with self._budget.lock:
                    self._making.pop(key, None)
            with self._budget.lock:
                self._kept[key] = _Entry(thing, parts, next(self._budget.clock))
                self._keep_size()
                if parts:
                    self._budget.keep_within()
        self._budget.collect()
        return thing

    def peek(self, key: Hashable) -> Any:
        """What is kept; None if nothing is."""
        with self._budget.lock:
            found = self._kept.get(key)
            return None if found is None else found.thing

    def __contains__(self, key: Hashable) -> bool:
        with self._budget.lock:
            return key in self._kept

    def entries(self) -> Iterable[_Entry]:
        return self._kept.values()

    def oldest(self) -> float:
        """When the thing that would go first was used."""
        return next(iter(self._kept.values())).used if self._kept else float("inf")

    def drop_oldest(self) -> None:
        self._budget.count_dropped(self._kept.popitem(last=False)[1])

    def _use(self, key: Hashable) -> Any:
        self._kept.move_to_end(key)
        entry = self._kept[key]
        entry.used = next(self._budget.clock)
        return entry.thing

    def _keep_size(self) -> None:
        while len(self._kept) > self._size:
            self.drop_oldest()
