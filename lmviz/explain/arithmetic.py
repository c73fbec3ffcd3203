"""Arithmetic between cells that stand at the same place, size-1 axes repeated: sums, products, powers, comparisons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmviz.explain.explanation import Explanation, write
from lmviz.explain.given import Given, needed, option, plain, product
from lmviz.explain.latex import result
from lmviz.trace.step import Cell, Step


def both(step: Step, cell: Cell) -> tuple[tuple[Given, Cell], tuple[Given, Cell]]:
    """The two sides of an operator, each with its cell under `cell` of the result."""
    a, b = needed(step, "input", 1), needed(step, "other", 2)
    return (a, a.under(cell)), (b, b.under(cell))


def explain_add(step: Step, cell: Cell) -> Explanation:
    """input + alpha * other."""
    (a, a_at), (b, b_at), alpha = *both(step, cell), scale(step)
    terms = product(a.name, (a, a_at)), product(b.name, *alpha, (b, b_at))
    factor = "".join(rf"{part.latex()} \cdot " for part, _ in alpha)
    formula = f"{result(step, cell)} = {a.latex(*a_at)} + {factor}{b.latex(*b_at)}"
    return Explanation(formula, terms, terms[0].value + terms[1].value)


def scale(step: Step) -> list[tuple[Given, Cell]]:
    """`alpha`, by which `other` is multiplied, as a factor; none if it is 1."""
    alpha = option(step, "alpha", 1.0)
    return [] if alpha == 1 else [(plain(alpha), ())]


def explain_sub(step: Step, cell: Cell) -> Explanation:
    """input - alpha * other."""
    (a, a_at), (b, b_at), alpha = *both(step, cell), scale(step)
    taken = product(b.name, *alpha, (b, b_at))
    factor = "".join(rf"{part.latex()} \cdot " for part, _ in alpha)
    formula = f"{result(step, cell)} = {a.latex(*a_at)} - {factor}{b.latex(*b_at)}"
    return Explanation(formula, (), float(a.number(a_at)) - taken.value, (a.piece(a_at), " − ", *taken.pieces))


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
    "bitwise_and": _compared("∧", r"\land", np.logical_and),
    "bitwise_or": _compared("∨", r"\lor", np.logical_or),
}


def explain_operator(step: Step, cell: Cell) -> Explanation:
    """A function of two numbers, one from each side: div, pow, maximum, comparisons (which give 1 or 0)."""
    if step.settings.get("rounding_mode") or ("bitwise" in step.op and step.outputs[0].dtype != "bool"):
        raise NotImplementedError("a division that rounds, or arithmetic on bits")
    (a, a_at), (b, b_at) = both(step, cell)
    operator = OPERATORS[step.op]
    value = float(operator.value(a.number(a_at), b.number(b_at)))  # type: ignore[arg-type]
    formula = operator.formula.replace("@a", a.latex(*a_at)).replace("@b", b.latex(*b_at))
    written = write(operator.written, a=a.piece(a_at), b=b.piece(b_at))
    return Explanation(f"{result(step, cell)} = {formula}", (), value, written)
