"""Look-ups: a row of a table, by number; the rows of a bag together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmviz.trace.operations.arguments import Argument, argument_of, option, product, required_argument, shown, tensor
from lmviz.trace.operations.axes import Axes, AxisRule, Named, Settings, Shape, unnamed
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Term, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Slopes, Use, constant, no_slopes
from lmviz.trace.step import Cell, Step, Value


def _explain_embedding(step: Step, cell: Cell) -> Explanation:
    """weight[id, j]: the j-th number of the row that the id at this position asks for.

    With `max_norm`, a row that is longer is first shortened to that length.

    Args:
        step: an "embedding" step with input (ids) [...] and weight [id, d].
        cell: index into the output [..., d].
    """
    ids, weight = required_argument(step, "input"), required_argument(step, "weight")
    at = (int(ids.exact(cell[:-1])), cell[-1])
    formula = f"{result(step, cell)} = {weight.latex(ids.latex(*cell[:-1]), cell[-1])}"
    looked_up = f"{weight.name}[{{id}}, {cell[-1]}] = {{w}}"
    factor = _shortened(step, weight, at[0])
    written = write(looked_up if factor == 1 else f"{looked_up} × {{factor}}", id=ids.piece(cell[:-1]),
        w=weight.piece(at), factor=factor)  # fmt: skip
    return Explanation(formula, (), weight.exact(at) * factor if factor != 1 else weight.exact(at), written)


def _shortened(step: Step, weight: Argument, row: int) -> float:
    """What the numbers of a row are multiplied by, so that it is no longer than `max_norm`."""
    limit = step.settings.get("max_norm")
    if limit is None:
        return 1.0
    length = float(np.linalg.norm(weight.row(row), option(step, "norm_type", 2.0)))
    return float(limit) / (length + 1e-7) if length > float(limit) else 1.0  # type: ignore[arg-type]


def _explain_shortened(step: Step, cell: Cell, before: Value) -> Explanation:
    """The table after `max_norm`: rows that were asked for are no longer than that, the others are as they were."""
    table, ids = tensor(before), required_argument(step, "input").array
    factor = _shortened(step, table, cell[0]) if (ids == cell[0]).any() else 1.0
    value = table.number(cell) * factor
    template = "{w}" if factor == 1 else "{w} × {factor}"
    return Explanation(table.latex(*cell), (), float(value), write(template, w=table.piece(cell), factor=factor))


def _slopes_embedding(use: Use) -> Slopes:
    """A row of the table goes to every position whose id asks for it, except the padding row, which does not learn.

    With `scale_grad_by_freq`, divided by how many these are. `max_norm` has shortened the row before.
    """
    ids, settings = required_argument(use.step, "input").array, use.step.settings
    if use.argument != "weight" or use.cell[0] == settings.get("padding_idx"):
        return constant(np.zeros(0, np.intp))
    row, column = use.cell
    places = np.flatnonzero(ids == row)
    share = 1 / len(places) if settings.get("scale_grad_by_freq") and len(places) else 1.0
    return constant(places * use.shape[-1] + column, share)


def _explain_one_hot(step: Step, cell: Cell) -> Explanation:
    """1 where the last index is the id, else 0."""
    ids = required_argument(step, "input")
    value = float(ids.exact(cell[:-1]) == cell[-1])
    written = write("[{id} = {j}]", id=ids.piece(cell[:-1]), j=float(cell[-1]))
    return Explanation(rf"{result(step, cell)} = [{ids.latex(*cell[:-1])} = {cell[-1]}]", (), value, written)


# -- bags ------------------------------------------------------------------------------------------------------------


def _explain_embedding_bag(step: Step, cell: Cell) -> Explanation:
    """The sum (mean, largest) of a column over the rows that the ids of one bag ask for; an empty bag gives 0."""
    if step.settings.get("max_norm") is not None:
        raise NotImplementedError("a bag of rows that are shortened")
    weight, mode = required_argument(step, "weight"), str(step.settings.get("mode", "mean"))
    bag, column = cell
    rows = _bag(step, bag)
    left = result(step, cell)
    formula = rf"{left} = \sum_i {weight.latex(r't_i', column)}"
    if not rows:
        return Explanation(f"{left} = 0", (), 0.0, (0.0,))
    if mode == "max":
        numbers = [weight.number((row, column)) for row, _ in rows]
        best = (rows[int(np.argmax(numbers))][0], column)
        return shown(rf"{left} = \max_i", weight, best)
    terms = tuple(_of_bag(step, weight, (row, column), at) for row, at in rows)
    total = sum(term.value for term in terms)
    if mode == "sum":
        return Explanation(formula, terms, total)
    return Explanation(formula, terms, total / len(rows), write("({terms}) / {n}", n=float(len(rows))))


def _of_bag(step: Step, weight: Argument, at: Cell, place: Cell) -> Term:
    each = argument_of(step, "per_sample_weights")
    factors = [(weight, at)] if each is None else [(each, place), (weight, at)]
    return product(",".join(map(str, place)), *factors)


def _bag(step: Step, bag: int) -> list[tuple[int, Cell]]:
    """The rows that a bag asks for, each with the cell of its id; padding is left out."""
    ids, offsets = required_argument(step, "input"), argument_of(step, "offsets")
    if offsets is None:
        places: list[Cell] = [(bag, i) for i in range(ids.shape[1])]
    else:
        ends = [*(int(i) for i in offsets.array), ids.array.size]
        places = [(i,) for i in range(ends[bag], ends[bag + 1])]
    rows = [(int(ids.exact(place)), place) for place in places]
    padding = step.settings.get("padding_idx")
    return [(row, place) for row, place in rows if row != padding]


# -- names of axes ---------------------------------------------------------------------------------------------------


def _one_more(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    return (*inputs[0][1], "")


def _places(step: Step, output: int) -> tuple[list[int], NDArray[np.int64]]:
    """Of the result [..., d], the place of each number in the table [id, d]."""
    ids, weight = required_argument(step, "input").array.astype(np.int64), step.arguments.index("weight")
    d = step.inputs[weight].shape[-1]
    return [weight], ids[..., None] * d + np.arange(d)


def _ids_back(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    return after[1][:-1] if argument == "input" else ()


def _table(argument: str, shape: Shape, last_in: str, last_out: str) -> Axes:
    return ("id", last_out) if argument == "weight" else unnamed(shape)


OPERATIONS = (
    Operation(
        name="embedding",
        arguments="input weight padding_idx max_norm norm_type scale_grad_by_freq sparse",
        axes=AxisRule(_one_more, _ids_back, _table),
        explain=_explain_embedding,
        slopes=_slopes_embedding,
        places=_places,
        sign="[ ]",
        complex=True,
        writes=("max_norm", "weight"),
        updates=_explain_shortened,
    ),
    Operation(
        name="embedding_bag",
        arguments="input weight offsets max_norm norm_type scale_grad_by_freq mode sparse per_sample_weights "
        "include_last_offset padding_idx",
        axes=AxisRule(of_weight=_table),
        explain=_explain_embedding_bag,
        slopes=slopes_of_torch,
        sign="[ ]",
        writes=("max_norm", "weight"),
        updates=_explain_shortened,
    ),
    Operation(
        name="one_hot",
        arguments="input num_classes",
        axes=AxisRule(_one_more),
        explain=_explain_one_hot,
        slopes=no_slopes,
    ),
)
