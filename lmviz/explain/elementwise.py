"""Arithmetic between cells that stand at the same place, size-1 axes repeated: add, mul, pow, comparisons, choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmviz.explain.explanation import Explanation, Term, write
from lmviz.explain.given import Given, needed, product, result
from lmviz.trace.step import Cell, Step


def both(step: Step, cell: Cell) -> tuple[tuple[Given, Cell], tuple[Given, Cell]]:
    """The two sides of an operator, each with its cell under `cell` of the result."""
    a, b = needed(step, "input", 1), needed(step, "other", 2)
    return (a, a.under(cell)), (b, b.under(cell))


def explain_add(step: Step, cell: Cell) -> Explanation:
    """input + alpha * other."""
    (a, a_at), (b, b_at) = both(step, cell)
    alpha = float(step.settings.get("alpha", 1))  # type: ignore[arg-type]
    scaled = product(b.name, (b, b_at)) if alpha == 1 else _scaled(alpha, b, b_at)
    first = product(a.name, (a, a_at))
    factor = "" if alpha == 1 else rf"{alpha:g} \cdot "
    formula = f"{result(step, cell)} = {a.latex(*a_at)} + {factor}{b.latex(*b_at)}"
    return Explanation(formula, (first, scaled), first.value + scaled.value)


def _scaled(alpha: float, b: Given, at: Cell) -> Term:
    number = float(b.number(at))
    return Term(b.name, (alpha, number), alpha * number, (None, b.at(at)))


def explain_sub(step: Step, cell: Cell) -> Explanation:
    """input - alpha * other."""
    (a, a_at), (b, b_at) = both(step, cell)
    alpha = float(step.settings.get("alpha", 1))  # type: ignore[arg-type]
    value = a.number(a_at) - alpha * b.number(b_at)
    template = "{a} − {b}" if alpha == 1 else "{a} − {alpha} × {b}"
    factor = "" if alpha == 1 else rf"{alpha:g} \cdot "
    formula = f"{result(step, cell)} = {a.latex(*a_at)} - {factor}{b.latex(*b_at)}"
    return Explanation(formula, (), float(value), write(template, a=a.piece(a_at), b=b.piece(b_at), alpha=alpha))


def explain_mul(step: Step, cell: Cell) -> Explanation:
    """input * other."""
    a, b = both(step, cell)
    term = product("", a, b)
    formula = rf"{result(step, cell)} = {a[0].latex(*a[1])} \cdot {b[0].latex(*b[1])}"
    return Explanation(formula, (term,), term.value)


@dataclass(frozen=True, slots=True)
class Operator:
    """A function of two numbers and the ways to write it."""

    value: Callable[[np.float64, np.float64], object]
    formula: str  # with @a and @b for the operands
    written: str


def _compared(sign: str, latex: str, value: Callable[[np.float64, np.float64], object]) -> Operator:
    return Operator(value, rf"[@a {latex} @b]", f"[{{a}} {sign} {{b}}]")


OPERATORS: dict[str, Operator] = {
    "div": Operator(np.divide, r"\frac{@a}{@b}", "{a} / {b}"),
    "pow": Operator(np.power, "{@a}^{@b}", "({a}) ^ ({b})"),
    "maximum": Operator(np.maximum, r"\max(@a, @b)", "max({a}, {b})"),
    "minimum": Operator(np.minimum, r"\min(@a, @b)", "min({a}, {b})"),
    **dict.fromkeys(("floor_divide", "floordiv"), Operator(np.floor_divide, r"\lfloor @a / @b \rfloor", "⌊{a} / {b}⌋")),
    "remainder": Operator(np.mod, r"@a \bmod @b", "{a} mod {b}"),
    "eq": _compared("=", "=", np.equal),
    "ne": _compared("≠", r"\neq", np.not_equal),
    "lt": _compared("<", "<", np.less),
    "le": _compared("≤", r"\leq", np.less_equal),
    "gt": _compared(">", ">", np.greater),
    "ge": _compared("≥", r"\geq", np.greater_equal),
    "logical_and": _compared("∧", r"\land", np.logical_and),
    "logical_or": _compared("∨", r"\lor", np.logical_or),
    "bitwise_and": _compared("∧", r"\land", lambda a, b: int(a) & int(b)),
    "bitwise_or": _compared("∨", r"\lor", lambda a, b: int(a) | int(b)),
}


def explain_operator(step: Step, cell: Cell) -> Explanation:
    """A function of two numbers, one from each side: div, pow, maximum, comparisons (which give 1 or 0)."""
    if step.settings.get("rounding_mode"):
        raise NotImplementedError("a division that rounds")
    (a, a_at), (b, b_at) = both(step, cell)
    operator = OPERATORS[step.op]
    value = float(operator.value(a.number(a_at), b.number(b_at)))  # type: ignore[arg-type]
    formula = operator.formula.replace("@a", a.latex(*a_at)).replace("@b", b.latex(*b_at))
    written = write(operator.written, a=a.piece(a_at), b=b.piece(b_at))
    return Explanation(f"{result(step, cell)} = {formula}", (), value, written)


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
    x = needed(step, "input")
    diagonal = int(step.settings.get("diagonal", 0))  # type: ignore[call-overload]
    offset = cell[-1] - cell[-2]
    kept = offset <= diagonal if step.op == "tril" else offset >= diagonal
    if not kept:
        return Explanation(f"{result(step, cell)} = 0", (), 0.0, (0.0,))
    return Explanation(f"{result(step, cell)} = {x.latex(*cell)}", (), float(x.number(cell)), (x.piece(cell),))


def explain_dropout(step: Step, cell: Cell) -> Explanation:
    """A dropped cell is 0; a kept one is scaled by 1 / (1 - p), so that the expected value stays (Srivastava 2014).

    Which cells were dropped was drawn at random: it is read off the recorded output.
    """
    x = needed(step, "input")
    p = float(step.settings["p"]) if step.settings["training"] else 0.0  # type: ignore[arg-type]
    left = f"{result(step, cell)} = "
    if p == 0:
        return Explanation(left + x.latex(*cell), (), float(x.number(cell)), (x.piece(cell),))
    if step.outputs[0].array[cell] == 0:
        return Explanation(rf"{left} 0 \cdot {x.latex(*cell)}", (), 0.0, write("{0} × {x}", x=x.piece(cell)))
    value = float(x.number(cell)) / (1 - p)
    written = write("{x} / ({1} − {p})", x=x.piece(cell), p=p)
    return Explanation(rf"{left} \frac{{{x.latex(*cell)}}}{{1 - {p:g}}}", (), value, written)
