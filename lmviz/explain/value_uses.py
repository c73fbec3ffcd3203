"""How the values of a trace are connected: who uses what, and where the loss is."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

import numpy as np

from lmviz.trace.fused.recurrent import SHARED
from lmviz.trace.step import Array, Cell, Step, Trace, Value


def one_with(trace: Trace, value: Value) -> set[str]:
    """The addresses of what is one with a value to autograd, its own among them.

    A call that had nothing to do gives back the very tensor that it was given (`contiguous`, dropout outside training);
    and what is overwritten where gradients are off goes on as if it were not.
    """
    if value.edge < 0:
        return {value.address}
    every = [*trace.inputs, *trace.weights.values(), *(made for step in trace for made in step.outputs)]
    return {value.address, *(other.address for other in every if other.edge == value.edge)}


def uses_of(trace: Trace, addresses: Container[str]) -> Iterator[tuple[Step, int]]:
    """The steps that values go into, each with the number of the input that it is.

    A fused call that was opened is passed over, since its written-out steps say the same in detail.
    """
    opened = {step.opened for step in trace}
    for step in trace:
        if step.index not in opened:
            yield from (
                (step, n) for n, value in enumerate(step.inputs) if value.address and value.address in addresses
            )


def written_out(trace: Trace) -> dict[str, Value]:
    """For what the written-out steps of a fused call return: the call's own output, which is the same number."""
    return {
        step.address: trace[step.opened].outputs[step.returned]
        for step in trace
        if step.opened is not None and step.returned is not None
    }


def made_inside(trace: Trace) -> dict[str, str]:
    """For an output of a fused call of which another one is made: its written-out address, which is used for that."""
    return {
        value.address: step.address
        for step, value in ((trace[address], value) for address, value in written_out(trace).items())
        if step.opened is not None and trace[step.opened].op == SHARED and step.returned == 1
    }


def loss_of(trace: Trace) -> Value | None:
    """The value that `backward=` returned: the last single number that equals the loss and has a gradient."""
    for step in reversed(trace.steps):
        for value in step.outputs:
            if step.opened is None and _equals(value, trace.loss) and value.grad is not None:
                return value
    return None


def _equals(value: Value, loss: float | None) -> bool:
    if loss is None or set(value.shape) - {1}:
        return False
    return np.array_equal(value.array.reshape(()), np.float64(loss), equal_nan=True)


def cell_of_view(view: Array, whole: Array, cell: Cell) -> Cell | None:
    """The cell of a view that lies in memory where a cell of its tensor does; None if the view passes it by."""
    index: Any = (*cell, ...)
    address = whole[index].ctypes.data - view.ctypes.data
    found = [0] * view.ndim
    for axis in sorted(range(view.ndim), key=lambda axis: -view.strides[axis]):
        stride = view.strides[axis]
        if view.shape[axis] > 1 and stride > 0:
            found[axis] = min(max(address // stride, 0), view.shape[axis] - 1)
            address -= found[axis] * stride
    return tuple(found) if address == 0 and view.size else None
