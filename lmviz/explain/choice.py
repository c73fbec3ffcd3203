"""Cells that are kept or not: masked_fill, where, tril and triu, dropout."""

from __future__ import annotations

from lmviz.explain.explanation import Explanation, write
from lmviz.explain.given import Given, needed, option, shown
from lmviz.explain.latex import result
from lmviz.trace.step import Cell, Step


def explain_masked_fill(step: Step, cell: Cell) -> Explanation:
    """`value` where the mask is true, else the input's own number."""
    x, mask, fill = needed(step, "input"), needed(step, "mask"), needed(step, "value")
    masked = bool(mask.number(mask.under(cell)))
    return _chosen(step, cell, mask, fill if masked else x, "" if masked else r"\lnot ")


def explain_where(step: Step, cell: Cell) -> Explanation:
    """`input` where the condition is true, else `other`."""
    condition, x, other = choices(step)
    true = bool(condition.number(condition.under(cell)))
    return _chosen(step, cell, condition, x if true else other, "" if true else r"\lnot ")


def choices(step: Step) -> tuple[Given, Given, Given]:
    """The condition of a where, what is taken if it holds, and what else; x.where(condition, other) swaps two."""
    condition, x = needed(step, "condition"), needed(step, "input")
    if condition.array.dtype != bool and x.array.dtype == bool:
        condition, x = x, condition
    return condition, x, needed(step, "other")


def _chosen(step: Step, cell: Cell, mask: Given, taken: Given, sign: str) -> Explanation:
    at, mask_at = taken.under(cell), mask.under(cell)
    formula = rf"{result(step, cell)} = {taken.latex(*at)} \quad ({sign}{mask.latex(*mask_at)})"
    written = write(f"{mask.name}: {{m}} → {{x}}", m=mask.piece(mask_at), x=taken.piece(at))
    return Explanation(formula, (), float(taken.number(at)), written)


def explain_triangle(step: Step, cell: Cell) -> Explanation:
    """tril keeps what is on or below a diagonal, triu what is on or above it; the rest becomes 0."""
    kept = shown(result(step, cell), needed(step, "input"), cell)
    return kept if in_triangle(step, cell) else Explanation(f"{result(step, cell)} = 0", (), 0.0, (0.0,))


def in_triangle(step: Step, cell: Cell) -> bool:
    offset, diagonal = cell[-1] - cell[-2], option(step, "diagonal", 0)
    return offset <= diagonal if step.op == "tril" else offset >= diagonal


def explain_dropout(step: Step, cell: Cell) -> Explanation:
    """A dropped cell is 0; a kept one is scaled by 1 / (1 - p), so that the expected value stays.

    Which cells were dropped was drawn at random: it is read off the recorded output.

    Source:
        Srivastava et al. 2014, scaled as torch does.
    """
    x, p, left = needed(step, "input"), share_dropped(step), f"{result(step, cell)} = "
    if p == 0:
        return shown(result(step, cell), x, cell)
    if step.outputs[0].array[cell] == 0:
        return Explanation(rf"{left} 0 \cdot {x.latex(*cell)}", (), 0.0, write("{0} × {x}", x=x.piece(cell)))
    formula = rf"{left} \frac{{{x.latex(*cell)}}}{{1 - {p:g}}}"
    return Explanation(formula, (), float(x.number(cell)) / (1 - p), write("{x} / ({1} − {p})", x=x.piece(cell), p=p))


def share_dropped(step: Step) -> float:
    return option(step, "p", 0.5) if step.settings.get("training") else 0.0
