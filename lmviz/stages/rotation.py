"""Where queries and keys are turned by their position, and where heads share keys and values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from lmviz.stages.data_flow import DataFlow
from lmviz.stages.stage import Kind
from lmviz.trace.step import Step, Trace, Value

_CIRCULAR = frozenset(("cos", "sin", "polar"))
_TABLE = re.compile(r"(?:^|[._])(?:cos|sin|freqs?_c[io]s|rope|rotary)(?:$|[._])", re.IGNORECASE)  # names of buffers
_MULTIPLYING = frozenset(("mul", "imul", "mul_", "addcmul", "matmul", "einsum", "bmm"))
_REPEATING = frozenset(("repeat_interleave", "expand", "expand_as", "repeat", "broadcast_to"))
_DEPTH = 8  # steps between a cosine and what it turns


def between(trace: Trace, flow: DataFlow, steps: range) -> Iterator[tuple[int, Kind]]:
    """For the steps between the last projection of an attention and its scores, what they are for.

    A model that turns its queries before it has made its keys does both at once: there is no stage of its own then.
    """
    turning = any(_turns(trace, flow, trace[i]) for i in steps)
    kind: Kind = "qkv"
    for i in steps:
        step = trace[i]
        if turning and (_is_cosine(flow, step) or _turns(trace, flow, step)):
            kind = "rotation"
        elif _shares(flow, step):
            kind = "sharing"
        yield i, kind


def angles_of(trace: Trace, kinds: dict[int, Kind]) -> frozenset[int]:
    """The steps outside attention from which nothing is made but what turns queries and keys."""
    readers: dict[str, set[int]] = {}
    for step in trace:
        for value in step.inputs:
            readers.setdefault(value.address, set()).add(step.index)
    turned = {i for i, kind in kinds.items() if kind == "rotation"}
    found: set[int] = set()
    for step in reversed(trace.steps):
        used = {i for value in step.outputs for i in readers.get(value.address, ())}
        if used and step.index not in kinds and used <= found | turned:
            found.add(step.index)
    return frozenset(found)


def _turns(trace: Trace, flow: DataFlow, step: Step) -> bool:
    """Whether something that was read is multiplied with a cosine or a sine."""
    if step.op not in _MULTIPLYING:
        return False
    cosine = [_from_cosine(flow, value, _DEPTH) for value in step.inputs]
    return any(cosine) and any(
        flow.is_of_data(value) for value, is_cosine in zip(step.inputs, cosine, strict=True) if not is_cosine
    )


def _is_cosine(flow: DataFlow, step: Step) -> bool:
    return any(_from_cosine(flow, value, _DEPTH) for value in step.outputs)


def _from_cosine(flow: DataFlow, value: Value, depth: int) -> bool:
    """Whether it is a cosine or a sine, perhaps in another layout, or a table that is named like one."""
    if value.role != "activation":
        return _TABLE.search(value.address or value.name) is not None
    step = flow.maker(value)
    if step is None or depth == 0:
        return False
    made = [behind for behind in step.inputs if behind.role == "activation" or _TABLE.search(behind.address)]
    return step.op in _CIRCULAR or (bool(made) and all(_from_cosine(flow, behind, depth - 1) for behind in made))


def _shares(flow: DataFlow, step: Step) -> bool:
    """Whether what was read stands there more often afterwards."""
    if step.op not in _REPEATING or not step.outputs or not flow.is_of_data(step.inputs[0]):
        return False
    return math.prod(step.outputs[0].shape) > math.prod(step.inputs[0].shape)
