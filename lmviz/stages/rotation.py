"""Where queries and keys are turned by their position, and where heads share keys and values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from lmviz.stages.data_flow import DataFlow
from lmviz.stages.gates import MULTIPLYING
from lmviz.stages.stage import Kind
from lmviz.trace.step import Array, Step, Trace, Value

_CIRCULAR = frozenset(("cos", "sin", "polar"))
_TABLE = re.compile(r"(?:^|[._])(?:cos|sin|freqs?_c[io]s|rope|rotary)(?:$|[._])", re.IGNORECASE)  # names of buffers
_TURNING = MULTIPLYING | {"addcmul", "matmul", "einsum", "bmm"}
_REPEATING = frozenset(("repeat_interleave", "expand", "expand_as", "repeat", "broadcast_to"))
_LAYOUTS = frozenset(("getitem", "unsqueeze", "view", "reshape", "transpose", "permute"))
_NEARLY = 1e-2  # two tables of bfloat16 are cosine and sine to two digits
_DEPTH = 8  # steps between a cosine and what it turns


def between(trace: Trace, flow: DataFlow, makers: frozenset[int], start: int) -> dict[int, Kind]:
    """For the steps from the first projection of an attention to its scores, what they are for.

    What turns stands behind the last projection, or, where there is nothing of the kind, before it: some models project
    the rest of a key when a part of it is turned already. A model that turns its queries before it has made its keys
    does both at once: only the keys' turning is a stage of its own then.
    """
    ends = [*sorted(i for i in makers if i < start), start]
    kinds: dict[int, Kind] = {}
    for projected, end in reversed([*pairwise(ends)]):
        steps = range(projected + 1, end)
        turning = frozenset() if "rotation" in kinds.values() else _turning_in(trace, flow, steps)
        kinds |= _kinds(trace, flow, steps, turning) if end == start or turning else {}
    return kinds


def _kinds(trace: Trace, flow: DataFlow, steps: range, turning: frozenset[int]) -> Iterator[tuple[int, Kind]]:
    kind: Kind = "qkv"
    for i in steps:
        if turning and (i in turning or _is_cosine(flow, trace[i])):
            kind = "rotation"
        elif _shares(flow, trace[i]) or (i + 1 in steps and _prepares(trace[i], trace[i + 1], flow)):
            kind = "sharing"
        yield i, kind


def _turning_in(trace: Trace, flow: DataFlow, steps: range) -> frozenset[int]:
    """Which steps multiply something that was read with a cosine or a sine.

    Cosines are known by where they come from, or by the name of their table. Where neither tells, by their numbers: of
    two tables, the squares sum to the same everywhere; a complex number turns where all are equally long.
    """
    found = frozenset(i for i in steps if _turns(trace, flow, trace[i]))
    return found or frozenset(_turning_by_numbers(flow, [trace[i] for i in steps]))


def _turning_by_numbers(flow: DataFlow, steps: list[Step]) -> Iterator[int]:
    tables = [(step, table) for step in steps if (table := _table(flow, step)) is not None]
    for step, table in tables:
        alike = (other for _, other in tables if other.shape == table.shape)
        if any(_is_one_circle(table, other) for other in alike):
            yield step.index


def _table(flow: DataFlow, step: Step) -> Array | None:
    """What a step multiplies something that was read with, if it was not read itself and is a row for each position."""
    if step.op not in MULTIPLYING:
        return None
    data = [value for value in step.inputs if flow.is_of_data(value)]
    others = [value for value in step.inputs if not flow.is_of_data(value)]
    if len(data) != 1 or len(others) != 1:
        return None
    (value,) = others
    if math.prod(value.shape) > math.prod(data[0].shape) or math.prod(value.shape[:-1]) < 2:
        return None
    return value.array


def _is_one_circle(one: Array, other: Array) -> bool:
    """Whether two tables are cosine and sine of the same angles, perhaps by one factor."""
    if one.dtype.kind == "c":
        squares = np.abs(one.astype(np.complex128)) ** 2
    elif other is one or one.dtype.kind != "f" or other.dtype.kind != "f":
        return False
    else:
        squares = one.astype(np.float64) ** 2 + other.astype(np.float64) ** 2
    is_still = np.ptp(one.real) < _NEARLY and np.ptp(other.real) < _NEARLY  # the same angle everywhere turns nobody
    return not is_still and bool(np.ptp(squares) <= _NEARLY * max(float(squares.max()), _NEARLY))


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
    if step.op not in _TURNING:
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


def _prepares(step: Step, following: Step, flow: DataFlow) -> bool:
    """Whether it only gives another layout to what the next step then repeats."""
    made = {value.address for value in step.outputs}
    return step.op in _LAYOUTS and _shares(flow, following) and following.inputs[0].address in made
