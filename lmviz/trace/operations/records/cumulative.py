"""Along an axis, step by step: what all numbers up to a place come to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import inputs, option, plain, product
from lmviz.trace.operations.axes import RESIZED, ROWS, UNNAMED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Term, Terms, write
from lmviz.trace.operations.group import Group, axes_of, group
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.order import as_torch_chose, number_or_place, slopes_chosen, winner
from lmviz.trace.operations.records.reduce import factors, terms_of, total
from lmviz.trace.operations.slopes import Slopes, Use, along, constant
from lmviz.trace.step import Cell, Step


def _row_to(step: Step, cell: Cell) -> tuple[Group, int]:
    """The row that a cell is in, and how many of its numbers come up to and with it."""
    x = inputs(step)[0]
    cells = group(x, axes_of(step.settings.get("dim", -1), x.array.ndim), cell)
    return cells, (cell[cells.axes[0]] if cell else 0) + 1


def _explain_cumsum(step: Step, cell: Cell) -> Explanation:
    """The sum of all numbers along `dim` up to and including this one."""
    cells, count = _row_to(step, cell)
    formula = rf"{result(step, cell)} = \sum_{{i=0}}^{{{count - 1}}} {cells.latex()}"
    return Explanation(formula, terms_of(cells, count), total(cells, count))


def _slopes_cumsum(use: Use) -> Slopes:
    """A number is in every sum from its own place on."""
    if not use.cell:
        return constant(np.zeros(1, np.intp))
    (axis,) = axes_of(use.step.settings["dim"], len(use.cell))
    return constant(along(use, axis)[use.cell[axis] :])


def _explain_cumprod(step: Step, cell: Cell) -> Explanation:
    """The product of all numbers along `dim` up to and including this one."""
    cells, count = _row_to(step, cell)
    formula = rf"{result(step, cell)} = \prod_{{i=0}}^{{{count - 1}}} {cells.latex()}"
    return Explanation(formula, (factors(cells, count),), math.prod(cells.exact[:count]))


def _explain_logcumsumexp(step: Step, cell: Cell) -> Explanation:
    """ln of the sum of e^x up to and including this one: m + ln(sum of e^(x_i - m)), with m the largest of them."""
    cells, count = _row_to(step, cell)
    numbers = cells.numbers[:count]
    best = cells.operand(int(np.argmax(numbers)))
    m: Any = best if np.isfinite(best.value) else 0.0
    highest = float(best.value.real) if np.isfinite(best.value) else 0.0

    def term(i: int) -> Term:
        x = cells.operand(i)
        value = float(np.exp(numbers[i] - highest))
        return Term(cells.label(i), (value,), value, (None,), write("exp({x} − {m})", x=x, m=m))

    terms = Terms(np.exp(numbers - highest), term)
    formula = rf"{result(step, cell)} = \ln \sum_{{i=0}}^{{{count - 1}}} e^{{{cells.latex()}}}"
    value = highest + np.log(terms.values.sum())
    return Explanation(formula, terms, float(value), write("{m} + ln({terms})", m=m))


def _explain_cumulative_extreme(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """cummax and cummin: the largest (smallest) number so far, and, as the second output, where it stands."""
    cells, count = _row_to(step, cell)
    sign = 1 if step.op == "cummax" else -1
    numbers = cells.numbers[:count]
    place = as_torch_chose(cells, winner(numbers, sign), int(step.outputs[1].array[cell]))
    left = rf"{result(step, cell, output)} = \{step.op[-3:]}_{{{cells.letters} < {count}}} {cells.latex()}"
    return number_or_place(left, cells, place, output == 1)


def _explain_diff(step: Step, cell: Cell) -> Explanation:
    """What a number is more than the one before it along `dim`."""
    if option(step, "n", 1) != 1 or len(step.inputs) > 1:
        raise NotImplementedError("differences of differences")
    x = inputs(step)[0]
    (axis,) = axes_of(step.settings.get("dim", -1), x.array.ndim)
    after = tuple(i + 1 if a == axis else i for a, i in enumerate(cell))
    formula = rf"{result(step, cell)} = {x.latex(*after)} - {x.latex(*cell)}"
    value: Any = x.exact(after) - x.exact(cell)
    if x.array.dtype == bool:
        return Explanation(formula, (), abs(value), write("[{a} ≠ {b}]", a=x.piece(after), b=x.piece(cell)))
    return Explanation(formula, (), value, write("{a} − {b}", a=x.piece(after), b=x.piece(cell)))


def _slopes_diff(use: Use) -> Slopes:
    """+1 where the number is taken from, -1 where it is taken off."""
    (axis,) = axes_of(use.step.settings.get("dim", -1), len(use.cell))
    found = {}
    for step, slope in ((-1, 1.0), (0, -1.0)):
        cell = tuple(i + step if a == axis else i for a, i in enumerate(use.cell))
        if 0 <= cell[axis] < use.shape[axis]:
            found[int(np.ravel_multi_index(cell, use.shape))] = slope
    return Slopes(np.array([*found], np.intp), np.array([*found.values()], np.float64))


def _explain_trapezoid(step: Step, cell: Cell) -> Explanation:
    """The area under a line through some points: the means of neighbours, times how far apart they are."""
    y = inputs(step)[0]
    if len(step.inputs) > 1:
        raise NotImplementedError("an area over places of its own")
    cells, apart = group(y, axes_of(step.settings.get("dim", -1), y.array.ndim), cell), option(step, "dx", 1.0)
    ends = {0, len(cells) - 1} if len(cells) > 1 else set()
    weights = np.array([0.5 if i in ends else 1.0 for i in range(len(cells))]) * apart * (len(cells) > 1)
    values = cells.numbers * weights
    terms = Terms(values, lambda i: product(cells.label(i), (plain(float(weights[i])), ()), (y, cells.cell(i))))
    formula = rf"{result(step, cell)} = \sum_i w_i \cdot {cells.latex()}"
    return Explanation(formula, terms, float(values.sum()))


OPERATIONS = (
    Operation(name="cumsum", arguments="input dim", axes=ROWS, explain=_explain_cumsum, slopes=_slopes_cumsum),
    Operation(name="cumprod", arguments="input dim", axes=ROWS, explain=_explain_cumprod, slopes=slopes_of_torch),
    Operation(name="logcumsumexp", arguments="input dim", axes=ROWS, explain=_explain_logcumsumexp,
        slopes=slopes_of_torch),
    *(
        Operation(name=name, arguments="input dim", axes=ROWS, explain=_explain_cumulative_extreme,
            slopes=slopes_chosen, several=True)
        for name in ("cummax", "cummin")
    ),
    Operation(name="trapezoid", spellings="trapz", arguments="y x dim", axes=UNNAMED, explain=_explain_trapezoid,
        slopes=slopes_of_torch),
    Operation(name="diff", arguments="input n dim", axes=RESIZED, explain=_explain_diff, slopes=_slopes_diff),
)  # fmt: skip
