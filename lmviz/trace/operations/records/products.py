"""Products that sum over an axis: matmul in all its shapes, linear, addmm and its relatives, outer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import (
    Argument,
    argument_of,
    cell_under,
    inputs,
    option,
    product,
    required_argument,
)
from lmviz.trace.operations.axes import BROADCAST, UNNAMED, Axes, AxisRule, Named, Settings, Shape, unnamed
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Terms, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Slopes, Use, broadcast_ranges, constant, flat, mesh, recorded, under
from lmviz.trace.step import Cell, Step


def _explain_matmul(step: Step, cell: Cell) -> Explanation:
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
    left, right = _rows_of(a, b, cell)
    return _dot(result(step, cell), a, left, b, right)


_Pattern = tuple[int | slice, ...]  # a cell with slice(None) in place of one index


def _rows_of(a: Argument, b: Argument, cell: Cell) -> tuple[_Pattern, _Pattern]:
    """Where the two vectors stand whose dot product is `cell` of a @ b."""
    rest = list(cell)
    col = [rest.pop()] if b.array.ndim > 1 else []
    row = [rest.pop()] if a.array.ndim > 1 else []
    batch = tuple(rest)
    left, right = cell_under(batch, a.shape[:-2]), cell_under(batch, b.shape[:-2])
    return (*left, *row, slice(None)), (*right, slice(None), *col)


def _filled(pattern: _Pattern, i: int) -> Cell:
    """The cell of a pattern whose open index is i."""
    return tuple(i if isinstance(index, slice) else index for index in pattern)


def _lettered(pattern: _Pattern, letter: str = "i") -> tuple[object, ...]:
    return tuple(letter if isinstance(index, slice) else index for index in pattern)


def _dot(name: str, a: Argument, left: _Pattern, b: Argument, right: _Pattern) -> Explanation:
    """The dot product of a row of `a` and a row of `b`."""
    x, y = a.row(left), b.row(right)
    products = x * y
    terms = Terms(products, lambda i: product(i, (a, _filled(left, i)), (b, _filled(right, i))))
    formula = rf"{name} = \sum_{{i}} {a.latex(*_lettered(left))} \cdot {b.latex(*_lettered(right))}"
    return Explanation(formula, terms, exact_sum([(a, left), (b, right)], products))


def exact_sum(factors: Sequence[tuple[Argument, Any]], products: Any) -> Any:
    """The sum of some products: in full where all factors are whole numbers."""
    if not all(part.is_whole for part, _ in factors):
        return products.sum()
    columns = [np.asarray(part.array[index], dtype=object) for part, index in factors]
    return int(np.sum(np.prod(np.broadcast_arrays(*columns), axis=0)))


def _slopes_matmul(use: Use) -> Slopes:
    a, b = use.inputs
    return _slopes_product(use, a, b, left=use.n == 0)


def _slopes_product(use: Use, a: Argument, b: Argument, left: bool) -> Slopes:
    """a[row, i] goes to the whole row of a @ b, each time multiplied by b[i, col]; b[i, col] to the whole column."""
    n_rows, n_cols = min(a.array.ndim, 2) - 1, min(b.array.ndim, 2) - 1
    n_batch = len(use.shape) - n_rows - n_cols
    batch = broadcast_ranges(use.cell[:-2], (a if left else b).shape[:-2], use.shape[:n_batch])
    rows, cols = use.shape[n_batch : n_batch + n_rows], use.shape[n_batch + n_rows :]
    if left:
        out = mesh(*batch, *([i] for i in use.cell[-2:-1]), *map(range, cols))
        inner, factor, before, after = use.cell[-1], b, [], out[n_batch + n_rows :]
    else:
        out = mesh(*batch, *map(range, rows), *([i] for i in use.cell[-1:] * n_cols))
        inner, factor, before, after = use.cell[-1 - n_cols], a, out[n_batch : n_batch + n_rows], []
    cells = flat(out, use.shape)
    return recorded(
        cells, factor, [*under(out[:n_batch], factor.shape[:-2]), *before, np.full_like(cells, inner), *after]
    )


def _explain_linear(step: Step, cell: Cell) -> Explanation:
    """One output of a linear layer: the sum over i of input[..., i] * weight[out, i], plus bias[out] if there is one.

    Args:
        step: a "linear" step with input [..., inner], weight [out, inner] (or [inner]) and bias [out] or None.
        cell: index into the output [..., out].
    """
    x, weight, bias = required_argument(step, "input"), required_argument(step, "weight"), argument_of(step, "bias")
    outer, out = (cell[:-1], cell[-1:]) if weight.array.ndim == 2 else (cell, ())
    found = _dot(result(step, cell), x, (*outer, slice(None)), weight, (*out, slice(None)))
    if bias is None:
        return found
    at = bias.under(out)
    formula, value = f"{found.formula} + {bias.latex(*at)}", found.value + bias.exact(at)
    return Explanation(formula, found.terms, value, write("{terms} + {bias}", bias=bias.piece(at)))


def _slopes_linear(use: Use) -> Slopes:
    """input[..., i] meets weight[o, i] for every o; weight[o, i] meets input[..., i] at every position."""
    x, weight = required_argument(use.step, "input"), required_argument(use.step, "weight")
    cell, outs = use.cell, use.shape[-1:] if weight.array.ndim == 2 else ()
    if use.argument == "input":
        out = mesh(*([i] for i in cell[:-1]), *map(range, outs))
        inner = np.full(len(out[0]) if out else 1, cell[-1])
        return recorded(flat(out, use.shape), weight, [*out[len(cell) - 1 :], inner])
    lead = x.shape[:-1]
    own = cell[:1] if outs else ()
    out = mesh(*map(range, lead), *([i] for i in own))
    cells = flat(out, use.shape)
    if use.argument == "bias":
        return constant(cells)
    return recorded(cells, x, [*out[: len(lead)], np.full_like(cells, cell[-1])])


def _explain_added_product(step: Step, cell: Cell) -> Explanation:
    """beta * input + alpha * (a @ b): a and b are matrices, batches of them, or b a vector."""
    start, a, b = (required_argument(step, name) for name in _factors_of(step))
    beta: Any = step.settings.get("beta", 1)
    alpha: Any = step.settings.get("alpha", 1)
    at = start.under(cell)
    left, right = _rows_of(a, b, cell)
    found = _dot(result(step, cell), a, left, b, right)
    value = (beta * start.exact(at) if beta else 0) + alpha * found.value
    if beta == 1 and alpha == 1:
        written = write("{terms} + {s}", s=start.piece(at))
    else:
        template = "{beta} × {s} + {alpha} × ({terms})" if beta else "{alpha} × ({terms})"
        written = write(template, beta=float(beta), alpha=float(alpha), s=start.piece(at))
    return Explanation(f"{found.formula} + {start.latex(*at)}", found.terms, value, written)


_FACTORS = {"addmm": ("mat1", "mat2"), "baddbmm": ("batch1", "batch2"), "addmv": ("mat", "vec")}


def _factors_of(step: Step) -> tuple[str, str, str]:
    return ("input", *_FACTORS[step.op])


def _slopes_added_product(use: Use) -> Slopes:
    """beta for what is added; alpha times the slopes of the product."""
    if use.argument == "input":
        cells = flat(mesh(*broadcast_ranges(use.cell, use.inputs[use.n].shape, use.shape)), use.shape)
        return constant(cells, option(use.step, "beta", 1.0))
    alpha = option(use.step, "alpha", 1.0)
    _, left, right = _factors_of(use.step)
    found = _slopes_product(
        use, required_argument(use.step, left), required_argument(use.step, right), left=use.argument == left
    )
    return found if alpha == 1 else Slopes(found.cells, alpha * found.values)


def _explain_outer(step: Step, cell: Cell) -> Explanation:
    """a[row] * b[col], for vectors a [rows] and b [cols]."""
    a, b = inputs(step)
    row, col = cell
    term = product("", (a, (row,)), (b, (col,)))
    value = a.exact((row,)) * b.exact((col,))
    return Explanation(rf"{result(step, cell)} = {a.latex(row)} \cdot {b.latex(col)}", (term,), value)


def _slopes_outer(use: Use) -> Slopes:
    """a[row] goes to its row, times b[col]; b[col] to its column."""
    row, col = ([use.cell[0]], range(use.shape[1])) if use.n == 0 else (range(use.shape[0]), [use.cell[0]])
    out = mesh(row, col)
    return recorded(flat(out, use.shape), use.inputs[1 - use.n], [out[1 - use.n]])


def _explain_added_products(step: Step, cell: Cell) -> Explanation:
    """addbmm: beta * input + alpha * (the sum over the batch of batch1 @ batch2); addr adds one outer product."""
    start, beta, alpha = required_argument(step, "input"), option(step, "beta", 1.0), option(step, "alpha", 1.0)
    if step.op == "addr":
        a, b = required_argument(step, "vec1"), required_argument(step, "vec2")
        cells: list[tuple[Cell, Cell]] = [(cell[:1], cell[1:])]
    else:
        a, b = required_argument(step, "batch1"), required_argument(step, "batch2")
        row, col = cell
        cells = [((n, row, k), (n, k, col)) for n in range(a.shape[0]) for k in range(a.shape[2])]
    at = start.under(cell)
    terms = tuple(product(",".join(map(str, i[:-2])), (a, i), (b, j)) for i, j in cells)
    value = (beta * float(start.number(at)) if beta else 0.0) + alpha * sum(
        float(a.number(i) * b.number(j)) for i, j in cells
    )
    written = write("{beta} × {s} + {alpha} × ({terms})", beta=beta, alpha=alpha, s=start.piece(at))
    formula = rf"{result(step, cell)} = {start.latex(*at)} + \sum_k {a.latex('k')} \cdot {b.latex('k')}"
    return Explanation(formula, terms, value, written)


def _explain_kron(step: Step, cell: Cell) -> Explanation:
    """Every number of the first matrix times the whole second one."""
    a, b = inputs(step)
    ndim = len(cell)
    sizes = (1,) * (ndim - b.array.ndim) + b.shape
    i = tuple(n // size for n, size in zip(cell, sizes, strict=True))[ndim - a.array.ndim :]
    j = tuple(n % size for n, size in zip(cell, sizes, strict=True))[ndim - b.array.ndim :]
    formula = rf"{result(step, cell)} = {a.latex(*i)} \cdot {b.latex(*j)}"
    return Explanation(formula, (product("", (a, i), (b, j)),), a.exact(i) * b.exact(j))


def _explain_cross(step: Step, cell: Cell) -> Explanation:
    """a × b of vectors of three: a_1 b_2 - a_2 b_1, and so on in turns."""
    a, b = inputs(step)
    axis = _axis_of_three(step)
    after, before = ((cell[axis] + n) % 3 for n in (1, 2))
    places = [(*cell[:axis], i, *cell[axis + 1 :]) for i in (after, before)]
    (a1, a2), (b1, b2) = ([part.under(at) for at in places] for part in (a, b))
    value = a.exact(a1) * b.exact(b2) - a.exact(a2) * b.exact(b1)
    formula = rf"{a.latex(*a1)} \cdot {b.latex(*b2)} - {a.latex(*a2)} \cdot {b.latex(*b1)}"
    written = write("{a} × {b} − {c} × {d}", a=a.piece(a1), b=b.piece(b2), c=a.piece(a2), d=b.piece(b1))
    return Explanation(f"{result(step, cell)} = {formula}", (), value, written)


def _axis_of_three(step: Step) -> int:
    """The axis of a cross product: the one that is named, or the first of size 3."""
    shape = step.outputs[0].shape
    dim: Any = step.settings.get("dim", -1 if step.op == "linalg_cross" else None)
    return shape.index(3) if dim is None else int(dim) % len(shape)


# -- names of axes ---------------------------------------------------------------------------------------------------


def _matmul_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    (_, left), (_, right) = inputs[0], inputs[1]
    if len(left) == 1 or len(right) == 1:
        return left[:-1] if len(right) == 1 else (*right[:-2], right[-1])
    return (*left[:-1], right[-1]) if len(left) >= len(right) else (*right[:-2], left[-2], right[-1])


def _matmul_axes_back(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    if len(shape) != len(after[1]):
        return ()
    return (*after[1][:-1], "") if argument == "input" else (*after[1][:-2], "", after[1][-1])


def _linear_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    return (*inputs[0][1][:-1], "")


def _linear_axes_back(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    return (*after[1][:-1], "") if argument == "input" else ()


def _linear_weight_axes(argument: str, shape: Shape, last_in: str, last_out: str) -> Axes:
    if argument == "weight":
        return (last_out, last_in)
    return (last_out,) if argument == "bias" else unnamed(shape)


OPERATIONS = (
    Operation(
        name="matmul",
        spellings="rmatmul bmm mm mv dot",
        arguments="input other",
        axes=AxisRule(_matmul_axes, _matmul_axes_back),
        explain=_explain_matmul,
        slopes=_slopes_matmul,
        sign="@",
        complex=True,
    ),
    Operation(
        name="linear",
        arguments="input weight bias",
        axes=AxisRule(_linear_axes, _linear_axes_back, _linear_weight_axes),
        explain=_explain_linear,
        slopes=_slopes_linear,
        sign="@",
        complex=True,
    ),
    *(
        Operation(
            name=name,
            arguments=f"input {factors}",
            axes=UNNAMED,
            explain=_explain_added_product,
            slopes=_slopes_added_product,
        )
        for name, factors in (("addmm", "mat1 mat2"), ("baddbmm", "batch1 batch2"), ("addmv", "mat vec"))
    ),
    Operation(
        name="outer",
        spellings="ger",
        arguments="input vec2",
        axes=UNNAMED,
        explain=_explain_outer,
        slopes=_slopes_outer,
        sign="×",
        complex=True,
    ),
    Operation(
        name="addbmm",
        arguments="input batch1 batch2",
        axes=UNNAMED,
        explain=_explain_added_products,
        slopes=slopes_of_torch,
    ),
    Operation(
        name="addr", arguments="input vec1 vec2", axes=UNNAMED, explain=_explain_added_products, slopes=slopes_of_torch
    ),
    Operation(
        name="kron", arguments="input other", axes=UNNAMED, explain=_explain_kron, slopes=slopes_of_torch, complex=True
    ),
    *(
        Operation(
            name=name,
            arguments="input other dim",
            axes=replace(BROADCAST, rows="*"),
            explain=_explain_cross,
            slopes=slopes_of_torch,
            sign="×",
            complex=True,
        )
        for name in ("cross", "linalg_cross")
    ),
)
