"""One thread for small models: on a busy machine two that wait for each other take many times as long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_n_inside = 0  # the setting is the process's: the last to leave puts it back
_before = 1


@contextmanager
def one_thread() -> Iterator[None]:
    global _n_inside, _before
    with _lock:
        if not _n_inside:
            _before = torch.get_num_threads()
            torch.set_num_threads(1)
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if not _n_inside:
                torch.set_num_threads(_before)
