"""Images made larger or smaller: interpolate, grid_sample, affine_grid."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product as every
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, inputs, plain, product, required_argument
from lmviz.trace.operations.axes import RESIZED, UNNAMED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Term, Terms, write
from lmviz.trace.operations.group import Group
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import setting
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.reduce import terms_of
from lmviz.trace.step import Cell, Step

_Weights = list[tuple[int, float]]  # cells along one axis, and how much each counts; -1 is outside

_CUBIC = -0.75  # Keys 1981, with the a that torch takes


def _weighted(step: Step, cell: Cell, x: Argument, lead: Cell, axes: Sequence[_Weights]) -> Explanation:
    """The sum of the cells that some weights along each axis name, each times the product of its weights."""
    found = []
    for parts in every(*axes):
        at, weight = tuple(i for i, _ in parts), float(np.prod([w for _, w in parts]))
        if weight and -1 not in at:
            found.append(((*lead, *at), weight))
    values = np.array([x.number(at) * weight for at, weight in found])

    def term(i: int) -> Term:
        return product(",".join(map(str, found[i][0][len(lead) :])), (plain(found[i][1]), ()), (x, found[i][0]))

    formula = rf"{result(step, cell)} = \sum_i w_i \cdot {x.latex('i')}"
    return Explanation(formula, Terms(values, term), float(values.sum()))


# -- interpolate -----------------------------------------------------------------------------------------------------


def _explain_interpolate(step: Step, cell: Cell) -> Explanation:
    """A number between cells: the nearest one, or those around it, weighted by how near they are.

    Source:
        Keys 1981 for "bicubic"; where the cells lie is as torch defines it.
    """
    x, mode = inputs(step)[0], str(setting(step, "mode", "nearest"))
    lead, place = cell[:2], cell[2:]
    if setting(step, "antialias", False):
        raise NotImplementedError("interpolation that smooths first")
    if mode == "area":
        return _area(step, x, cell)
    weights: Any = {"nearest": _nearest, "nearest-exact": partial(_nearest, half=0.5), "bicubic": _cubic}.get(
        mode, _linear
    )
    axes = [
        weights(
            i,
            x.shape[axis + 2],
            step.outputs[0].shape[axis + 2],
            _scale(step, axis),
            bool(setting(step, "align_corners", False)),
        )
        for axis, i in enumerate(place)
    ]
    return _weighted(step, cell, x, lead, axes)


def _scale(step: Step, axis: int) -> float:
    """How many cells of the input a cell of the result is wide."""
    n_in, n_out = step.inputs[0].shape[axis + 2], step.outputs[0].shape[axis + 2]
    factor: Any = setting(step, "scale_factor")
    if factor is None or setting(step, "recompute_scale_factor", False):
        return n_in / n_out
    return 1 / float(factor[axis] if isinstance(factor, list | tuple) else factor)


def _nearest(i: int, n_in: int, n_out: int, scale: float, align: bool, half: float = 0.0) -> _Weights:
    at = int(np.floor(np.float32(np.float32(i + half) * np.float32(scale))))
    return [(min(at, n_in - 1), 1.0)]


def _source(i: int, n_in: int, n_out: int, scale: float, align: bool) -> float:
    """Where the middle of a cell of the result lies on the input; with `align`, the corners' middles meet."""
    if align:
        return i * (n_in - 1) / (n_out - 1) if n_out > 1 else 0.0
    return (i + 0.5) * scale - 0.5


def _linear(i: int, n_in: int, n_out: int, scale: float, align: bool) -> _Weights:
    at = max(_source(i, n_in, n_out, scale, align), 0.0)
    low = min(int(at), n_in - 1)
    part = min(at - low, 1.0)
    return [(low, 1 - part), (min(low + 1, n_in - 1), part)]


def _cubic(i: int, n_in: int, n_out: int, scale: float, align: bool) -> _Weights:
    at = _source(i, n_in, n_out, scale, align)
    low = int(np.floor(at))
    return [(min(max(low + k, 0), n_in - 1), _keys(at - low - k)) for k in (-1, 0, 1, 2)]


def _keys(x: float) -> float:
    """How much a cell counts that is x cells away."""
    x = abs(x)
    if x <= 1:
        return ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1
    return ((_CUBIC * x - 5 * _CUBIC) * x + 8 * _CUBIC) * x - 4 * _CUBIC


