"""Lengths of rows, and how far apart two of them are: norm, cdist, cosine_similarity."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, cell_at, cell_under, inputs, option, product, required_argument
from lmviz.trace.operations.axes import REDUCED, UNNAMED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Floats, Term, Terms, write
from lmviz.trace.operations.group import Group, axes_of, group
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.normalising import power_terms
from lmviz.trace.operations.records.order import winner
from lmviz.trace.step import Cell, Step

_ROOTS = {1.0: "{terms}", 2.0: "√({terms})"}


def _rooted(p: float) -> str:
    """How the p-th root of the sum of the terms is written."""
    return _ROOTS.get(p, f"({{terms}}) ^ ({{1}} / {{{p}}})")


# -- of one row ------------------------------------------------------------------------------------------------------


def _explain_length(step: Step, cell: Cell) -> Explanation:
    """The p-norm of the numbers along `dim`: the p-th root of the sum of |x|^p; their largest |x| for p = ∞."""
    x = inputs(step)[0]
    axes = axes_of(_dims(step), x.array.ndim)
    cells, p = group(x, axes, cell), _power(step, len(axes))
    left = rf"{result(step, cell)} = \|{cells.latex()}\|_{{{p:g}}}"
    sizes = np.abs(cells.numbers)
    if np.isinf(p):
        i = winner(sizes, 1 if p > 0 else -1)
        return Explanation(left, (), float(sizes[i]), write("|{x}|", x=cells.operand(i)))
    if p == 0:
        return _nonzero(left, cells)
    value = (sizes**p).sum() ** (1 / p)
    return Explanation(left, power_terms(cells, p), float(value), write(_rooted(p)))


def _dims(step: Step) -> Any:
    return step.settings.get("dim")


def _power(step: Step, n_axes: int) -> float:
    """The p of a norm. Of two axes together, linalg.norm takes norms of matrices, which are something else."""
    p = step.settings.get("p" if step.op == "norm" else "ord")
    if p in (None, "fro"):
        return 2.0
    whole_matrix = step.op == "linalg_norm" and n_axes == 2
    if isinstance(p, str) or whole_matrix:
        raise NotImplementedError("the norm of a matrix")
    return float(p)  # type: ignore[arg-type]


def _nonzero(left: str, cells: Group) -> Explanation:
    holds = (cells.numbers != 0).astype(np.float64)

    def term(i: int) -> Term:
        return Term(
            cells.label(i), (float(holds[i]),), float(holds[i]), (None,), write("[{x} ≠ {0}]", x=cells.operand(i))
        )

    return Explanation(left, Terms(holds, term), float(holds.sum()))


# -- of two rows -----------------------------------------------------------------------------------------------------


def _apart(
    step: Step, cell: Cell, a: tuple[Argument, list[Cell]], b: tuple[Argument, list[Cell]], p: float, eps: float
) -> Explanation:
    """The p-norm of the difference of two rows, to each number of which `eps` is added."""
    (x, x_cells), (y, y_cells) = a, b
    off: Floats = np.array([x.number(i) - y.number(j) + eps for i, j in zip(x_cells, y_cells, strict=True)], np.float64)
    formula = rf"{result(step, cell)} = \|{x.latex('i')} - {y.latex('i')}\|_{{{p:g}}}"
    more = " + {eps}" if eps else ""
    if np.isinf(p):
        n = winner(np.abs(off))
        written = write(f"|{{a}} − {{b}}{more}|", a=x.piece(x_cells[n]), b=y.piece(y_cells[n]), eps=eps)
        return Explanation(formula, (), float(np.abs(off[n])), written)
    powers = np.abs(off) ** p if p else (off != 0).astype(np.float64)

    def term(i: int) -> Term:
        template = f"({{a}} − {{b}}{more}) ^ {{2}}" if p == 2 else f"|{{a}} − {{b}}{more}| ^ {{p}}"
        template = "[{a} ≠ {b}]" if p == 0 else template
        written = write(template, a=x.piece(x_cells[i]), b=y.piece(y_cells[i]), eps=eps, p=p)
        return Term(str(i), (float(powers[i]),), float(powers[i]), (None,), written)

    if p == 0:
        return Explanation(formula, Terms(powers, term), float(powers.sum()))
    return Explanation(formula, Terms(powers, term), float(powers.sum() ** (1 / p)), write(_rooted(p)))


def _explain_cdist(step: Step, cell: Cell) -> Explanation:
    """The distance from a row of x1 to a row of x2."""
    x, y = required_argument(step, "x1"), required_argument(step, "x2")
    *batch, row, col = cell
    i, j = (*cell_under(tuple(batch), x.shape[:-2]), row), (*cell_under(tuple(batch), y.shape[:-2]), col)
    every = range(x.shape[-1])
    return _apart(step, cell, (x, [(*i, k) for k in every]), (y, [(*j, k) for k in every]), option(step, "p", 2.0), 0.0)


def _explain_pairwise(step: Step, cell: Cell) -> Explanation:
    """The distance from each row of x1 to the row of x2 at the same place."""
    x, y = required_argument(step, "x1"), required_argument(step, "x2")
    lead = cell[:-1] if step.settings.get("keepdim") else cell
    rows = [
        (part, [(*cell_under(lead, part.shape[:-1]), k % part.shape[-1]) for k in range(max(x.shape[-1], y.shape[-1]))])
        for part in (x, y)
    ]
    return _apart(step, cell, rows[0], rows[1], option(step, "p", 2.0), option(step, "eps", 1e-6))


def _explain_pdist(step: Step, cell: Cell) -> Explanation:
    """The distance between two rows of one tensor; each pair once, in order."""
    x = inputs(step)[0]
    i, j = (int(side[cell[0]]) for side in np.triu_indices(x.shape[0], 1))
    every = range(x.shape[1])
    first: list[Cell] = [(i, k) for k in every]
    second: list[Cell] = [(j, k) for k in every]
    return _apart(step, cell, (x, first), (x, second), option(step, "p", 2.0), 0.0)


def _explain_dist(step: Step, cell: Cell) -> Explanation:
    """The p-norm of the difference of two whole tensors."""
    x, y = inputs(step)
    shape = np.broadcast_shapes(x.shape, y.shape)
    places = [cell_at(n, shape) for n in range(int(np.prod(shape)))]
    return _apart(
        step,
        cell,
        (x, [x.under(at) for at in places]),
        (y, [y.under(at) for at in places]),
        option(step, "p", 2.0),
        0.0,
    )


def _explain_cosine(step: Step, cell: Cell) -> Explanation:
    """a · b over the product of their lengths, each at least eps."""
    x, y = required_argument(step, "x1"), required_argument(step, "x2")
    shape = np.broadcast_shapes(x.shape, y.shape)
    (axis,), eps = axes_of(step.settings.get("dim", 1), len(shape)), option(step, "eps", 1e-8)
    places = [(*cell[:axis], k, *cell[axis:]) for k in range(shape[axis])]
    a, b = (np.array([part.number(part.under(at)) for at in places]) for part in (x, y))
    lengths = [float(np.maximum(np.sqrt((row * row).sum()), eps)) for row in (a, b)]
    terms = Terms(a * b, lambda i: product(i, (x, x.under(places[i])), (y, y.under(places[i]))))
    formula = (
        rf"{result(step, cell)} = \frac{{\sum_i {x.latex('i')} \cdot {y.latex('i')}}}{{\|{x.name}\| \, \|{y.name}\|}}"
    )
    written = write("({terms}) / ({a} × {b})", a=lengths[0], b=lengths[1])
    return Explanation(formula, terms, float((a * b).sum() / (lengths[0] * lengths[1])), written)


def _of_two(name: str, arguments: str, explain: Any) -> Operation:
    return Operation(name=name, arguments=arguments, axes=UNNAMED, explain=explain, slopes=slopes_of_torch)


OPERATIONS = (
    Operation(name="norm", arguments="input p dim[] keepdim out dtype", axes=REDUCED, explain=_explain_length,
        slopes=slopes_of_torch, complex=True),
    Operation(name="linalg_norm", arguments="input ord dim[] keepdim", axes=REDUCED, explain=_explain_length,
        slopes=slopes_of_torch, complex=True),
    Operation(name="linalg_vector_norm", arguments="input ord dim[] keepdim", axes=REDUCED, explain=_explain_length,
        slopes=slopes_of_torch, complex=True),
    _of_two("cdist", "x1 x2 p compute_mode", _explain_cdist),
    _of_two("pairwise_distance", "x1 x2 p eps keepdim", _explain_pairwise),
    _of_two("dist", "input other p", _explain_dist),
    _of_two("pdist", "input p", _explain_pdist),
    _of_two("cosine_similarity", "x1 x2 dim eps", _explain_cosine),
)  # fmt: skip
