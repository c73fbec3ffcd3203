"""Softmax and its relatives, with the largest number taken off first, as torch does, so that nothing overflows."""

from __future__ import annotations

import numpy as np

from lmviz.trace.operations.arguments import inputs
from lmviz.trace.operations.axes import REDUCED, ROWS
from lmviz.trace.operations.explanation import Explanation, Floats, Operand, Term, Terms, write
from lmviz.trace.operations.group import Group, axes_of, group, group_of
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.order import winner
from lmviz.trace.operations.records.reduce import result_cell
from lmviz.trace.operations.slopes import Slopes, Use, along, constant, one
from lmviz.trace.step import Cell, Step


def _row_of(step: Step, cell: Cell) -> tuple[Group, int]:
    """The numbers that compete for a cell, and which of them stands in its own place."""
    x, dim = inputs(step)[0], step.settings.get("dim")
    if dim is None:  # torch guesses: the first axis of 0, 1 or 3, else the second
        dim = 0 if x.array.ndim in (0, 1, 3) else 1
    axes = axes_of(dim, x.array.ndim)
    return group(x, axes, cell), cell[axes[0]] if axes else 0


def _exponentials(cells: Group, m: Operand | float) -> tuple[Terms, np.float64]:
    """e^(x - m) for each number of a row, and their sum."""
    values = np.exp(cells.numbers - _number(m))
    return Terms(values, lambda i: _exponential(cells, i, m)), values.sum()


def _number(m: Operand | float) -> np.float64:
    return np.float64(m.value.real if isinstance(m, Operand) else m)


def _exponential(cells: Group, i: int, m: Operand | float) -> Term:
    x = cells.operand(i)
    value = float(np.exp(_number(x) - _number(m)))
    return Term(cells.label(i), (value,), value, (None,), write("exp({x} − {m})", x=x, m=m))


def _largest(cells: Group) -> Operand:
    return cells.operand(winner(cells.numbers))


def _explain_softmax(step: Step, cell: Cell) -> Explanation:
    """The share of e^x in its row: e^(x - m) over the sum of e^(x_i - m), where m is the row's largest number.

    A row that is masked everywhere (-inf) has no shares: NaN, or 0 where attention has asked for that (`safe`).

    Source:
        Vaswani et al. 2017, eq. 1; Goodfellow et al. 2016, 4.1 for the shift by m.
    """
    cells, own = _row_of(step, cell)
    x, m = cells.operand(own), _largest(cells)
    if step.settings.get("safe") and np.isneginf(_number(m)):
        return Explanation(f"{result(step, cell)} = 0", (), 0.0, (0.0,))
    terms, total = _exponentials(cells, m)
    value = np.exp(_number(x) - _number(m)) / total
    formula = rf"\frac{{e^{{{cells.tensor.latex(*cell)} - m}}}}{{\sum_{{{cells.letters}}} e^{{{cells.latex()} - m}}}}"
    shift = rf", \quad m = {cells.tensor.latex(*m.cell)}"
    return Explanation(f"{result(step, cell)} = {formula}{shift}", terms, float(value), write(_SHARE, x=x, m=m))


_SHARE = "exp({x} − {m}) / ({terms})"


def _explain_log_softmax(step: Step, cell: Cell) -> Explanation:
    """ln of the softmax: x - m - ln(sum of e^(x_i - m)), in nats; m is the row's largest number."""
    cells, own = _row_of(step, cell)
    x, m = cells.operand(own), _largest(cells)
    terms, total = _exponentials(cells, m)
    value = _number(x) - _number(m) - np.log(total)
    formula = (
        rf"{result(step, cell)} = {cells.tensor.latex(*cell)} - \ln \sum_{{{cells.letters}}} e^{{{cells.latex()}}}"
    )
    return Explanation(formula, terms, float(value), write("{x} − {m} − ln({terms})", x=x, m=m))


def _explain_logsumexp(step: Step, cell: Cell) -> Explanation:
    """ln of the sum of e^x along `dim`: m + ln(sum of e^(x_i - m)), with m = 0 if the largest is not finite."""
    cells = group_of(step, cell)
    best = _largest(cells)
    m = best if np.isfinite(_number(best)) else 0.0
    terms, total = _exponentials(cells, m)
    formula = rf"{result(step, cell)} = \ln \sum_{{{cells.letters}}} e^{{{cells.latex()}}}"
    return Explanation(formula, terms, float(_number(m) + np.log(total)), write("{m} + ln({terms})", m=m))


def _explain_softmin(step: Step, cell: Cell) -> Explanation:
    """The share of e^-x in its row, with the row's smallest number put back, so that nothing overflows."""
    cells, own = _row_of(step, cell)
    x, m = cells.operand(own), cells.operand(winner(cells.numbers, -1))

    def term(i: int) -> Term:
        other = cells.operand(i)
        value = float(np.exp(_number(m) - _number(other)))
        return Term(cells.label(i), (value,), value, (None,), write("exp({m} − {x})", x=other, m=m))

    terms = Terms(np.exp(_number(m) - cells.numbers), term)
    value = np.exp(_number(m) - _number(x)) / terms.values.sum()
    formula = rf"\frac{{e^{{-{cells.tensor.latex(*cell)}}}}}{{\sum_{{{cells.letters}}} e^{{-{cells.latex()}}}}}"
    written = write("exp({m} − {x}) / ({terms})", x=x, m=m)
    return Explanation(f"{result(step, cell)} = {formula}", terms, float(value), written)


# -- slopes ----------------------------------------------------------------------------------------------------------


def _slopes_softmax(use: Use) -> Slopes:
    """Along the row, with p the shares and j this place: p_i ([i = j] - p_j), or [i = j] - p_j for log_softmax.

    For softmin, with the other sign.
    """
    if not use.cell:
        return constant(np.zeros(1, np.intp), 0.0)
    cells, own = _row_of(use.step, use.cell)
    sign = -1.0 if use.step.op == "softmin" else 1.0
    row = sign * cells.numbers
    if use.step.settings.get("safe") and np.isneginf(row).all():
        return constant(np.zeros(0, np.intp))
    shares = np.exp(row - _log_sum(row))
    slopes = sign * ((np.arange(len(row)) == own) - shares[own])
    return Slopes(along(use, cells.axes[0]), slopes if use.step.op == "log_softmax" else shares * slopes)


def _slopes_logsumexp(use: Use) -> Slopes:
    cells, cell = result_cell(use)
    return one(use, cell, float(np.exp(use.inputs[0].number(use.cell) - _log_sum(cells.numbers))))


def _log_sum(row: Floats) -> np.float64:
    m = row.max()
    return np.float64(m + np.log(np.exp(row - m).sum()))


OPERATIONS = (
    Operation(
        name="softmax",
        spellings="_safe_softmax special_softmax",
        implied={"_safe_softmax": {"safe": True}},
        arguments="input dim dtype",
        axes=ROWS,
        explain=_explain_softmax,
        slopes=_slopes_softmax,
    ),
    Operation(
        name="log_softmax",
        spellings="special_log_softmax",
        arguments="input dim dtype",
        axes=ROWS,
        explain=_explain_log_softmax,
        slopes=_slopes_softmax,
    ),
    Operation(name="softmin", arguments="input dim dtype", axes=ROWS, explain=_explain_softmin, slopes=_slopes_softmax),
    Operation(
        name="logsumexp",
        spellings="special_logsumexp",
        arguments="input dim[] keepdim",
        axes=REDUCED,
        explain=_explain_logsumexp,
        slopes=_slopes_logsumexp,
    ),
)
