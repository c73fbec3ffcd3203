"""Products that sum over an axis: matmul in all its shapes, linear, addmm, outer."""

from __future__ import annotations

from lmviz.explain.explanation import Explanation, Terms, write
from lmviz.explain.given import Given, cell_under, given, inputs, needed, option, product
from lmviz.explain.latex import result
from lmviz.trace.step import Cell, Step


def explain_matmul(step: Step, cell: Cell) -> Explanation:
    """The dot product behind one cell of `a @ b`, term by term.

    Args:
        step: a "matmul" step with inputs a [*batch, rows, inner] and b [*batch, inner, cols]; either may be a vector
            [inner], and batch axes broadcast.
        cell: index into the output, [*batch, rows, cols] without the axes that a vector lacks.

    Returns:
        One term for each inner index i, worth a[*batch, row, i] * b[*batch, i, col]. They are added in float64, so
        their sum agrees with torch's float32 to about 1e-5 relative to the largest of them.

    Source:
        Vaswani et al. 2017, eq. 1, for the products q @ kᵀ and pattern @ v.
    """
    a, b = inputs(step)
    left, right = rows_of(a, b, cell)
    return dot(result(step, cell), a, left, b, right)


Pattern = tuple[int | slice, ...]  # a cell with slice(None) in place of one index


def rows_of(a: Given, b: Given, cell: Cell) -> tuple[Pattern, Pattern]:
    """Where the two vectors stand whose dot product is `cell` of a @ b."""
    rest = list(cell)
    col = [rest.pop()] if b.array.ndim > 1 else []
    row = [rest.pop()] if a.array.ndim > 1 else []
    batch = tuple(rest)
    left, right = cell_under(batch, a.shape[:-2]), cell_under(batch, b.shape[:-2])
    return (*left, *row, slice(None)), (*right, slice(None), *col)


def filled(pattern: Pattern, i: int) -> Cell:
    """The cell of a pattern whose open index is i."""
    return tuple(i if isinstance(index, slice) else index for index in pattern)


def lettered(pattern: Pattern, letter: str = "i") -> tuple[object, ...]:
    return tuple(letter if isinstance(index, slice) else index for index in pattern)


def dot(name: str, a: Given, left: Pattern, b: Given, right: Pattern) -> Explanation:
    """The dot product of a row of `a` and a row of `b`."""
    x, y = a.row(left), b.row(right)
    products = x * y
    terms = Terms(products, lambda i: product(i, (a, filled(left, i)), (b, filled(right, i))))
    formula = rf"{name} = \sum_{{i}} {a.latex(*lettered(left))} \cdot {b.latex(*lettered(right))}"
    return Explanation(formula, terms, float(products.sum()))


def explain_linear(step: Step, cell: Cell) -> Explanation:
    """One output of a linear layer: the sum over i of input[..., i] * weight[out, i], plus bias[out] if there is one.

    Args:
        step: a "linear" step with input [..., inner], weight [out, inner] (or [inner]) and bias [out] or None.
        cell: index into the output [..., out].
    """
    x, weight, bias = needed(step, "input"), needed(step, "weight"), given(step, "bias")
    outer, out = (cell[:-1], cell[-1:]) if weight.array.ndim == 2 else (cell, ())
    found = dot(result(step, cell), x, (*outer, slice(None)), weight, (*out, slice(None)))
    if bias is None:
        return found
    at = bias.under(out)
    formula, value = f"{found.formula} + {bias.latex(*at)}", found.value + float(bias.number(at))
    return Explanation(formula, found.terms, value, write("{terms} + {bias}", bias=bias.piece(at)))


def explain_addmm(step: Step, cell: Cell) -> Explanation:
    """beta * input + alpha * (mat1 @ mat2), with mat1 [rows, inner] and mat2 [inner, cols]."""
    start, a, b = needed(step, "input"), needed(step, "mat1"), needed(step, "mat2")
    beta, alpha, at = option(step, "beta", 1.0), option(step, "alpha", 1.0), start.under(cell)
    left, right = rows_of(a, b, cell)
    found = dot(result(step, cell), a, left, b, right)
    value = (beta * float(start.number(at)) if beta else 0.0) + alpha * found.value
    written = write("{beta} × {s} + {alpha} × ({terms})", beta=beta, alpha=alpha, s=start.piece(at))
    return Explanation(f"{found.formula} + {start.latex(*at)}", found.terms, value, written)


def explain_outer(step: Step, cell: Cell) -> Explanation:
    """a[row] * b[col], for vectors a [rows] and b [cols]."""
    a, b = inputs(step)
    row, col = cell
    term = product("", (a, (row,)), (b, (col,)))
    return Explanation(rf"{result(step, cell)} = {a.latex(row)} \cdot {b.latex(col)}", (term,), term.value)
