"""Numbers in order: topk and sort give numbers, and where each stood."""

from __future__ import annotations

import numpy as np

from lmviz.explain.explanation import Explanation, write
from lmviz.explain.given import inputs, result
from lmviz.explain.reduce import axes_of, group
from lmviz.trace.step import Cell, Step


def explain_order(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The number of a given rank along `dim`, or (second output) where it stands.

    Of equal numbers, and for `sorted=False`, torch chooses which comes first: it is read off the recorded places.
    """
    x = inputs(step)[0]
    axes = axes_of(step.settings.get("dim", -1), x.array.ndim)
    row = group(x, axes, cell)
    rank = cell[axes[0]] if axes else 0
    largest = bool(step.settings.get("largest", True) if step.op == "topk" else step.settings.get("descending", False))
    order = np.argsort(row.numbers, kind="stable")
    place = int(order[::-1][rank] if largest else order[rank])
    chosen = int(step.outputs[1].array[cell])
    unordered = step.settings.get("sorted") is False
    if unordered or np.array_equal(row.operand(chosen).value, row.operand(place).value, equal_nan=True):
        place = chosen
    taken = row.operand(place)
    sort = rf"\operatorname{{{step.op}}}_i({row.latex()})"
    formula = f"{result(step, cell, output)} = {sort}_{{{rank}}}"
    if output == 0:
        return Explanation(formula, (), taken.value, (taken,))
    return Explanation(formula, (), float(place), write("{x} → {i}", x=taken, i=float(place)))
