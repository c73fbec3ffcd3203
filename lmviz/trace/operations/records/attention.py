"""Fused attention: what `scaled_dot_product_attention` computes at once."""

from __future__ import annotations

import math

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, cell_under, option, required_argument
from lmviz.trace.operations.axes import AxisRule
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Floats, Term, Terms
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.step import Cell, Step


def _explain_attention(step: Step, cell: Cell) -> Explanation:
    """One number of what a query takes from the values: the sum over keys of pattern × value.

    Args:
        step: a "scaled_dot_product_attention" step without dropout: query [*batch, query, d_head], key and value
            [*batch, key, d_head], attn_mask (True: may be seen; or numbers to add to the scores).

    Source:
        Vaswani et al. 2017, eq. 1.
    """
    if step.settings.get("dropout_p"):
        raise NotImplementedError("attention with dropout")
    value = required_argument(step, "value")
    col, batch = cell[-1], _shared(step, value, cell[:-2])
    pattern = _pattern_row(step, cell[:-1])
    numbers = value.row((*batch, slice(None), col))

    def term(i: int) -> Term:
        v = value.at((*batch, i, col))
        return Term(str(i), (float(pattern[i]), float(numbers[i])), float(pattern[i] * numbers[i]), (None, v))

    mixed = rf"\sum_i p_i \cdot {value.latex(*batch, 'i', col)}"
    formula = rf"{result(step, cell)} = {mixed}, \quad p = \mathrm{{pattern}}_{{{','.join(map(str, cell[:-1]))}}}"
    return Explanation(formula, Terms(pattern * numbers, term), float((pattern * numbers).sum()))


def _pattern_row(step: Step, at: Cell) -> Floats:
    """How much the query at `at` [*batch, query] looks at each key: softmax(scale * q·k + mask), [key]."""
    query, key, mask = required_argument(step, "query"), required_argument(step, "key"), argument_of(step, "attn_mask")
    factor = option(step, "scale", 1 / math.sqrt(query.shape[-1]))
    q = query.row((*query.under((*at, 0))[:-1], slice(None)))
    keys = key.row((*_shared(step, key, at[:-1]), slice(None), slice(None)))
    scores: Floats = keys @ q * factor
    if step.settings.get("is_causal"):
        scores[at[-1] + 1 :] = -np.inf
    if mask is not None:
        row = mask.row((*mask.under((*at, 0))[:-1], slice(None)))
        scores = np.where(row, scores, -np.inf) if mask.array.dtype == bool else scores + row
    if mask is not None and np.isneginf(scores).all():  # torch has 0 there, not NaN
        return np.zeros(len(scores))
    exps = np.exp(scores - scores.max())
    pattern: Floats = exps / exps.sum()
    return pattern


def _shared(step: Step, part: Argument, batch: Cell) -> Cell:
    """Where a key or value stands for a query's batch indices; with `enable_gqa`, several heads share one."""
    sizes = part.shape[:-2]
    if step.settings.get("enable_gqa"):
        batch = (*batch[:-1], batch[-1] // (required_argument(step, "query").shape[-3] // sizes[-1]))
    return cell_under(batch, sizes)


OPERATIONS = (
    Operation(
        name="scaled_dot_product_attention",
        arguments="query key value attn_mask dropout_p is_causal scale enable_gqa",
        axes=AxisRule(lambda inputs, settings, shape: (*inputs[0][1][:-1], inputs[2][1][-1])),
        explain=_explain_attention,
        slopes=slopes_of_torch,
        random=True,
    ),
)
