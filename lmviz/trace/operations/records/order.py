"""Numbers in order: the largest, the k largest, the one in the middle, all of them sorted; and where each stood."""

from __future__ import annotations

from functools import partial

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, cell_at, inputs, option, place_of, shown
from lmviz.trace.operations.axes import LIKE_INPUT, REDUCED, RESIZED, ROWS, UNNAMED, WHOLE
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Floats, write
from lmviz.trace.operations.group import Group, axes_of, group, group_of
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.reduce import result_cell
from lmviz.trace.operations.slopes import Slopes, Use, broadcast_cells, constant, no_slopes, numbers, one
from lmviz.trace.step import Cell, Step

# -- the largest and the smallest ------------------------------------------------------------------------------------


def _explain_extreme(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The largest (smallest) number along `dim`, and, as the second output of max and min, where it stands."""
    if len(step.inputs) == 2:  # x.max(y): the larger of each pair
        return _of_two(step, cell)
    cells = group_of(step, cell)
    which = "max" if step.op == "aminmax" and output == 1 else step.op[-3:] if step.op != "aminmax" else "min"
    place = winner(cells.numbers, 1 if which == "max" else -1)
    gives_place = step.op.startswith("arg") or (output == 1 and step.op in ("max", "min"))
    if gives_place or (len(step.outputs) == 2 and step.op != "aminmax"):
        place = as_torch_chose(cells, place, int(step.outputs[-1].array[cell]))
    name = rf"\operatorname{{arg{which}}}" if gives_place else rf"\{which}"
    left = rf"{result(step, cell, output)} = {name}_{{{cells.letters}}} {cells.latex()}"
    return number_or_place(left, cells, place, gives_place)


def winner(row: Floats, sign: int = 1) -> int:
    """Which number of a row is the largest (sign 1) or the smallest (-1); the first of equals, and NaN before all."""
    return int(np.argmax(sign * row))


def as_torch_chose(cells: Group, place: int, chosen: int) -> int:
    """Of several equal numbers, torch says itself which one it took."""
    row = cells.numbers
    return chosen if np.array_equal(row[chosen], row[place], equal_nan=True) else place


def number_or_place(left: str, cells: Group, place: int, wants_place: bool) -> Explanation:
    """A number of a row; or where it stands: along several axes, counted through them."""
    if not wants_place:
        return shown(left, cells.tensor, cells.cell(place))
    return Explanation(left, (), place, write("{x} → {i}", x=cells.operand(place), i=float(place)))


def _of_two(step: Step, cell: Cell) -> Explanation:
    a, b = inputs(step)
    (a_at, b_at), function = (a.under(cell), b.under(cell)), np.maximum if step.op == "max" else np.minimum
    formula = rf"{result(step, cell)} = \{step.op}({a.latex(*a_at)}, {b.latex(*b_at)})"
    written = write(f"{step.op}({{a}}, {{b}})", a=a.piece(a_at), b=b.piece(b_at))
    return Explanation(formula, (), float(function(a.number(a_at), b.number(b_at))), written)


def _slopes_extreme(use: Use) -> Slopes:
    """Only the largest number counts; equal ones have equal shares."""
    cells, cell = result_cell(use)
    best = cells.numbers.max() if "max" in use.step.op else cells.numbers.min()
    won = use.inputs[0].number(use.cell) == best
    return one(use, cell, float(won) / float((cells.numbers == best).sum()))


def _slopes_max(use: Use) -> Slopes:
    """max and min: along an axis one number is taken; of all numbers, or of two tensors, equal ones share."""
    if len(use.step.inputs) == 1:
        return slopes_chosen(use) if len(use.step.outputs) == 2 else _slopes_extreme(use)
    (cells, out), own, other = broadcast_cells(use), use.inputs[use.n], use.inputs[1 - use.n]
    mine, theirs = numbers(own, out, len(cells)), numbers(other, out, len(cells))
    won = mine > theirs if use.step.op == "max" else mine < theirs
    return Slopes(cells, np.where(mine == theirs, 0.5, won).astype(np.float64))


def slopes_chosen(use: Use) -> Slopes:
    """A number goes where the recorded places, the second output, say that it was taken."""
    if use.output == 1:
        return no_slopes(use)
    x, taken = use.inputs[0], use.step.outputs[1].array
    if not x.shape:
        return constant(np.zeros(1, np.intp))
    dim = int(option(use.step, "dim", -1))
    index = taken if taken.ndim == x.array.ndim else np.expand_dims(taken, dim)
    at = np.take_along_axis(np.arange(x.array.size).reshape(x.shape), index, dim)
    return constant(np.flatnonzero(at == use.place))


# -- in order --------------------------------------------------------------------------------------------------------


def _explain_order(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """topk and sort: the number of a given rank along `dim`, or (second output, and argsort) where it stands.

    What comes first of equal numbers, or of all with `sorted=False`, is torch's choice: it is read off its places.
    """
    x = inputs(step)[0]
    dim = 0 if step.op == "msort" else step.settings.get("dim", -1)
    cells = group(x, axes_of(dim, x.array.ndim), cell)
    rank = cell[cells.axes[0]] if cell else 0
    descending = step.settings.get("largest", True) if step.op == "topk" else step.settings.get("descending")
    order = np.argsort(cells.numbers, kind="stable")[:: -1 if descending else 1]
    place = int(order[rank])
    if step.op != "msort":
        chosen = int(step.outputs[-1].array[cell])
        place = chosen if step.settings.get("sorted") is False else as_torch_chose(cells, place, chosen)
    left = rf"{result(step, cell, output)} = \operatorname{{{step.op}}}_{{{cells.letters}}}({cells.latex()})_{{{rank}}}"
    return number_or_place(left, cells, place, output == 1 or step.op == "argsort")


def _explain_ranked(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """kthvalue, median, nanmedian, mode: one number of a row by its rank, and where it stands.

    Of an even number of numbers, torch's median is the lower one of the two in the middle; the mode is the smallest of
    those that occur most often.
    """
    cells = _reduced_row(step, cell)
    row = cells.numbers
    place = _ranked(step, row)
    if len(step.outputs) == 2:
        place = as_torch_chose(cells, place, int(step.outputs[1].array[cell]))
    left = rf"{result(step, cell, output)} = \operatorname{{{step.op}}}_{{{cells.letters}}} {cells.latex()}"
    return number_or_place(left, cells, place, output == 1)


def _reduced_row(step: Step, cell: Cell) -> Group:
    """The row along `dim`, by default the last axis; of all numbers where torch returned just one."""
    x = inputs(step)[0]
    dim = step.settings.get("dim", None if len(step.outputs) == 1 else -1)
    return group(x, axes_of(dim, x.array.ndim), cell)


def _ranked(step: Step, row: Floats) -> int:
    order = np.argsort(row, kind="stable")
    is_nan = np.isnan(row)
    if step.op == "kthvalue":
        return int(order[int(option(step, "k", 1)) - 1])
    if step.op == "mode":
        found, counts = np.unique(row, return_counts=True)
        return int(np.flatnonzero(row == found[np.argmax(counts)])[-1])
    if step.op == "median" and is_nan.any():
        return int(np.flatnonzero(is_nan)[0])
    count = len(row) - int(is_nan.sum())
    return int(order[max(count - 1, 0) // 2])


def _slopes_ranked(use: Use) -> Slopes:
    """The number that was taken counts; where no place says which, torch's own derivative does."""
    return slopes_chosen(use) if len(use.step.outputs) == 2 else slopes_of_torch(use)


def _explain_quantile(step: Step, cell: Cell) -> Explanation:
    """Between two numbers of a row, at the place that a share q lies below: lower + part of the way to the upper."""
    q = argument_of(step, "q")
    if q is None or step.settings.get("interpolation", "linear") != "linear":
        raise NotImplementedError("a quantile that does not interpolate")
    share, cell_of_row = (float(q.number(cell[:1])), cell[1:]) if q.shape else (float(q.number(())), cell)
    cells = _reduced_row(step, cell_of_row)
    row = cells.numbers
    left = rf"{result(step, cell)} = \operatorname{{quantile}}_{{{share:g}}} {cells.latex()}"
    if step.op == "quantile" and np.isnan(row).any():
        return shown(left, cells.tensor, cells.cell(int(np.flatnonzero(np.isnan(row))[0])))
    order = np.argsort(row, kind="stable")[: int((~np.isnan(row)).sum())]
    rank = share * (len(order) - 1)
    low, high = (cells.operand(int(order[i])) for i in (int(np.floor(rank)), int(np.ceil(rank))))
    part = rank - np.floor(rank)
    value = low.value + part * (high.value - low.value)
    return Explanation(left, (), float(value), write("{a} + {w} × ({b} − {a})", a=low, b=high, w=float(part)))


# -- where a number belongs ------------------------------------------------------------------------------------------


def _explain_searchsorted(step: Step, cell: Cell) -> Explanation:
    """How many of the sorted numbers are smaller than x; with `right`, how many are not larger."""
    is_bucketize = step.op == "bucketize"
    names = ("boundaries", "input") if is_bucketize else ("sorted_sequence", "input")
    edges, x = (argument_of(step, name) for name in names)
    if edges is None or x is None or step.operand("sorter") is not None:
        raise NotImplementedError("a search with a sorter")
    right = bool(step.settings.get("right")) or step.settings.get("side") == "right"
    lead = cell[:-1] if len(edges.shape) > 1 else ()
    row = Group(edges, (*lead, slice(None)), (len(lead),))
    at = cell if x.shape else ()
    number = x.number(at)
    before = row.numbers <= number if right else row.numbers < number
    count = int(before.sum()) if not np.isnan(number) else len(row)
    sign = r"\leq" if right else "<"
    formula = rf"{result(step, cell)} = \sum_i [{row.latex()} {sign} {x.latex(*at)}]"
    written = write("{x} → {i}", x=x.piece(at), i=float(count))
    return Explanation(formula, (), count, written)


def _explain_isin(step: Step, cell: Cell) -> Explanation:
    """1 if the number is one of those asked for."""
    x, wanted = argument_of(step, "elements"), argument_of(step, "test_elements")
    if x is None or wanted is None:
        raise NotImplementedError("isin without its two arguments")
    at, every = x.under(cell), wanted.row(...).reshape(-1)
    found = bool((every == x.number(at)).any()) != bool(step.settings.get("invert"))
    formula = rf"{result(step, cell)} = [{x.latex(*at)} \in {wanted.latex()}]"
    return Explanation(formula, (), float(found), write("{x} → {i}", x=x.piece(at), i=float(found)))


def _explain_unique(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The numbers that occur, in order; then, if asked for, which of them each number is, and how often each occurs."""
    x: Argument = inputs(step)[0]
    if step.settings.get("dim") is not None:
        raise NotImplementedError("rows that are unique")
    if step.op == "unique_consecutive":
        return _run_of(step, x, cell, output)
    found, first = np.unique(x.array, return_index=True)
    asked = ["unique", *(name for name in ("return_inverse", "return_counts") if step.settings.get(name))]
    kind, left = asked[output], f"{result(step, cell, output)} = "
    if kind == "unique":
        at = tuple(int(i) for i in np.unravel_index(first[cell[0]], x.shape)) if x.shape else ()
        return shown(left.removesuffix(" = "), x, at)
    if kind == "return_inverse":
        number = x.array[cell]
        place = int(np.searchsorted(found, number))
        return Explanation(f"{left}{place}", (), place, write("{x} → {i}", x=x.piece(cell), i=float(place)))
    count = int((x.array == found[cell[0]]).sum())
    return Explanation(f"{left}{count}", (), count, write("{x} → {n}", x=float(found[cell[0]]), n=float(count)))


def _run_of(step: Step, x: Argument, cell: Cell, output: int) -> Explanation:
    """Equal numbers that follow each other, once; then, if asked for, the run of each number, and how long runs are."""
    row = x.array.reshape(-1)
    starts = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]])[: len(row)])
    asked = ["unique", *(name for name in ("return_inverse", "return_counts") if step.settings.get(name))]
    left = result(step, cell, output)
    if asked[output] == "unique":
        return shown(left, x, cell_at(int(starts[cell[0]]), x.shape))
    if asked[output] == "return_inverse":
        place = int(np.searchsorted(starts, place_of(cell, x.shape), side="right")) - 1
        return Explanation(f"{left} = {place}", (), place, write("{x} → {i}", x=x.piece(cell), i=float(place)))
    count = int(np.diff([*starts, len(row)])[cell[0]])
    at = cell_at(int(starts[cell[0]]), x.shape)
    return Explanation(f"{left} = {count}", (), count, write("{x} → {n}", x=x.piece(at), n=float(count)))


_EXTREME = partial(Operation, arguments="input dim[] keepdim", axes=REDUCED, explain=_explain_extreme)
_RANKED = partial(Operation, axes=REDUCED, explain=_explain_ranked, slopes=_slopes_ranked, several=True)

OPERATIONS = (
    _EXTREME(name="max", otherwise=(1, "input other"), slopes=_slopes_max, several=True),
    _EXTREME(name="min", otherwise=(1, "input other"), slopes=_slopes_max, several=True),
    _EXTREME(name="amax", slopes=_slopes_extreme),
    _EXTREME(name="amin", slopes=_slopes_extreme),
    _EXTREME(name="argmax", slopes=no_slopes),
    _EXTREME(name="argmin", slopes=no_slopes),
    _EXTREME(name="aminmax", slopes=slopes_of_torch, several=True),
    Operation(name="topk", arguments="input k dim largest sorted", axes=RESIZED, explain=_explain_order,
        slopes=slopes_chosen, several=True),
    Operation(name="sort", arguments="input dim descending", axes=ROWS, explain=_explain_order, slopes=slopes_chosen,
        several=True),
    Operation(name="argsort", arguments="input dim descending stable", axes=LIKE_INPUT, explain=_explain_order,
        slopes=no_slopes),
    Operation(name="msort", arguments="input", axes=WHOLE, explain=_explain_order, slopes=slopes_of_torch),
    _RANKED(name="kthvalue", arguments="input k dim keepdim"),
    _RANKED(name="median", arguments="input dim keepdim"),
    _RANKED(name="nanmedian", arguments="input dim keepdim"),
    _RANKED(name="mode", arguments="input dim keepdim"),
    Operation(name="quantile", arguments="input q dim keepdim", axes=UNNAMED, explain=_explain_quantile,
        slopes=slopes_of_torch),
    Operation(name="nanquantile", arguments="input q dim keepdim", axes=UNNAMED, explain=_explain_quantile,
        slopes=slopes_of_torch),
    Operation(name="searchsorted", arguments="sorted_sequence input", axes=UNNAMED, explain=_explain_searchsorted,
        slopes=no_slopes),
    Operation(name="bucketize", arguments="input boundaries", axes=LIKE_INPUT, explain=_explain_searchsorted,
        slopes=no_slopes),
    Operation(name="isin", arguments="elements test_elements", axes=LIKE_INPUT, explain=_explain_isin,
        slopes=no_slopes),
    Operation(name="unique", arguments="input sorted return_inverse return_counts dim", axes=UNNAMED,
        explain=_explain_unique, slopes=no_slopes, several=True),
    Operation(name="unique_consecutive", arguments="input return_inverse return_counts dim", axes=UNNAMED,
        explain=_explain_unique, slopes=no_slopes, several=True),
)  # fmt: skip
