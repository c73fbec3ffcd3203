"""Reductions: many numbers along one or several axes become one."""

from __future__ import annotations

import numpy as np

from lmviz.explain.explanation import Explanation, Term, Terms, write
from lmviz.explain.given import inputs, option, product
from lmviz.explain.group import Group, axes_of, group, group_of
from lmviz.explain.latex import numeral, result
from lmviz.trace.step import Cell, Step


def terms_of(cells: Group, count: int) -> Terms:
    """The first numbers of a group, as they are."""
    return Terms(cells.numbers[:count], lambda i: product(cells.label(i), (cells.given, cells.cell(i))))


def explain_sum(step: Step, cell: Cell) -> Explanation:
    """The sum of all numbers along `dim`."""
    cells = group_of(step, cell)
    return Explanation(
        rf"{result(step, cell)} = \sum_{{{cells.letters}}} {cells.latex()}",
        terms_of(cells, len(cells)),
        float(cells.numbers.sum()),
    )


def explain_mean(step: Step, cell: Cell) -> Explanation:
    """The sum of all numbers along `dim`, divided by how many they are."""
    cells = group_of(step, cell)
    n = len(cells)
    formula = rf"{result(step, cell)} = \frac{{1}}{{{n}}} \sum_{{{cells.letters}}} {cells.latex()}"
    value = np.divide(cells.numbers.sum(), np.float64(n))
    return Explanation(formula, terms_of(cells, len(cells)), float(value), write("({terms}) / {n}", n=float(n)))


def correction_of(step: Step) -> float:
    """What is taken off the count: 1 makes a variance unbiased (Bessel)."""
    unbiased = step.settings.get("dim")  # x.var(False) says it first
    return float(unbiased) if isinstance(unbiased, bool) else option(step, "correction", option(step, "unbiased", 1.0))


def squares(cells: Group, mean: float) -> Terms:
    """The squared distance of each number from the mean."""

    def term(i: int) -> Term:
        x = cells.operand(i)
        off = x.value - mean
        return Term(cells.label(i), (off, off), off * off, (None, None), write("({x} − {mean}) ^ {2}", x=x, mean=mean))

    return Terms((cells.numbers - mean) ** 2, term)


def explain_var(step: Step, cell: Cell) -> Explanation:
    """The variance along `dim` (squared distances from the mean, over count - correction), or its square root."""
    cells = group_of(step, cell)
    numbers, n = cells.numbers, np.float64(max(len(cells) - correction_of(step), 0))
    mean = numbers.mean() if len(numbers) else np.float64(np.nan)
    variance = ((numbers - mean) ** 2).sum() / n
    root = step.op == "std"
    left, off = f"{result(step, cell)}{'^2' * root}", rf"({cells.latex()} - \mu)^2, \quad \mu = {numeral(float(mean))}"
    formula = rf"{left} = \frac{{1}}{{{n:g}}} \sum_{{{cells.letters}}} {off}"
    value, template = (np.sqrt(variance), "√(({terms}) / {n})") if root else (variance, "({terms}) / {n}")
    return Explanation(formula, squares(cells, float(mean)), float(value), write(template, n=float(n)))


def explain_prod(step: Step, cell: Cell) -> Explanation:
    """The product of all numbers along `dim`."""
    cells = group_of(step, cell)
    numbers = cells.numbers
    operands = tuple(cells.operand(i) for i in range(len(cells)))
    term = Term("", tuple(map(float, numbers)), float(numbers.prod()), operands, () if operands else (1.0,))
    return Explanation(rf"{result(step, cell)} = \prod_{{{cells.letters}}} {cells.latex()}", (term,), term.value)


def explain_cumsum(step: Step, cell: Cell) -> Explanation:
    """The sum of all numbers along `dim` up to and including this one."""
    x = inputs(step)[0]
    cells = group(x, axes_of(step.settings["dim"], x.array.ndim), cell)
    last = cell[cells.axes[0]] if cell else 0
    formula = rf"{result(step, cell)} = \sum_{{i=0}}^{{{last}}} {cells.latex()}"
    return Explanation(formula, terms_of(cells, last + 1), float(cells.numbers[: last + 1].sum()))
