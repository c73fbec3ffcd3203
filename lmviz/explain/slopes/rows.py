"""Slopes of reductions, softmax and normalisation: numbers that share a row act on each other."""

from __future__ import annotations

import numpy as np

from lmviz.explain.explanation import Floats
from lmviz.explain.given import needed, place_of
from lmviz.explain.group import Group, axes_of, group
from lmviz.explain.norm import normed_row
from lmviz.explain.reduce import correction_of
from lmviz.explain.slopes.use import Ints, Slopes, Use, constant, flat, mesh
from lmviz.trace.step import Cell


def result_cell(use: Use) -> tuple[Group, Cell]:
    """The group that a number belongs to, and the cell that the group becomes."""
    x = use.given[0]
    axes = axes_of(use.step.settings.get("dim"), x.array.ndim)
    kept = len(use.shape) == x.array.ndim
    if kept:
        cell = tuple(0 if axis in axes else i for axis, i in enumerate(use.cell))
    else:
        cell = tuple(i for axis, i in enumerate(use.cell) if axis not in axes)
    return group(x, axes, cell), cell


def one(use: Use, cell: Cell, slope: float) -> Slopes:
    return constant(np.array([place_of(cell, use.shape)]), slope)


def slopes_sum(use: Use) -> Slopes:
    return one(use, result_cell(use)[1], 1.0)


def slopes_mean(use: Use) -> Slopes:
    cells, cell = result_cell(use)
    return one(use, cell, 1 / len(cells))


def slopes_var(use: Use) -> Slopes:
    """2 (x - mean) / (count - correction); for the root of it, that over twice the root."""
    cells, cell = result_cell(use)
    row, n = cells.numbers, np.float64(max(len(cells) - correction_of(use.step), 0))
    slope = 2 * (use.given[0].number(use.cell) - row.mean()) / n
    if use.step.op == "std":
        slope = slope / (2 * np.sqrt(((row - row.mean()) ** 2).sum() / n))
    return one(use, cell, float(slope))


def slopes_prod(use: Use) -> Slopes:
    """The product of all the others."""
    cells, cell = result_cell(use)
    others = np.ones(use.given[0].shape, bool)
    others[use.cell] = False
    return one(use, cell, float(cells.numbers[others[cells.pattern].reshape(-1)].prod()))


def slopes_extreme(use: Use) -> Slopes:
    """Only the largest number counts; equal ones have equal shares."""
    cells, cell = result_cell(use)
    best = cells.numbers.max() if "max" in use.step.op else cells.numbers.min()
    won = use.given[0].number(use.cell) == best
    return one(use, cell, float(won) / float((cells.numbers == best).sum()))


def slopes_logsumexp(use: Use) -> Slopes:
    cells, cell = result_cell(use)
    return one(use, cell, float(np.exp(use.given[0].number(use.cell) - _log_sum(cells.numbers))))


def _log_sum(row: Floats) -> np.float64:
    m = row.max()
    return np.float64(m + np.log(np.exp(row - m).sum()))


def along(use: Use, axis: int) -> Ints:
    """All cells of the output that differ from this one along one axis only."""
    ranges = [range(size) if a == axis else [i] for a, (i, size) in enumerate(zip(use.cell, use.shape, strict=True))]
    return flat(mesh(*ranges), use.shape)


def slopes_cumsum(use: Use) -> Slopes:
    """A number is in every sum from its own place on."""
    if not use.cell:
        return constant(np.zeros(1, np.intp))
    (axis,) = axes_of(use.step.settings["dim"], len(use.cell))
    return constant(along(use, axis)[use.cell[axis] :])


def slopes_softmax(use: Use) -> Slopes:
    """Along the row, with p the shares and j this place: p_i ([i = j] - p_j), or [i = j] - p_j for log_softmax."""
    if not use.cell:
        return constant(np.zeros(1, np.intp), 0.0)
    (axis,) = axes_of(use.step.settings["dim"], len(use.cell))
    row = group(use.given[0], (axis,), use.cell).numbers
    shares = np.exp(row - _log_sum(row))
    own = np.arange(len(row)) == use.cell[axis]
    slopes = own - shares[use.cell[axis]]
    return Slopes(along(use, axis), shares * slopes if use.step.op == "softmax" else slopes)


def slopes_norm(use: Use) -> Slopes:
    """Along the row, with h the normed numbers and j this place: weight_i ([i = j] - 1/n - h_i h_j / n) / scale.

    rms_norm lacks the 1/n. A weight's slope is the normed number at each position; a bias's is 1.
    """
    x = needed(use.step, "input")
    if use.argument != "input":
        lead = mesh(*map(range, x.shape[: x.array.ndim - len(use.cell)]))
        cells = flat([*lead, *(np.full(len(lead[0]) if lead else 1, i) for i in use.cell)], use.shape)
        return constant(cells) if use.argument == "bias" else Slopes(cells, _normed(use, cells))
    this = normed_row(use.step, use.cell)
    h, n = this.numbers, len(this.row)
    j = place_of(use.cell[-len(this.row.axes) :], x.shape[-len(this.row.axes) :])
    centred = 1 / n if use.step.op == "layer_norm" else 0.0
    slopes = ((np.arange(n) == j) - centred - h * h[j] / n) / this.scale
    weight = use.step.operand("weight")
    cells = np.arange(n) + use.place - j
    return Slopes(cells, slopes * weight.array.astype(np.float64).reshape(-1) if weight is not None else slopes)


def _normed(use: Use, cells: Ints) -> Floats:
    """The normed numbers, before weight and bias, at some cells."""
    x = needed(use.step, "input").row(...)
    axes = tuple(range(x.ndim - len(use.cell), x.ndim))
    this = normed_row(use.step, tuple(0 for _ in x.shape))
    mean = x.mean(axis=axes, keepdims=True) if use.step.op == "layer_norm" else np.float64(0)
    normed: Floats = (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + this.eps)
    return normed.reshape(-1)[cells]