def _area(step: Step, x: Argument, cell: Cell) -> Explanation:
    """The mean of the cells that a cell of the result covers, at least in part."""
    sizes = zip(cell[2:], x.shape[2:], step.outputs[0].shape[2:], strict=True)
    spans = [slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in sizes]
    cells = Group(x, (*cell[:2], *spans), tuple(range(2, x.array.ndim)))
    n = float(len(cells))
    formula = rf"{result(step, cell)} = \frac{{1}}{{{n:g}}} \sum_{{{cells.letters}}} {cells.latex()}"
    return Explanation(formula, terms_of(cells, len(cells)), float(cells.numbers.mean()), write("({terms}) / {n}", n=n))


# -- sampling at places that the model says --------------------------------------------------------------------------


def _explain_grid_sample(step: Step, cell: Cell) -> Explanation:
    """The input at a place that the grid names, -1 to 1 along each axis, between the cells around it.

    Args:
        step: a "grid_sample" step with input [batch, channel, *size] and grid [batch, *place, n], whose last axis
            counts x before y.

    Source:
        Jaderberg et al. 2015, eq. 3 to 5.
    """
    x, grid = required_argument(step, "input"), required_argument(step, "grid")
    n = x.array.ndim - 2
    mode, border = str(setting(step, "mode", "bilinear")), str(setting(step, "padding_mode", "zeros"))
    if mode not in ("bilinear", "nearest"):
        raise NotImplementedError(f"grid_sample with mode {mode}")
    place = grid.row((cell[0], *cell[2:], slice(None)))[::-1]
    align = bool(setting(step, "align_corners", False))
    axes = [_sampled(float(place[a]), x.shape[a + 2], mode, border, align) for a in range(n)]
    return _weighted(step, cell, x, cell[:2], axes)


def _sampled(place: float, size: int, mode: str, border: str, align: bool) -> _Weights:
    at = (place + 1) / 2 * (size - 1) if align else ((place + 1) * size - 1) / 2
    if border == "border":
        at = min(max(at, 0.0), size - 1.0)
    elif border == "reflection":
        at = _reflected(at, size, align)
    if mode == "nearest":
        return [(_inside(int(np.rint(at)), size), 1.0)]
    low = int(np.floor(at))
    return [(_inside(low, size), 1 - (at - low)), (_inside(low + 1, size), at - low)]


def _inside(i: int, size: int) -> int:
    return i if 0 <= i < size else -1


def _reflected(at: float, size: int, align: bool) -> float:
    """Turned back at the edges, as often as needed: at the middles of the outermost cells, or at their rims."""
    low, span = (0.0, size - 1.0) if align else (-0.5, float(size))
    if not span:
        return 0.0
    turns, rest = divmod(abs(at - low), span)
    back = rest + low if int(turns) % 2 == 0 else span - rest + low
    return min(max(back, 0.0), size - 1.0)


def _explain_affine_grid(step: Step, cell: Cell) -> Explanation:
    """theta @ (x, y, 1): where a cell of an image lies after turning, scaling and shifting it.

    Source:
        Jaderberg et al. 2015, eq. 1.
    """
    theta, *place, which = required_argument(step, "theta"), *cell[1:]
    shape, align = step.outputs[0].shape[1:-1], bool(setting(step, "align_corners", False))
    middles = [_evenly(i, size, align) for i, size in zip(place, shape, strict=True)]
    at = [*reversed(middles), 1.0]
    terms = tuple(product(j, (theta, (cell[0], which, j)), (plain(x), ())) for j, x in enumerate(at))
    formula = rf"{result(step, cell)} = \sum_j {theta.latex(cell[0], which, 'j')} \cdot p_j"
    return Explanation(
        formula, terms, float(sum(float(theta.number((cell[0], which, j))) * x for j, x in enumerate(at)))
    )


def _evenly(i: int, size: int, align: bool) -> float:
    """From -1 to 1: the middle of the i-th of some cells, or with `align` of those whose outer middles are the ends."""
    if align:
        return -1.0 + 2 * i / (size - 1) if size > 1 else 0.0
    return (2 * i + 1) / size - 1


OPERATIONS = (
    Operation(
        name="interpolate",
        spellings="upsample upsample_nearest upsample_bilinear",
        arguments="input size[] scale_factor[] mode align_corners recompute_scale_factor antialias",
        axes=RESIZED,
        explain=_explain_interpolate,
        slopes=slopes_of_torch,
    ),
    Operation(
        name="grid_sample",
        arguments="input grid mode padding_mode align_corners",
        axes=UNNAMED,
        explain=_explain_grid_sample,
        slopes=slopes_of_torch,
    ),
    Operation(
        name="affine_grid",
        arguments="theta size[] align_corners",
        axes=UNNAMED,
        explain=_explain_affine_grid,
        slopes=slopes_of_torch,
    ),
)
