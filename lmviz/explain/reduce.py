"""Reductions: many numbers along one or several axes become one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.explain.explanation import Explanation, Operand, Piece, Term, Terms, write
from lmviz.explain.given import Floats, Given, inputs, product, result
from lmviz.trace.step import Cell, Step


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The cells of a tensor that become one number, in the order of their index."""

    given: Given
    pattern: tuple[int | slice, ...]  # an index that takes them all
    axes: tuple[int, ...]

    @property
    def numbers(self) -> Floats:
        return self.given.row(self.pattern).reshape(-1)

    def __len__(self) -> int:
        return int(np.prod([self.given.shape[axis] for axis in self.axes], dtype=np.int64))

    def cell(self, i: int) -> Cell:
        """The cell of the i-th number."""
        inside = iter(np.unravel_index(i, [self.given.shape[axis] for axis in self.axes]) if self.axes else ())
        return tuple(int(next(inside)) if isinstance(index, slice) else index for index in self.pattern)

    def label(self, i: int) -> str:
        return ",".join(str(self.cell(i)[axis]) for axis in self.axes)

    def operand(self, i: int) -> Operand:
        cell = self.cell(i)
        return Operand(self.given.name, self.given.address, cell, float(self.given.array[cell]))

    def latex(self, letters: str = "ijkl") -> str:
        """The group's general member: `x_{0,3,i}`."""
        letter = iter(letters)
        return self.given.latex(*(next(letter, "i") if isinstance(index, slice) else index for index in self.pattern))


def axes_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """The axes that a `dim` setting means: None (and an empty tuple) is all of them."""
    if dim is None or dim == () or dim == []:
        return tuple(range(ndim))
    return tuple(sorted(int(axis) % max(ndim, 1) for axis in (dim if isinstance(dim, Iterable) else (dim,)))[:ndim])


def group(given: Given, axes: tuple[int, ...], cell: Cell) -> Group:
    """What becomes `cell` of the result; axes that were summed away may be kept with size 1, or be gone."""
    kept = iter(cell)
    ndim = given.array.ndim
    if len(cell) == ndim:
        return Group(given, tuple(slice(None) if a in axes else i for a, i in enumerate(cell)), axes)
    return Group(given, tuple(slice(None) if a in axes else next(kept) for a in range(ndim)), axes)


def group_of(step: Step, cell: Cell) -> Group:
    """The group that a reducing step made `cell` of."""
    x = inputs(step)[0]
    return group(x, axes_of(step.settings.get("dim"), x.array.ndim), cell)


def terms_of(cells: Group) -> Terms:
    """Each number of a group, as it is."""
    return Terms(len(cells), lambda i: product(cells.label(i), (cells.given, cells.cell(i))))


def explain_sum(step: Step, cell: Cell) -> Explanation:
    """The sum of all numbers along `dim`."""
    cells = group_of(step, cell)
    return Explanation(rf"{result(step, cell)} = \sum_i {cells.latex()}", terms_of(cells), float(cells.numbers.sum()))


def explain_mean(step: Step, cell: Cell) -> Explanation:
    """The sum of all numbers along `dim`, divided by how many they are."""
    cells = group_of(step, cell)
    n = len(cells)
    formula = rf"{result(step, cell)} = \frac{{1}}{{{n}}} \sum_i {cells.latex()}"
    value = np.divide(cells.numbers.sum(), np.float64(n))
    return Explanation(formula, terms_of(cells), float(value), write("({terms}) / {n}", n=float(n)))


def correction_of(step: Step) -> float:
    """What is taken off the count: 1 makes a variance unbiased (Bessel)."""
    correction = step.settings.get("correction")
    return float(step.settings.get("unbiased", True) if correction is None else correction)  # type: ignore[arg-type]


def squares(cells: Group, mean: float) -> Terms:
    """The squared distance of each number from the mean."""

    def term(i: int) -> Term:
        x = cells.operand(i)
        off = x.value - mean
        return Term(cells.label(i), (off, off), off * off, (None, None), write("({x} − {mean}) ^ {2}", x=x, mean=mean))

    return Terms(len(cells), term)


