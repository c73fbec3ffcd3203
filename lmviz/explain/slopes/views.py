"""Slopes of views: a number goes, unchanged, to every cell that shows it."""

from __future__ import annotations

import numpy as np

from lmviz.explain.given import needed, option
from lmviz.explain.slopes.cells import meets, numbers
from lmviz.explain.slopes.rows import slopes_extreme
from lmviz.explain.slopes.use import Ints, Slopes, Use, constant, flat, mesh
from lmviz.explain.views import JOINED, SAME_ORDER, moved, places, through, written_to


def slopes_view(use: Use) -> Slopes:
    given = moved(use.step)
    if use.n >= len(given):  # it only said where to
        return constant(np.zeros(0, np.intp))
    if use.step.op in SAME_ORDER:
        return constant(np.array([use.place]))
    cells = None if use.step.op in JOINED or 0 in use.shape else _axis_by_axis(use)
    if cells is not None:
        return constant(cells)
    start = sum(part.array.size for part in given[: use.n])
    return constant(np.flatnonzero(places(use.step, given, use.output) == start + use.place))


def _axis_by_axis(use: Use) -> Ints | None:
    """Where a number is shown, found along each axis alone; None if the view copies memory, or mixes axes.

    For each axis of the input, its indices (repeated along the others, which takes no memory) are seen through the
    view: they then change along one axis of the output, or along none.
    """
    shape, found = use.step.inputs[use.n].shape, [np.arange(size) for size in use.shape]
    for axis, index in enumerate(use.cell):
        line = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - axis - 1))
        seen = through(use.step, np.broadcast_to(line, shape), use.output)
        changing = [a for a, stride in enumerate(seen.strides) if stride and seen.shape[a] > 1]
        if not np.may_share_memory(seen, line) or len(changing) > 1:
            return None
        here = seen[tuple(slice(None) if a in changing else 0 for a in range(seen.ndim))]
        if changing:
            found[changing[0]] = np.intersect1d(found[changing[0]], np.flatnonzero(here == index))
        elif here != index:
            return np.zeros(0, np.intp)
    return flat(mesh(*found), use.shape)


def slopes_setitem(use: Use) -> Slopes:
    """What was overwritten goes nowhere; the value goes where it was written."""
    x, value = needed(use.step, "input"), needed(use.step, "value")
    if use.argument not in ("input", "value"):
        return constant(np.zeros(0, np.intp))
    start = x.array.size if use.argument == "value" else 0
    return constant(np.flatnonzero(written_to(use.step, x, value) == start + use.place))


def slopes_order(use: Use) -> Slopes:
    """topk and sort: a number goes where the recorded places say that it was taken."""
    return _chosen(use, int(option(use.step, "dim", -1)))


def slopes_max(use: Use) -> Slopes:
    """max and min: along an axis one number is taken; of all numbers, or of two tensors, equal ones share."""
    if len(use.step.outputs) == 2:
        return _chosen(use, int(option(use.step, "dim", 0)))
    if len(use.step.inputs) == 1:
        return slopes_extreme(use)
    (cells, out), own, other = meets(use), use.given[use.n], use.given[1 - use.n]
    mine, theirs = numbers(own, out, len(cells)), numbers(other, out, len(cells))
    won = mine > theirs if use.step.op == "max" else mine < theirs
    return Slopes(cells, np.where(mine == theirs, 0.5, won).astype(np.float64))


def _chosen(use: Use, dim: int) -> Slopes:
    x, places_taken = use.given[0], use.step.outputs[1].array
    if use.output == 1:
        return constant(np.zeros(0, np.intp))
    if not x.shape:
        return constant(np.zeros(1, np.intp))
    index = places_taken if places_taken.ndim == x.array.ndim else np.expand_dims(places_taken, dim)
    at = np.take_along_axis(np.arange(x.array.size).reshape(x.shape), index, dim)
    return constant(np.flatnonzero(at == use.place))
