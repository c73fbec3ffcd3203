"""The draw: every token that is left takes its share of a bar from 0 to 1, and a random number points into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Draw:
    """A random number on the bar of what can come next, the likeliest token first (inverse transform sampling)."""

    number: float  # in [0, 1)
    order: NDArray[np.intp]  # ids, the likeliest first; tokens of probability 0 have no place on the bar
    ends: NDArray[np.float64]  # where the share of each ends; the last is 1

    @property
    def place(self) -> int:
        """Which of the shares the number fell into, counted from 0."""
        return int(np.searchsorted(self.ends, self.number, side="right"))

    @property
    def chosen(self) -> int:
        return int(self.order[self.place])

    @property
    def share(self) -> tuple[float, float]:
        """Where the share of the chosen token starts and ends: start <= number < end."""
        return float(self.ends[self.place - 1]) if self.place else 0.0, float(self.ends[self.place])


def draw(probs: NDArray[np.float32], number: float) -> Draw:
    """Point at one of the tokens.

    Args:
        probs: [d_vocab], sums to 1 up to float32's rounding, which the bar is stretched by.
        number: in [0, 1).
    """
    order = np.argsort(-probs, kind="stable")
    order = order[probs[order] > 0]
    ends = probs[order].astype(np.float64).cumsum()
    return Draw(number, order, ends / ends[-1])


def random_number(seed: int, sequence: int, index: int) -> float:
    """The number in [0, 1) that decides token `index` of text `sequence`; the same for ever (PCG64, O'Neill 2014).

    It depends on nothing else, so any step can be replayed alone, and two settings can be compared on the same luck.
    """
    return float(np.random.default_rng([seed, sequence, index]).random())
