"""Slopes of products and look-ups: matmul, linear, einsum, embedding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lmviz.explain.einsum import read_einsum
from lmviz.explain.given import Given, needed, option
from lmviz.explain.slopes.use import Slopes, Use, constant, flat, mesh, reached, recorded, under


def slopes_matmul(use: Use) -> Slopes:
    a, b = use.given
    return _slopes_product(use, a, b, left=use.n == 0)


def _slopes_product(use: Use, a: Given, b: Given, left: bool) -> Slopes:
    """a[row, i] goes to the whole row of a @ b, each time multiplied by b[i, col]; b[i, col] to the whole column."""
    n_rows, n_cols = min(a.array.ndim, 2) - 1, min(b.array.ndim, 2) - 1
    n_batch = len(use.shape) - n_rows - n_cols
    batch = reached(use.cell[:-2], (a if left else b).shape[:-2], use.shape[:n_batch])
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


def slopes_addmm(use: Use) -> Slopes:
    """beta for what is added; alpha times the slopes of mat1 @ mat2."""
    if use.argument == "input":
        cells = flat(mesh(*reached(use.cell, use.given[use.n].shape, use.shape)), use.shape)
        return constant(cells, option(use.step, "beta", 1.0))
    alpha = option(use.step, "alpha", 1.0)
    found = _slopes_product(use, needed(use.step, "mat1"), needed(use.step, "mat2"), left=use.argument == "mat1")
    return found if alpha == 1 else Slopes(found.cells, alpha * found.values)


def slopes_outer(use: Use) -> Slopes:
    """a[row] goes to its row, times b[col]; b[col] to its column."""
    row, col = ([use.cell[0]], range(use.shape[1])) if use.n == 0 else (range(use.shape[0]), [use.cell[0]])
    out = mesh(row, col)
    return recorded(flat(out, use.shape), use.given[1 - use.n], [out[1 - use.n]])


def slopes_linear(use: Use) -> Slopes:
    """input[..., i] meets weight[o, i] for every o; weight[o, i] meets input[..., i] at every position."""
    x, weight = needed(use.step, "input"), needed(use.step, "weight")
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


def slopes_einsum(use: Use) -> Slopes:
    """The product of the other operands, summed over the letters that neither the output nor this operand has."""
    this = read_einsum(use.step)
    own = zip(this.labels[use.n], use.cell, use.given[use.n].shape, strict=True)
    letters = [(label, i) for label, i, size in own if size == this.sizes[label]]  # the others are repeated
    fixed = dict(letters)
    if any(fixed[label] != i for label, i in letters):  # off a diagonal
        return constant(np.zeros(0, np.intp))
    free = [label for label in this.sizes if label not in fixed]
    ranges = [range(this.sizes[label]) for label in free]
    at: dict[str, Any] = {**fixed, **dict(zip(free, mesh(*ranges), strict=True))}
    count = math.prod(map(len, ranges))
    products = np.ones(count)
    for n, operand in enumerate(this.operands):
        if n != use.n:
            products = products * operand.row(this.cells(n, at))
    every = [np.broadcast_to(at[label], count) for label in this.output]
    cells, which = np.unique(flat(every, use.shape) if every else np.zeros(count, np.intp), return_inverse=True)
    return Slopes(cells, np.bincount(which, products, len(cells)).astype(np.float64))


def slopes_embedding(use: Use) -> Slopes:
    """A row of the table goes to every position whose id asks for it, except the padding row, which does not learn."""
    ids, settings = needed(use.step, "input").array, use.step.settings
    if settings.get("scale_grad_by_freq") or settings.get("max_norm") is not None:
        raise NotImplementedError("an embedding that scales its gradients or its rows")
    if use.argument != "weight" or use.cell[0] == settings.get("padding_idx"):
        return constant(np.zeros(0, np.intp))
    row, column = use.cell
    return constant(np.flatnonzero(ids == row) * use.shape[-1] + column)
