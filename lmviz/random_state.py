"""torch draws its random numbers from one stream for all threads: whoever needs those of a seed has it alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_stream = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers on the CPU come from `seed` here, and afterwards go on as if nothing had been drawn."""
    with drawing_from(torch.Generator().manual_seed(seed).get_state()):
        yield


@contextmanager
def drawing_from(state: Tensor) -> Iterator[None]:
    """The same, from a state of the stream on."""
    with _stream:
        generator = torch.default_generator
        before = generator.get_state()
        generator.set_state(state)
        try:
            yield
        finally:
            generator.set_state(before)
