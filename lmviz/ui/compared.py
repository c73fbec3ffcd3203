"""A, B and A − B: the same on every page that compares two tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lmviz.trace.step import Array
from lmviz.ui.pictures import domain

_NOISE = 1e-5  # of the largest number: what differs by less is the same, but for rounding

Mark = Literal["A", "B", "A − B"]


@dataclass(frozen=True)
class Side:
    """One of the three.

    Args:
        cells: [rows, cols].
        mark: what it is called beside the tensor's name.
        sign: what stands before it.
        result: whether it is what the other two make.
    """

    cells: Array
    mark: Mark
    sign: str = ""
    result: bool = False


def three(a: Array, b: Array) -> tuple[Side, Side, Side]:
    """Two tensors and their difference, where both have a cell: [rows, cols] each.

    The difference is 0 where both are the same, also where both are infinite.
    """
    rows, cols = (min(sizes) for sizes in zip(a.shape, b.shape, strict=True))
    ours, theirs = (grid[:rows, :cols].astype(np.float64) for grid in (a, b))
    with np.errstate(invalid="ignore"):
        apart = np.where(ours == theirs, 0.0, ours - theirs).astype(np.float32)
    return Side(a, "A"), Side(b, "B", "−"), Side(apart, "A − B", "=", True)


def ends(grids: Sequence[Array]) -> tuple[float, float]:
    """Where two colour scales end, for A, B and A − B: that of both, and that of their difference, on which rounding is
    not seen."""
    *pair, apart = grids
    both = domain(pair)
    return both, max(domain([apart]), _NOISE * both)
