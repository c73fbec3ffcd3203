"""Reductions: many numbers along one or several axes become one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import inputs, option, product
from lmviz.trace.operations.axes import REDUCED, UNNAMED
from lmviz.trace.operations.explanation import Explanation, Term, Terms, plain_number, write
from lmviz.trace.operations.group import Group, axes_of, group, group_of
from lmviz.trace.operations.latex import numeral, result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Slopes, Use, no_slopes, one
from lmviz.trace.step import Cell, Step


def terms_of(cells: Group, count: int) -> Terms:
    """The first numbers of a group, as they are."""
    return Terms(cells.numbers[:count], lambda i: product(cells.label(i), (cells.tensor, cells.cell(i))))


def total(cells: Group, count: int | None = None) -> Any:
    """The sum of the first numbers of a group, or of all: in full where they are whole."""
    return sum(cells.exact[:count]) if cells.tensor.is_whole else cells.numbers[:count].sum()


def result_cell(use: Use) -> tuple[Group, Cell]:
    """The group that a number belongs to, and the cell that the group becomes."""
    x = use.inputs[0]
    axes = axes_of(use.step.settings.get("dim"), x.array.ndim)
    kept = len(use.shape) == x.array.ndim
    if kept:
        cell = tuple(0 if axis in axes else i for axis, i in enumerate(use.cell))
    else:
        cell = tuple(i for axis, i in enumerate(use.cell) if axis not in axes)
    return group(x, axes, cell), cell


# -- sums and means --------------------------------------------------------------------------------------------------


def _explain_sum(step: Step, cell: Cell) -> Explanation:
    """The sum of all numbers along `dim`."""
    cells = group_of(step, cell)
    formula = rf"{result(step, cell)} = \sum_{{{cells.letters}}} {cells.latex()}"
    return Explanation(formula, terms_of(cells, len(cells)), total(cells))


def _slopes_sum(use: Use) -> Slopes:
    return one(use, result_cell(use)[1], 1.0)


def _explain_mean(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The sum of all numbers along `dim`, divided by how many they are."""
    cells = group_of(step, cell)
    n = len(cells)
    formula = rf"{result(step, cell, output)} = \frac{{1}}{{{n}}} \sum_{{{cells.letters}}} {cells.latex()}"
    value = np.divide(cells.numbers.sum(), np.float64(n))
    return Explanation(formula, terms_of(cells, len(cells)), plain_number(value), write("({terms}) / {n}", n=float(n)))


def _slopes_mean(use: Use) -> Slopes:
    cells, cell = result_cell(use)
    return one(use, cell, 1 / len(cells))


def _explain_sum_of_numbers(step: Step, cell: Cell) -> Explanation:
    """nansum and nanmean: what is NaN is left out."""
    cells = group_of(step, cell)
    found = np.flatnonzero(~np.isnan(cells.numbers))
    numbers = cells.numbers[found]
    terms = Terms(numbers, lambda i: product(cells.label(int(found[i])), (cells.tensor, cells.cell(int(found[i])))))
    formula = rf"{result(step, cell)} = \sum_{{{cells.letters}}} {cells.latex()}"
    if step.op == "nansum":
        return Explanation(formula, terms, float(numbers.sum()))
    n = float(len(found))
    return Explanation(formula, terms, float(np.divide(numbers.sum(), n)), write("({terms}) / {n}", n=n))


def _slopes_sum_of_numbers(use: Use) -> Slopes:
    cells, cell = result_cell(use)
    counts = ~np.isnan(use.inputs[0].number(use.cell))
    share = 1.0 if use.step.op == "nansum" else 1 / float((~np.isnan(cells.numbers)).sum())
    return one(use, cell, float(counts) * share)


def _explain_trace(step: Step, cell: Cell) -> Explanation:
    """The sum of the diagonal of a matrix."""
    x = inputs(step)[0]
    count = min(x.shape)
    diagonal = np.diagonal(x.row(...))
    terms = Terms(diagonal, lambda i: product(i, (x, (i, i))))
    value = sum(x.exact((i, i)) for i in range(count))
    return Explanation(rf"{result(step, cell)} = \sum_i {x.latex('i', 'i')}", terms, value)


def _slopes_trace(use: Use) -> Slopes:
    return one(use, (), float(use.cell[0] == use.cell[1]))


# -- spread ----------------------------------------------------------------------------------------------------------


def _correction_of(step: Step) -> float:
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


