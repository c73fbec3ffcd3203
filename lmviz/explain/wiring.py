"""How the values of a trace are connected: who uses what, and where the loss is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lmviz.trace.step import Step, Trace, Value

_MAY_RETURN_ITS_INPUT = frozenset("contiguous to dropout flatten ravel".split())


def returns_its_input(step: Step) -> bool:
    """Whether a call had nothing to do, and gave back the very tensor that it was given: both are one value."""
    if step.op not in _MAY_RETURN_ITS_INPUT or not step.inputs or not step.outputs:
        return False
    before, after = step.inputs[0], step.outputs[0]
    if before.shape != after.shape or before.dtype != after.dtype:
        return False
    return before.array.ctypes.data == after.array.ctypes.data and before.array.strides == after.array.strides


def uses_of(trace: Trace, address: str) -> Iterator[tuple[Step, int]]:
    """The steps that a value goes into, each with the number of the input that it is.

    A fused call that was opened is passed over, since its written-out steps say the same in detail.
    """
    one: dict[str, str] = {}  # address -> the first name of the same tensor
    for step in trace:
        if returns_its_input(step):
            before = step.inputs[0].address
            one[step.outputs[0].address] = one.get(before, before) or step.outputs[0].address
    own, opened = one.get(address, address), {step.opened for step in trace}
    for step in trace:
        if step.index in opened or one.get(step.address, "") == own:
            continue
        for n, value in enumerate(step.inputs):
            if value.address and one.get(value.address, value.address) == own:
                yield step, n


def written_out(trace: Trace) -> dict[str, Value]:
    """For the last written-out step of each fused call: the fused call's own output, which is the same number."""
    last = {step.opened: step for step in trace if step.opened is not None}
    return {step.address: trace[fused].outputs[0] for fused, step in last.items()}


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
