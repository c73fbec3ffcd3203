"""Numbers that are sent to places, where several may meet: scatter, scatter_add, index_add, bincount."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import (
    Argument,
    argument_of,
    cell_at,
    inputs,
    option,
    place_of,
    plain,
    product,
    required_argument,
    shown,
)
from lmviz.trace.operations.axes import SAME, UNNAMED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Number, Term, plain_number, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import setting
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Ints, Slopes, Use, constant, no_slopes
from lmviz.trace.step import Cell, Step

# -- who goes where --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """What is sent into a tensor: the n-th number is at `cells[n]` of the source, and goes to place `targets[n]`."""

    source: Argument
    cells: Ints  # counted through the source
    targets: Ints  # counted through the output

    def arriving(self, place: int) -> list[Cell]:
        """The cells of the source that go to one place, in order."""
        return [cell_at(int(i), self.source.shape) for i in self.cells[self.targets == place]]


_Routes = Callable[[Step], _Sent]


def _scattered(step: Step) -> _Sent:
    """src[i, j] goes to [index[i, j], j] if the axis is the first; the index may be smaller than the source."""
    index, shape = required_argument(step, "index").array, step.outputs[0].shape
    src = argument_of(step, "src") or argument_of(step, "value")
    if src is None:
        raise NotImplementedError("scatter without a source")
    if index.ndim == 0:
        return _Sent(src, np.zeros(1, np.intp), np.zeros(1, np.intp))
    axis, grid = int(setting(step, "dim")) % index.ndim, _grid(index.shape)
    cells = np.zeros(index.size, np.intp) if not src.shape else _flat(grid, src.shape)
    grid[axis] = index
    return _Sent(src, cells, _flat(grid, shape))


def _indexed(step: Step) -> _Sent:
    """source[i, j] goes to [index[i], j] if the axis is the first."""
    src, index = required_argument(step, "source"), required_argument(step, "index").array.reshape(-1)
    if not src.shape:
        return _Sent(src, np.zeros(1, np.intp), np.zeros(1, np.intp))
    axis, grid = int(setting(step, "dim")) % len(src.shape), _grid(src.shape)
    cells = _flat(grid, src.shape)
    grid[axis] = index[grid[axis]]
    return _Sent(src, cells, _flat(grid, step.outputs[0].shape))


def _grid(shape: tuple[int, ...]) -> list[Any]:
    """The indices of every cell, one array for each axis."""
    return [*np.indices(shape)]


def _flat(grid: list[Any], shape: tuple[int, ...]) -> Ints:
    cells: Ints = np.ravel_multi_index([axis.reshape(-1) for axis in grid], shape).astype(np.intp)
    return cells


# -- the last one stays ----------------------------------------------------------------------------------------------


def _explain_scatter(step: Step, cell: Cell) -> Explanation:
    """The last number that was sent to a cell; where none was, what stood there."""
    if (how := setting(step, "reduce")) is not None:
        return _met(step, cell, _scattered(step), {"add": "sum", "multiply": "prod"}[how], with_own=True)
    sent = _scattered(step)
    arrived = sent.arriving(place_of(cell, step.outputs[0].shape))
    source, at = (sent.source, arrived[-1]) if arrived else (required_argument(step, "input"), cell)
    return shown(result(step, cell), source, at)


def _slopes_scatter(use: Use) -> Slopes:
    if setting(use.step, "reduce") is not None:
        raise NotImplementedError("the slope of a scatter that reduces")
    sent = _scattered(use.step)
    if use.argument == "input":
        return constant(np.zeros(0, np.intp) if use.place in sent.targets else np.array([use.place]))
    if use.argument not in ("src", "value"):
        return no_slopes(use)
    last = {int(target): n for n, target in enumerate(sent.targets)}
    mine = [target for target, n in last.items() if sent.cells[n] == use.place]
    return constant(np.array(mine, np.intp))


# -- all that meet count ---------------------------------------------------------------------------------------------


def _explain_added(routes: _Routes, step: Step, cell: Cell) -> Explanation:
    """What stood in a cell, plus all that was sent to it, times `alpha`."""
    x, sent, alpha = required_argument(step, "input"), routes(step), step.settings.get("alpha", 1)
    factor = [] if alpha == 1 else [(plain(alpha), ())]
    arrived = sent.arriving(place_of(cell, step.outputs[0].shape))
    terms = (product(x.name, (x, cell)), *(product(_label(at), *factor, (sent.source, at)) for at in arrived))
    value = x.exact(cell) + alpha * sum(sent.source.exact(at) for at in arrived)
    formula = rf"{result(step, cell)} = {x.latex(*cell)} + \sum_i {sent.source.latex('i')}"
    return Explanation(formula, terms, value)


def _slopes_added(routes: _Routes, use: Use) -> Slopes:
    """A number is added where it is sent, times `alpha`."""
    if use.argument == "input":
        return constant(np.array([use.place]))
    if use.argument not in ("src", "source"):
        return no_slopes(use)
    sent = routes(use.step)
    return constant(sent.targets[sent.cells == use.place], option(use.step, "alpha", 1.0))


def _explain_reduced(routes: _Routes, step: Step, cell: Cell) -> Explanation:
    """All that was sent to a cell, with what stood there unless `include_self` is False, made into one number."""
    return _met(step, cell, routes(step), str(setting(step, "reduce")), bool(setting(step, "include_self", True)))


def _met(step: Step, cell: Cell, sent: _Sent, how: str, with_own: bool) -> Explanation:
    x = required_argument(step, "input")
    arrived = sent.arriving(place_of(cell, step.outputs[0].shape))
    if not arrived:
        return shown(result(step, cell), x, cell)
    met = [(x, cell)] * with_own + [(sent.source, at) for at in arrived]
    numbers = [part.exact(at) for part, at in met]
    terms = tuple(product(_label(at), (part, at)) for part, at in met)
    left = rf"{result(step, cell)} = \operatorname{{{how}}}"
    if how == "sum":
        return Explanation(left, terms, sum(numbers))
    if how == "mean":
        total = sum(numbers)
        value = total // len(met) if isinstance(total, int) else total / len(met)
        template = "⌊({terms}) / {n}⌋" if isinstance(total, int) else "({terms}) / {n}"
        return Explanation(left, terms, value, write(template, n=float(len(met))))
    if how == "prod":
        factors = product("", *met)
        return Explanation(left, (factors,), _product(numbers))
    name, choose = ("max", np.max) if how == "amax" else ("min", np.min)
    template = f"{name}({', '.join(f'{{x{i}}}' for i in range(len(met)))})" if len(met) > 1 else "{x0}"
    written = write(template, **{f"x{i}": part.piece(at) for i, (part, at) in enumerate(met)})
    return Explanation(left, (), plain_number(choose(numbers)), written)


def _product(numbers: list[Any]) -> Any:
    made: Any = 1
    for number in numbers:
        made = made * number
    return made


def _label(cell: Cell) -> str:
    return ",".join(map(str, cell))


# -- how often -------------------------------------------------------------------------------------------------------


def _explain_bincount(step: Step, cell: Cell) -> Explanation:
    """How many of the numbers are this one; or the sum of their weights."""
    x, weights = inputs(step)[0], argument_of(step, "weights")
    found = np.flatnonzero(x.array == cell[0])
    formula = rf"{result(step, cell)} = \sum_i [{x.latex('i')} = {cell[0]}]"

    def term(i: int) -> Term:
        if weights is not None:
            return product(i, (weights, (i,)))
        written = write(f"[{{x}} = {{{cell[0]}}}]", x=x.piece((i,)))
        return Term(str(i), (1.0,), 1.0, (None,), written)

    value: Number = sum(weights.exact((int(i),)) for i in found) if weights is not None else float(len(found))
    return Explanation(formula, tuple(term(int(i)) for i in found), value)


def _explain_histc(step: Step, cell: Cell) -> Explanation:
    """How many numbers lie in one of the equal parts between `min` and `max`; the last part has its end too."""
    x, bins = inputs(step)[0], int(option(step, "bins", 100))
    low, high = option(step, "min", 0.0), option(step, "max", 0.0)
    numbers = x.row(...).reshape(-1)
    if low == high:
        low, high = float(numbers.min()), float(numbers.max())
        low, high = (low - 1, high + 1) if low == high else (low, high)
    inside = numbers[(numbers >= low) & (numbers <= high)]
    place = np.minimum(np.floor((inside - low) / (high - low) * bins), bins - 1)
    count = int((place == cell[0]).sum())
    edges = [low + (high - low) * (cell[0] + n) / bins for n in (0, 1)]
    formula = rf"{result(step, cell)} = \sum_i [{edges[0]:g} \leq {x.latex('i')} < {edges[1]:g}]"
    return Explanation(formula, (), count, (float(count),))


OPERATIONS = (
    Operation(name="scatter", arguments="input dim index src reduce", axes=SAME, explain=_explain_scatter,
        slopes=_slopes_scatter),
    Operation(name="scatter_add", arguments="input dim index src", axes=SAME,
        explain=partial(_explain_added, _scattered), slopes=partial(_slopes_added, _scattered)),
    Operation(name="index_add", arguments="input dim index source alpha", axes=SAME,
        explain=partial(_explain_added, _indexed), slopes=partial(_slopes_added, _indexed)),
    Operation(name="scatter_reduce", arguments="input dim index src reduce include_self", axes=SAME,
        explain=partial(_explain_reduced, _scattered), slopes=slopes_of_torch),
    Operation(name="index_reduce", arguments="input dim index source reduce include_self", axes=SAME,
        explain=partial(_explain_reduced, _indexed), slopes=slopes_of_torch),
    Operation(name="bincount", arguments="input weights minlength", axes=UNNAMED, explain=_explain_bincount,
        slopes=no_slopes),
    Operation(name="histc", arguments="input bins min max", axes=UNNAMED, explain=_explain_histc, slopes=no_slopes),
)  # fmt: skip
