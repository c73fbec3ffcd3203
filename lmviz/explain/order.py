"""Numbers in order: the largest, the k largest, all of them sorted; and where each stood."""

from __future__ import annotations

import numpy as np

from lmviz.explain.explanation import Explanation, write
from lmviz.explain.given import inputs, shown
from lmviz.explain.group import Group, axes_of, group, group_of
from lmviz.explain.latex import result
from lmviz.trace.step import Cell, Step


def explain_extreme(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The largest (smallest) number along `dim`, and, as the second output of max and min, where it stands."""
    if len(step.inputs) == 2:  # x.max(y): the larger of each pair
        return _of_two(step, cell)
    cells = group_of(step, cell)
    sign = 1 if "max" in step.op else -1
    place = winner(cells, sign)
    gives_place = step.op.startswith("arg") or output == 1
    if gives_place or len(step.outputs) == 2:
        place = as_torch_chose(cells, place, int(step.outputs[-1].array[cell]))
    name = rf"\operatorname{{arg{step.op[-3:]}}}" if gives_place else rf"\{step.op[-3:]}"
    left = rf"{result(step, cell, output)} = {name}_{{{cells.letters}}} {cells.latex()}"
    return _place(left, cells, place) if gives_place else shown(left, cells.given, cells.cell(place))


def winner(cells: Group, sign: int = 1) -> int:
    """Which number of a group is the largest (sign 1) or the smallest (-1); the first of equals, and NaN before all."""
    return int(np.argmax(sign * cells.numbers))


def as_torch_chose(cells: Group, place: int, chosen: int) -> int:
    """Of several equal numbers, torch says itself which one it took."""
    row = cells.numbers
    return chosen if np.array_equal(row[chosen], row[place], equal_nan=True) else place


def _place(left: str, cells: Group, place: int) -> Explanation:
    """Where a number stands; along several axes, counted through them."""
    return Explanation(left, (), float(place), write("{x} → {i}", x=cells.operand(place), i=float(place)))


def _of_two(step: Step, cell: Cell) -> Explanation:
    a, b = inputs(step)
    (a_at, b_at), function = (a.under(cell), b.under(cell)), np.maximum if step.op == "max" else np.minimum
    formula = rf"{result(step, cell)} = \{step.op}({a.latex(*a_at)}, {b.latex(*b_at)})"
    written = write(f"{step.op}({{a}}, {{b}})", a=a.piece(a_at), b=b.piece(b_at))
    return Explanation(formula, (), float(function(a.number(a_at), b.number(b_at))), written)


def explain_order(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """topk and sort: the number of a given rank along `dim`, or (second output) where it stands.

    What comes first of equal numbers, or of all with `sorted=False`, is torch's choice: it is read off its places.
    """
    x = inputs(step)[0]
    cells = group(x, axes_of(step.settings.get("dim", -1), x.array.ndim), cell)
    rank = cell[cells.axes[0]] if cell else 0
    descending = step.settings.get("largest", True) if step.op == "topk" else step.settings.get("descending")
    order = np.argsort(cells.numbers, kind="stable")[:: -1 if descending else 1]
    chosen = int(step.outputs[1].array[cell])
    place = chosen if step.settings.get("sorted") is False else as_torch_chose(cells, int(order[rank]), chosen)
    left = rf"{result(step, cell, output)} = \operatorname{{{step.op}}}_{{{cells.letters}}}({cells.latex()})_{{{rank}}}"
    return _place(left, cells, place) if output == 1 else shown(left, x, cells.cell(place))
