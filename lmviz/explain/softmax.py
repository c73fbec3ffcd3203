"""Softmax and its relatives, with the largest number taken off first, as torch does, so that nothing overflows."""

from __future__ import annotations

import numpy as np

from lmviz.explain.explanation import Explanation, Operand, Term, Terms, write
from lmviz.explain.given import inputs
from lmviz.explain.group import Group, axes_of, group, group_of
from lmviz.explain.latex import result
from lmviz.explain.order import winner
from lmviz.trace.step import Cell, Step


def row_of(step: Step, cell: Cell) -> tuple[Group, int]:
    """The numbers that compete for a cell, and which of them stands in its own place."""
    x, dim = inputs(step)[0], step.settings.get("dim")
    if dim is None:
        raise NotImplementedError("a softmax that guesses its axis")
    axes = axes_of(dim, x.array.ndim)
    return group(x, axes, cell), cell[axes[0]] if axes else 0


def exponentials(cells: Group, m: Operand | float) -> tuple[Terms, np.float64]:
    """e^(x - m) for each number of a row, and their sum."""
    values = np.exp(cells.numbers - number(m))
    return Terms(values, lambda i: _exponential(cells, i, m)), values.sum()


def number(m: Operand | float) -> np.float64:
    return np.float64(m.value if isinstance(m, Operand) else m)


def _exponential(cells: Group, i: int, m: Operand | float) -> Term:
    x = cells.operand(i)
    value = float(np.exp(x.value - number(m)))
    return Term(cells.label(i), (value,), value, (None,), write("exp({x} − {m})", x=x, m=m))


def largest(cells: Group) -> Operand:
    return cells.operand(winner(cells))


def explain_softmax(step: Step, cell: Cell) -> Explanation:
    """The share of e^x in its row: e^(x - m) over the sum of e^(x_i - m), where m is the row's largest number.

    A row that is masked everywhere (-inf) has no shares: NaN.

    Source:
        Vaswani et al. 2017, eq. 1; Goodfellow et al. 2016, 4.1 for the shift by m.
    """
    cells, own = row_of(step, cell)
    x, m = cells.operand(own), largest(cells)
    terms, total = exponentials(cells, m)
    value = np.exp(x.value - number(m)) / total
    formula = rf"\frac{{e^{{{cells.given.latex(*cell)} - m}}}}{{\sum_{{{cells.letters}}} e^{{{cells.latex()} - m}}}}"
    shift = rf", \quad m = {cells.given.latex(*m.cell)}"
    return Explanation(f"{result(step, cell)} = {formula}{shift}", terms, float(value), write(_SHARE, x=x, m=m))


_SHARE = "exp({x} − {m}) / ({terms})"


def explain_log_softmax(step: Step, cell: Cell) -> Explanation:
    """ln of the softmax: x - m - ln(sum of e^(x_i - m)), in nats; m is the row's largest number."""
    cells, own = row_of(step, cell)
    x, m = cells.operand(own), largest(cells)
    terms, total = exponentials(cells, m)
    value = x.value - number(m) - np.log(total)
    formula = rf"{result(step, cell)} = {cells.given.latex(*cell)} - \ln \sum_{{{cells.letters}}} e^{{{cells.latex()}}}"
    return Explanation(formula, terms, float(value), write("{x} − {m} − ln({terms})", x=x, m=m))


def explain_logsumexp(step: Step, cell: Cell) -> Explanation:
    """ln of the sum of e^x along `dim`: m + ln(sum of e^(x_i - m)), with m = 0 if the largest is not finite."""
    cells = group_of(step, cell)
    best = largest(cells)
    m = best if np.isfinite(best.value) else 0.0
    terms, total = exponentials(cells, m)
    formula = rf"{result(step, cell)} = \ln \sum_{{{cells.letters}}} e^{{{cells.latex()}}}"
    return Explanation(formula, terms, float(number(m) + np.log(total)), write("{m} + ln({terms})", m=m))
