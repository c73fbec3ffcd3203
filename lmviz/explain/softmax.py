"""Softmax and its relatives, with the largest number taken off first, as torch does, so that nothing overflows."""

from __future__ import annotations

import numpy as np

from lmviz.explain.explanation import Explanation, Operand, Term, Terms, write
from lmviz.explain.given import Floats, inputs, result
from lmviz.explain.reduce import Group, axes_of, group, group_of, winner
from lmviz.trace.step import Cell, Step


def row_of(step: Step, cell: Cell) -> tuple[Group, int]:
    """The numbers that compete for a cell, and which of them stands in its own place."""
    x = inputs(step)[0]
    axes = axes_of(step.settings["dim"], x.array.ndim)
    return group(x, axes, cell), cell[axes[0]] if axes else 0


def exponentials(cells: Group) -> tuple[Terms, float, Operand, np.float64]:
    """e^(x - m) for each number of a row: the terms, their sum, m as it is written, and m."""
    best = winner(cells, largest=True)
    largest = cells.operand(best)
    m = np.float64(largest.value)
    return Terms(len(cells), lambda i: _exponential(cells, i, largest)), float(shifted(cells, m).sum()), largest, m


def shifted(cells: Group, m: np.float64) -> Floats:
    numbers: Floats = np.exp(cells.numbers - m)
    return numbers


def _exponential(cells: Group, i: int, largest: Operand) -> Term:
    x = cells.operand(i)
    value = float(np.exp(np.float64(x.value) - largest.value))
    return Term(cells.label(i), (value,), value, (None,), write("exp({x} − {m})", x=x, m=largest))


def explain_softmax(step: Step, cell: Cell) -> Explanation:
    """The share of e^x in its row: e^(x - m) over the sum of e^(x_i - m), where m is the row's largest number.

    A row that is masked everywhere (-inf) has no shares: NaN.

    Source:
        Vaswani et al. 2017, eq. 1; Goodfellow et al. 2016, 4.1 for the shift by m.
    """
    cells, own = row_of(step, cell)
    terms, total, largest, m = exponentials(cells)
    x = cells.operand(own)
    value = np.exp(np.float64(x.value) - m) / np.float64(total)
    shift = f"- {largest.value:.4g}" if largest.value >= 0 else f"+ {-largest.value:.4g}"
    x_here = cells.given.latex(*cell)
    formula = rf"{result(step, cell)} = \frac{{e^{{{x_here} {shift}}}}}{{\sum_i e^{{{cells.latex()} {shift}}}}}"
    return Explanation(formula, terms, float(value), write("exp({x} − {m}) / ({terms})", x=x, m=largest))


def explain_log_softmax(step: Step, cell: Cell) -> Explanation:
    """ln of the softmax: x - m - ln(sum of e^(x_i - m)), in nats; m is the row's largest number."""
    cells, own = row_of(step, cell)
    terms, total, largest, m = exponentials(cells)
    x = cells.operand(own)
    value = np.float64(x.value) - m - np.log(np.float64(total))
    formula = rf"{result(step, cell)} = {cells.given.latex(*cell)} - \ln \sum_i e^{{{cells.latex()}}}"
    return Explanation(formula, terms, float(value), write("{x} − {m} − ln({terms})", x=x, m=largest))


def explain_logsumexp(step: Step, cell: Cell) -> Explanation:
    """ln of the sum of e^x along `dim`: m + ln(sum of e^(x_i - m))."""
    cells = group_of(step, cell)
    terms, total, largest, m = exponentials(cells)
    value = m + np.log(np.float64(total)) if np.isfinite(m) else m
    formula = rf"{result(step, cell)} = \ln \sum_i e^{{{cells.latex()}}}"
    return Explanation(formula, terms, float(value), write("{m} + ln({terms})", m=largest))
