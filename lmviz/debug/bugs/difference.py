"""Where two recordings part: the first step that differs, found by address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lmviz.trace.step import Array, Cell, Trace, Value

DifferenceKind = Literal["value", "shape", "missing", "added"]
TOLERANCE = 1e-6  # of the largest number of a tensor: far below any bug, above the noise of sums in another order


@dataclass(frozen=True, slots=True)
class Difference:
    """The first step at which B is not as A."""

    how: DifferenceKind  # a tensor has other numbers or another shape; or only one of the two has the step
    address: str
    largest: float = 0.0  # of |A − B| at `address`, where both have it
    cell: Cell = ()  # where that is
    gone: str = ""  # the first step of A up to there that B does not take
    new: str = ""  # the first step of B up to there that A does not take


def first_difference(a: Trace, b: Trace) -> Difference | None:
    """The first tensor that both have with other numbers: there A and B can be compared.

    If there is none, the first step that only one of the two takes; None if both took the same steps.
    """
    gone, new = _steps_of_one_only(a, b)
    differing = next(iter(value_differences(a, b, most=1)), None)
    if differing is None:
        return Difference("missing", gone[0]) if gone else Difference("added", new[0]) if new else None
    return replace(differing, gone=_first_up_to(a, differing, gone), new=_first_up_to(b, differing, new))


def _first_up_to(trace: Trace, differing: Difference, addresses: tuple[str, ...]) -> str:
    last = trace[differing.address].index
    return next((address for address in addresses if trace[address].index <= last), "")


def value_differences(a: Trace, b: Trace, most: int = 1000) -> tuple[Difference, ...]:
    """The tensors of A, in order, whose namesake in B is not the same."""
    found: list[Difference] = []
    for step in a:
        theirs = b.value(step.address)
        if theirs is not None and step.outputs and len(found) < most:
            difference = _compared(step.address, step.outputs[0], theirs)
            if difference is not None:
                found.append(difference)
    return tuple(found)


def gradient_difference(a: Trace, b: Trace) -> Difference | None:
    """From the loss back, the first value of A whose gradient is another in B; then the weights."""
    for value in (*(step.outputs[0] for step in reversed(a.steps) if step.outputs), *a.weights.values()):
        theirs = b.value(value.address)
        if theirs is not None and theirs.shape == value.shape and (value.grad is None) != (theirs.grad is None):
            return Difference("value", value.address, cell=(0,) * len(value.shape))
        if theirs is not None and theirs.shape == value.shape and value.grad is not None and theirs.grad is not None:
            found = _apart(value.address, value.grad, theirs.grad)
            if found is not None:
                return found
    return None


def _steps_of_one_only(a: Trace, b: Trace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses that only A has, and those that only B has, in order."""
    ours, theirs = [step.address for step in a], [step.address for step in b]
    return (
        tuple(address for address in ours if b.value(address) is None),
        tuple(address for address in theirs if a.value(address) is None),
    )


def _compared(address: str, ours: Value, theirs: Value) -> Difference | None:
    if ours.shape != theirs.shape:
        return Difference("shape", address)
    return _apart(address, ours.array, theirs.array)


def _apart(address: str, ours: Array, theirs: Array) -> Difference | None:
    apart = distance(ours, theirs)
    if not apart.size or not (apart > TOLERANCE * max(_largest(ours), 1e-3)).any():
        return None
    cell = np.unravel_index(int(apart.argmax()), apart.shape)
    return Difference("value", address, float(apart[cell]), tuple(int(i) for i in cell))


def distance(a: Array, b: Array) -> Array:
    """|a − b| for every cell; 0 where both are the same infinity or NaN, infinite where only one is."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
    same = (a == b) | (np.isnan(a.astype(np.float64)) & np.isnan(b.astype(np.float64)))
    return np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))


def _largest(array: Array) -> float:
    numbers = np.abs(array[np.isfinite(array)]) if array.dtype.kind == "f" else np.abs(array.astype(np.float64))
    return float(numbers.max(initial=0))
