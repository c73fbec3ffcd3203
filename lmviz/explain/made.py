"""Tensors made from nothing: arange, zeros, ones, full, a list of numbers."""

from __future__ import annotations

from typing import Any

from lmviz.explain.explanation import Explanation, write
from lmviz.explain.latex import result
from lmviz.trace.step import Cell, Step


def explain_arange(step: Step, cell: Cell) -> Explanation:
    """start + i * step; with one number given, it is the end."""
    numbers: Any = step.settings
    start = numbers["start"] if "end" in numbers else 0
    stride = numbers.get("step", 1)
    value = float(start + cell[0] * stride)
    written = write("{start} + {i} × {step}", start=float(start), i=float(cell[0]), step=float(stride))
    return Explanation(rf"{result(step, cell)} = {start} + {cell[0]} \cdot {stride}", (), value, written)


def explain_constant(step: Step, cell: Cell) -> Explanation:
    """What the source says: 0, 1, the number to fill with, or a number of the list."""
    value = {"zeros": 0.0, "zeros_like": 0.0, "ones": 1.0, "ones_like": 1.0}.get(step.op)
    if value is None:
        value = _written(step, cell)
    return Explanation(f"{result(step, cell)} = {value:g}", (), value, (value,))


def _written(step: Step, cell: Cell) -> float:
    found: Any = step.settings.get("fill_value" if step.op == "full" else "value")
    if found is None or step.inputs:
        raise NotImplementedError("a constant that is not written in the call")
    for index in cell if step.op == "tensor" else ():
        found = found[index]
    return float(found)