def _explain_var(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The variance along `dim` (squared distances from the mean, over count - correction), or its square root.

    var_mean and std_mean have the mean as their second output.
    """
    if output == 1:
        return _explain_mean(step, cell, output)
    cells = group_of(step, cell)
    numbers, n = cells.numbers, np.float64(max(len(cells) - _correction_of(step), 0))
    mean = numbers.mean() if len(numbers) else np.float64(np.nan)
    variance = ((numbers - mean) ** 2).sum() / n
    root = step.op.startswith("std")
    left, off = f"{result(step, cell)}{'^2' * root}", rf"({cells.latex()} - \mu)^2, \quad \mu = {numeral(float(mean))}"
    formula = rf"{left} = \frac{{1}}{{{n:g}}} \sum_{{{cells.letters}}} {off}"
    value, template = (np.sqrt(variance), "√(({terms}) / {n})") if root else (variance, "({terms}) / {n}")
    return Explanation(formula, squares(cells, float(mean)), float(value), write(template, n=float(n)))


def _slopes_var(use: Use) -> Slopes:
    """2 (x - mean) / (count - correction); for the root of it, that over twice the root."""
    if use.output == 1:
        return _slopes_mean(use)
    cells, cell = result_cell(use)
    row, n = cells.numbers, np.float64(max(len(cells) - _correction_of(use.step), 0))
    slope = 2 * (use.inputs[0].number(use.cell) - row.mean()) / n
    if use.step.op.startswith("std"):
        slope = slope / (2 * np.sqrt(((row - row.mean()) ** 2).sum() / n))
    return one(use, cell, float(slope))


# -- products --------------------------------------------------------------------------------------------------------


def _explain_prod(step: Step, cell: Cell) -> Explanation:
    """The product of all numbers along `dim`."""
    cells = group_of(step, cell)
    return Explanation(
        rf"{result(step, cell)} = \prod_{{{cells.letters}}} {cells.latex()}",
        (factors(cells, len(cells)),),
        math.prod(cells.exact),
    )


def factors(cells: Group, count: int) -> Term:
    """The product of the first numbers of a group."""
    operands = tuple(cells.operand(i) for i in range(count))
    numbers = cells.numbers[:count]
    return Term(
        "", tuple(map(plain_number, numbers)), plain_number(numbers.prod()), operands, () if operands else (1.0,)
    )


def _slopes_prod(use: Use) -> Slopes:
    """The product of all the others."""
    cells, cell = result_cell(use)
    others = np.ones(use.inputs[0].shape, bool)
    others[use.cell] = False
    return one(use, cell, float(cells.numbers[others[cells.pattern].reshape(-1)].prod()))


# -- questions -------------------------------------------------------------------------------------------------------


def _explain_count(step: Step, cell: Cell) -> Explanation:
    """How many of the numbers along `dim` are not 0; `any` asks whether one is, `all` whether every one is."""
    cells = group_of(step, cell)
    holds = cells.numbers != 0

    def term(i: int) -> Term:
        value = float(holds[i])
        return Term(cells.label(i), (value,), value, (None,), write("[{x} ≠ {0}]", x=cells.operand(i)))

    terms = Terms(holds.astype(np.float64), term)
    count, left = int(holds.sum()), f"{result(step, cell)} = "
    latex = rf"\sum_{{{cells.letters}}} [{cells.latex()} \neq 0]"
    if step.op == "count_nonzero":
        return Explanation(left + latex, terms, count)
    n = len(cells)
    value, sign, latex_sign = (count > 0, "≥ {1}", r"\geq 1") if step.op == "any" else (count == n, "= {n}", f"= {n}")
    return Explanation(f"{left}[{latex} {latex_sign}]", terms, float(value), write(f"[({{terms}}) {sign}]", n=float(n)))


_REDUCE = "input dim[] keepdim"
_VAR = "input dim[] unbiased keepdim"

OPERATIONS = (
    Operation(name="sum", arguments=_REDUCE, axes=REDUCED, explain=_explain_sum, slopes=_slopes_sum, complex=True),
    Operation(name="mean", arguments=_REDUCE, axes=REDUCED, explain=_explain_mean, slopes=_slopes_mean, complex=True),
    Operation(name="nansum", arguments=_REDUCE, axes=REDUCED, explain=_explain_sum_of_numbers,
        slopes=_slopes_sum_of_numbers),
    Operation(name="nanmean", arguments=_REDUCE, axes=REDUCED, explain=_explain_sum_of_numbers,
        slopes=_slopes_sum_of_numbers),
    Operation(name="trace", arguments="input", axes=UNNAMED, explain=_explain_trace, slopes=_slopes_trace),
    Operation(name="var", arguments=_VAR, defaults={"unbiased": True}, axes=REDUCED, explain=_explain_var,
        slopes=_slopes_var),
    Operation(name="std", arguments=_VAR, defaults={"unbiased": True}, axes=REDUCED, explain=_explain_var,
        slopes=_slopes_var),
    Operation(name="var_mean", arguments=_VAR, axes=REDUCED, explain=_explain_var, slopes=_slopes_var, several=True),
    Operation(name="std_mean", arguments=_VAR, axes=REDUCED, explain=_explain_var, slopes=_slopes_var, several=True),
    Operation(name="prod", arguments=_REDUCE, axes=REDUCED, explain=_explain_prod, slopes=_slopes_prod, complex=True),
    *(
        Operation(name=name, arguments=_REDUCE, axes=REDUCED, explain=_explain_count, slopes=no_slopes)
        for name in ("any", "all", "count_nonzero")
    ),
)  # fmt: skip
