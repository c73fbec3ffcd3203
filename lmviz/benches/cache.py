"""What was made once and is kept for whoever asks for it again."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class Cache:
    """The most recently used of some things, each made once even if several threads ask at the same time."""

    size: int
    weigh: Callable[[Any], int] = lambda thing: 0
    weight_limit: int = 0
    _kept: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    _locks: dict[Hashable, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: T = self._kept[key]
                return found
            making = self._locks.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._kept:
                    again: T = self._kept[key]
                    return again
            try:
                thing = make()
            finally:
                with self._lock:
                    self._locks.pop(key, None)
            with self._lock:
                self._kept[key] = thing
                dropped = self._drop()
        if dropped:
            gc.collect()  # Streamlit's own collections are off: ours follow what we drop
        return thing

    def peek(self, key: Hashable) -> Any:
        """What is kept; None if nothing is."""
        with self._lock:
            return self._kept.get(key)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._kept

    def _drop(self) -> bool:
        dropped = False
        while len(self._kept) > 1 and (
            len(self._kept) > self.size
            or (self.weight_limit and sum(map(self.weigh, self._kept.values())) > self.weight_limit)
        ):
            self._kept.popitem(last=False)
            dropped = True
        return dropped