def explain_var(step: Step, cell: Cell) -> Explanation:
    """The variance along `dim` (squared distances from the mean, over count - correction), or its square root."""
    cells = group_of(step, cell)
    numbers, n = cells.numbers, np.float64(max(len(cells) - correction_of(step), 0))
    mean = numbers.mean() if len(numbers) else np.float64(np.nan)
    variance = ((numbers - mean) ** 2).sum() / n
    formula = rf"\frac{{1}}{{{n:g}}} \sum_i ({cells.latex()} - \bar{{x}})^2, \quad \bar{{x}} = {mean:.4g}"
    root = step.op == "std"
    template = "√(({terms}) / {n})" if root else "({terms}) / {n}"
    return Explanation(
        f"{result(step, cell)}{'^2' * root} = {formula}",
        squares(cells, float(mean)),
        float(np.sqrt(variance) if root else variance),
        write(template, n=float(n)),
    )


def explain_prod(step: Step, cell: Cell) -> Explanation:
    """The product of all numbers along `dim`."""
    cells = group_of(step, cell)
    numbers = cells.numbers
    operands = tuple(cells.operand(i) for i in range(len(cells)))
    term = Term("", tuple(map(float, numbers)), float(numbers.prod()), operands, () if operands else (1.0,))
    return Explanation(rf"{result(step, cell)} = \prod_i {cells.latex()}", (term,), term.value)


def winner(cells: Group, largest: bool) -> int:
    """Which number of a group is the largest (or smallest); the first of equals, and NaN before all."""
    numbers = cells.numbers
    return int(np.argmax(numbers) if largest else np.argmin(numbers))


def explain_extreme(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The largest (smallest) number along `dim`, and, as the second output of max and min, where it stands."""
    if any(name in ("dim", "other") for name in step.arguments):  # x.max(y): the larger of each pair
        return _larger(step, cell)
    cells = group_of(step, cell)
    largest = step.op in ("max", "amax", "argmax")
    best = winner(cells, largest)
    if step.op in ("argmax", "argmin") or output == 1:
        return _where(step, cell, output, cells, best if len(cells.axes) != 1 else cells.cell(best)[cells.axes[0]])
    if output == 0 and len(step.outputs) == 2:  # of equals, torch says itself which one it took
        best = int(step.outputs[1].array[cell])
    taken = cells.operand(best)
    formula = rf"{result(step, cell, output)} = \{'max' if largest else 'min'}_i {cells.latex()}"
    return Explanation(formula, (), taken.value, (taken,))


def _where(step: Step, cell: Cell, output: int, cells: Group, index: int) -> Explanation:
    """Where the largest stands. Of several equal ones, the one that torch chose."""
    chosen = int(step.outputs[output].array[cell])
    if 0 <= chosen < len(cells) and cells.operand(chosen).value == cells.operand(index).value:
        index = chosen
    name = "max" if "max" in step.op else "min"
    formula = rf"{result(step, cell, output)} = \operatorname{{arg{name}}}_i {cells.latex()}"
    return Explanation(formula, (), float(index), write("{x} → {i}", x=cells.operand(index), i=float(index)))


def _larger(step: Step, cell: Cell) -> Explanation:
    a, b = inputs(step)
    pieces: dict[str, Piece] = {"a": a.piece(a.under(cell)), "b": b.piece(b.under(cell))}
    numbers = a.number(a.under(cell)), b.number(b.under(cell))
    value = np.maximum(*numbers) if step.op == "max" else np.minimum(*numbers)
    formula = rf"{result(step, cell)} = \{step.op}({a.latex(*a.under(cell))}, {b.latex(*b.under(cell))})"
    return Explanation(formula, (), float(value), write(f"{step.op}({{a}}, {{b}})", **pieces))


def explain_cumsum(step: Step, cell: Cell) -> Explanation:
    """The sum of all numbers along `dim` up to and including this one."""
    x = inputs(step)[0]
    (axis,) = axes_of(step.settings["dim"], x.array.ndim) or (0,)
    at = [(*cell[:axis], i, *cell[axis + 1 :]) for i in range(cell[axis] + 1)] if cell else [()]
    terms = tuple(product(i, (x, one)) for i, one in enumerate(at))
    row = x.row((*cell[:axis], slice(0, cell[axis] + 1), *cell[axis + 1 :])) if cell else x.row(())
    latex = x.latex(*cell[:axis], "i", *cell[axis + 1 :])
    upper = cell[axis] if cell else 0
    return Explanation(rf"{result(step, cell)} = \sum_{{i=0}}^{{{upper}}} {latex}", terms, float(np.sum(row)))
