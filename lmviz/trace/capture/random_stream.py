"""Random numbers of a recording's own: it is the same every time, and torch's stream stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lmviz.random_state import drawing_from


class RandomStream:
    """A stream of random numbers that starts at a seed; or that goes on from a state."""

    def __init__(self, seed: int, state: Tensor | None = None) -> None:
        self._seed = seed
        self._state = state

    @property
    def state(self) -> Tensor:
        """What decides the numbers to come."""
        if self._state is None:
            self._state = torch.Generator().manual_seed(self._seed).get_state()
        return self._state

    def draw(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a call that draws from torch's global stream, on this one instead."""
        with drawing_from(self.state):
            try:
                return function(*args, **kwargs)
            finally:
                self._state = torch.random.get_rng_state()
