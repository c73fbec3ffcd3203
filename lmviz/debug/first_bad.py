"""Where the first NaN or infinity of a recording is: forward, or, if all of that is finite, on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lmviz.debug.bad_numbers import bad_values
from lmviz.trace.step import Array, Cell, Trace


@dataclass(frozen=True)
class Bad:
    """A cell that holds no finite number. −∞ where a mask has put it is as it should be."""

    address: str
    cell: Cell
    is_gradient: bool


def first_bad(trace: Trace) -> Bad | None:
    return next(_forward(trace), None) or next(_backward(trace), None)


def _forward(trace: Trace) -> Iterator[Bad]:
    for _, value, bad in bad_values(trace, trace):
        if (cell := _first(bad)) is not None:
            yield Bad(value.address, cell, is_gradient=False)


def _backward(trace: Trace) -> Iterator[Bad]:
    """From the loss back, as the gradients were made."""
    for step in reversed(trace.steps):
        for value in step.outputs:
            if value.grad is not None and (cell := _first(~np.isfinite(value.grad))) is not None:
                yield Bad(value.address, cell, is_gradient=True)


def _first(wrong: Array) -> Cell | None:
    places = np.argwhere(wrong)
    return tuple(int(i) for i in places[0]) if len(places) else None
