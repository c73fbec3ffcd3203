"""Look-ups: a row of a table, by number."""

from __future__ import annotations

from lmviz.explain.explanation import Explanation, write
from lmviz.explain.given import needed, option
from lmviz.explain.latex import result
from lmviz.explain.views import source_of
from lmviz.trace.step import Cell, Step


def explain_embedding(step: Step, cell: Cell) -> Explanation:
    """weight[id, j]: the j-th number of the row that the id at this position asks for.

    Args:
        step: an "embedding" step with input (ids) [...] and weight [id, d].
        cell: index into the output [..., d].
    """
    ids, weight = needed(step, "input"), needed(step, "weight")
    at = (int(ids.number(cell[:-1])), cell[-1])
    formula = f"{result(step, cell)} = {weight.latex(ids.latex(*cell[:-1]), cell[-1])}"
    looked_up = f"{weight.name}[{{id}}, {cell[-1]}] = {{w}}"
    written = write(looked_up, id=ids.piece(cell[:-1]), w=weight.piece(at))
    return Explanation(formula, (), float(weight.number(at)), written)


def explain_gather(step: Step, cell: Cell) -> Explanation:
    """input[..., index[cell], ...]: along one axis the index says where, along the others the cell does."""
    x, at = source_of(step, cell)
    index, axis = needed(step, "index"), int(option(step, "dim", 0))
    places = [str(i) for i in at]
    if places:
        places[axis] = "{i}"
    written = write(f"{x.name}[{', '.join(places)}] = {{x}}", i=index.piece(cell), x=x.piece(at))
    return Explanation(f"{result(step, cell)} = {x.latex(*at)}", (), float(x.number(at)), written)


def explain_one_hot(step: Step, cell: Cell) -> Explanation:
    """1 where the last index is the id, else 0."""
    ids = needed(step, "input")
    value = float(ids.number(cell[:-1]) == cell[-1])
    written = write("[{id} = {j}]", id=ids.piece(cell[:-1]), j=float(cell[-1]))
    return Explanation(rf"{result(step, cell)} = [{ids.latex(*cell[:-1])} = {cell[-1]}]", (), value, written)
