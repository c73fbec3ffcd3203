"""Where the first NaN or infinity of a recording is: forward, or, if all of that is finite, on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lmviz.trace.step import Array, Cell, Step, Trace


@dataclass(frozen=True)
class Bad:
    """A cell that holds no finite number. −∞ where a mask has put it is as it should be."""

    address: str
    cell: Cell
    is_gradient: bool


def first_bad(trace: Trace) -> Bad | None:
    return next(_forward(trace), None) or next(_backward(trace), None)


def _forward(trace: Trace) -> Iterator[Bad]:
    for step in trace:
        for value in step.outputs:
            if (cell := _first(_wrong(step, value.array))) is not None:
                yield Bad(value.address, cell, is_gradient=False)


def _backward(trace: Trace) -> Iterator[Bad]:
    """From the loss back, as the gradients were made."""
    for step in reversed(trace.steps):
        for value in step.outputs:
            if value.grad is not None and (cell := _first(~np.isfinite(value.grad))) is not None:
                yield Bad(value.address, cell, is_gradient=True)


def _wrong(step: Step, array: Array) -> Array:
    if array.dtype.kind != "f":
        return np.zeros(array.shape, bool)
    wrong: Array = np.isnan(array) | (np.isposinf(array) if step.op == "masked_fill" else np.isinf(array))
    return wrong


def _first(wrong: Array) -> Cell | None:
    places = np.argwhere(wrong)
    return tuple(int(i) for i in places[0]) if len(places) else None
