"""Arithmetic between cells that stand at the same place, size-1 axes repeated: sums, products, quotients, powers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from lmviz.trace.operations.arguments import Argument, plain, product, required_argument
from lmviz.trace.operations.axes import BROADCAST
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.dtypes import BITS, cast
from lmviz.trace.operations.explanation import Explanation, plain_number, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Slopes, Use, broadcast_cells, constant, numbers, recorded, under
from lmviz.trace.step import Cell, Step

_Two = Callable[[Any, Any], Any]


def both(step: Step, cell: Cell, second: str = "other") -> tuple[tuple[Argument, Cell], tuple[Argument, Cell]]:
    """The two sides of an operator, each with its cell under `cell` of the result."""
    a, b = required_argument(step, "input", 1), required_argument(step, second, 2)
    return (a, a.under(cell)), (b, b.under(cell))


def _explain_add(step: Step, cell: Cell) -> Explanation:
    """input + alpha * other."""
    (a, a_at), (b, b_at), alpha = *both(step, cell), _scale(step)
    terms = product(a.name, (a, a_at)), product(b.name, *alpha, (b, b_at))
    formula = f"{result(step, cell)} = {a.latex(*a_at)} + {_factor(alpha)}{b.latex(*b_at)}"
    return Explanation(formula, terms, a.exact(a_at) + _times(alpha, b.exact(b_at)))


def _explain_sub(step: Step, cell: Cell) -> Explanation:
    """input - alpha * other."""
    (a, a_at), (b, b_at), alpha = *both(step, cell), _scale(step)
    formula = f"{result(step, cell)} = {a.latex(*a_at)} - {_factor(alpha)}{b.latex(*b_at)}"
    written = (a.piece(a_at), " − ", *product(b.name, *alpha, (b, b_at)).pieces)
    return Explanation(formula, (), a.exact(a_at) - _times(alpha, b.exact(b_at)), written)


def _explain_mul(step: Step, cell: Cell) -> Explanation:
    """input * other."""
    a, b = both(step, cell)
    formula = rf"{result(step, cell)} = {a[0].latex(*a[1])} \cdot {b[0].latex(*b[1])}"
    return Explanation(formula, (product("", a, b),), a[0].exact(a[1]) * b[0].exact(b[1]))


def _scale(step: Step) -> list[tuple[Argument, Cell]]:
    """`alpha`, by which `other` is multiplied, as a factor; none if it is 1."""
    alpha = step.settings.get("alpha", 1)
    return [] if alpha == 1 else [(plain(alpha), ())]


def _factor(alpha: list[tuple[Argument, Cell]]) -> str:
    return "".join(rf"{part.latex()} \cdot " for part, _ in alpha)


def _times(alpha: list[tuple[Argument, Cell]], number: Any) -> Any:
    return math.prod([part.exact(()) for part, _ in alpha], start=number)


def _slopes_same(use: Use) -> Slopes:
    """What is added goes on unchanged, times `alpha` if it is the second; what is taken away, with the other sign."""
    cells, _ = broadcast_cells(use)
    if use.argument != "other":
        return constant(cells)
    alpha = float(_times(_scale(use.step), 1.0))
    return constant(cells, -alpha if use.step.op == "sub" else alpha)


def _slopes_mul(use: Use) -> Slopes:
    """Each factor's slope is the other factor."""
    cells, out = broadcast_cells(use)
    other = required_argument(use.step, "input" if use.argument == "other" else "other")
    return recorded(cells, other, under(out, other.shape))


# -- functions of two numbers ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operator:
    """A function of two numbers, the ways to write it, and its slopes on the left and on the right.

    `exact` takes whole numbers as Python has them, where the result is a whole number too.
    """

    value: _Two
    formula: str  # with @a and @b for the operands
    written: str
    slopes: tuple[_Two, _Two] | None = None  # None: torch's own derivative
    exact: _Two | None = None
    second: str = "other"  # what torch calls the second argument
    # Where it jumps, a number of the source counts as torch rounds it: to the "own" type of the tensor beside it, in
    # which 0.1 is 0.1001 beside a bfloat16, or to "single" precision, in which half precision is worked out.
    rounds: Literal["", "own", "single"] = ""


def explain_operator(operator: Operator, step: Step, cell: Cell) -> Explanation:
    """A function of two numbers, one from each side."""
    (a, a_at), (b, b_at) = both(step, cell, operator.second)
    if operator.rounds:
        a, b = (_as_typed(number, step, operator.rounds) for number in (a, b))
    if operator.exact is not None and a.is_whole and b.is_whole and step.outputs[0].dtype in BITS:
        value = operator.exact(a.exact(a_at), b.exact(b_at))
    else:
        value = plain_number(operator.value(a.number(a_at), b.number(b_at)))
    formula = operator.formula.replace("@a", a.latex(*a_at)).replace("@b", b.latex(*b_at))
    written = write(operator.written, a=a.piece(a_at), b=b.piece(b_at))
    return Explanation(f"{result(step, cell)} = {formula}", (), value, written)


def _as_typed(number: Argument, step: Step, rounds: str) -> Argument:
    """A plain number as it counts beside a tensor of floats."""
    kind = step.inputs[0].dtype
    if not number.plain or not kind.startswith(("float", "bfloat")) or kind == "float64":
        return number
    return plain(np.float32(number.array) if rounds == "single" or kind == "float32" else cast(number.number(()), kind))


def _slopes_operator(operator: Operator, use: Use) -> Slopes:
    """The slope of a function of two numbers on the side that was used."""
    if operator.slopes is None:
        return slopes_of_torch(use)
    cells, out = broadcast_cells(use)
    a, b = (numbers(required_argument(use.step, name), out, len(cells)) for name in ("input", operator.second))
    left, right = operator.slopes
    slopes = left(a, b) if use.argument == "input" else right(a, b)
    return Slopes(cells, np.broadcast_to(slopes, cells.shape).astype(np.float64))


def of_two(name: str, operator: Operator, **more: Any) -> Operation:
    """The record of a function of two numbers."""
    made: dict[str, Any] = {
        "arguments": "input other",
        "axes": BROADCAST,
        "explain": partial(explain_operator, operator),
        "slopes": partial(_slopes_operator, operator),
    }
    return Operation(name=name, **(made | more))


def _power(a: Any, b: Any) -> Any:
    return np.power(a, b)


def _whole_power(a: int, b: int) -> int:
    """a to the power of b, as far as 64 bits go: larger bits would be lost in any case."""
    return pow(a, b, 1 << 64) if b >= 0 else int(a**b)


def _base(a: Any, b: Any) -> Any:
    return np.where(b == 0, 0.0, b * np.power(a, b - 1))


def _exponent(a: Any, b: Any) -> Any:
    return np.where((a == 0) & (b >= 0), 0.0, np.power(a, b) * np.log(a))


def _won(a: Any, b: Any) -> Any:
    """Of two equal numbers each has half of the slope, as torch has it."""
    return np.where(a == b, 0.5, np.where(a > b, 1.0, 0.0))


def _x_log_y(a: Any, b: Any) -> Any:
    return np.where(np.isnan(b), np.nan, np.where(a == 0, 0.0, a * np.log(b)))


def heaviside(a: Any, b: Any) -> Any:
    """Where a is 0, b; else 1 above it, and 0 below it or where a is NaN: as torch has it, and not numpy."""
    return np.where(a == 0, b, np.greater(a, 0).astype(np.float64))


def _floor_divide(a: Any, b: Any) -> Any:
    return np.where(b == 0, np.divide(a, b), np.floor_divide(a, b))


_DIV = Operator(np.divide, r"\frac{@a}{@b}", "{a} / {b}", (lambda a, b: 1 / b, lambda a, b: -a / b**2))
_FLOOR_DIV = Operator(
    _floor_divide,
    r"\lfloor @a / @b \rfloor",
    "⌊{a} / {b}⌋",
    (lambda a, b: 0.0 * a, lambda a, b: 0.0 * a),
    exact=lambda a, b: a // b,
    rounds="single",
)


def _toward_zero(step: Step) -> Operator:
    """A division that cuts off what is behind the point; the quotient is rounded to its type before that."""

    def value(a: Any, b: Any) -> Any:
        quotient: Any = cast(np.divide(a, b), step.outputs[0].dtype)
        return np.trunc(np.float32(quotient) if step.outputs[0].dtype == "float32" else quotient)

    return Operator(
        value,
        r"\operatorname{trunc}(@a / @b)",
        "trunc({a} / {b})",
        (lambda a, b: 0.0 * a, lambda a, b: 0.0 * a),
        exact=lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
        rounds="single",
    )


def _division(step: Step) -> Operator:
    mode = step.settings.get("rounding_mode")
    return _DIV if mode is None else _FLOOR_DIV if mode == "floor" else _toward_zero(step)


def _explain_div(step: Step, cell: Cell) -> Explanation:
    """input / other; with `rounding_mode`, the whole number below it, or the one towards 0."""
    return explain_operator(_division(step), step, cell)


def _slopes_div(use: Use) -> Slopes:
    return _slopes_operator(_division(use.step), use)


OPERATIONS = (
    Operation(name="add", spellings="radd special_add", arguments="input other alpha", sign="+", complex=True,
        axes=BROADCAST, explain=_explain_add, slopes=_slopes_same),
    Operation(name="sub", spellings="rsub subtract", arguments="input other alpha", sign="−", complex=True,
        axes=BROADCAST, explain=_explain_sub, slopes=_slopes_same),
    Operation(name="mul", spellings="rmul multiply", arguments="input other", sign="×", complex=True,
        axes=BROADCAST, explain=_explain_mul, slopes=_slopes_mul),
    Operation(name="div", spellings="rdiv truediv rtruediv divide true_divide", arguments="input other", sign="÷",
        complex=True, axes=BROADCAST, explain=_explain_div, slopes=_slopes_div),
    of_two("pow", Operator(_power, "{@a}^{@b}", "({a}) ^ ({b})", (_base, _exponent), _whole_power),
        spellings="rpow float_power", sign="^", complex=True),
    of_two("floor_divide", _FLOOR_DIV, spellings="floordiv rfloordiv"),
    of_two("remainder", Operator(np.mod, r"@a \bmod @b", "{a} mod {b}",
        (lambda a, b: 1.0 + 0 * a, lambda a, b: -np.floor(a / b)), lambda a, b: a % b, rounds="own"),
        spellings="mod rmod"),
    of_two("fmod", Operator(np.fmod, r"@a - @b \operatorname{trunc}(@a / @b)", "fmod({a}, {b})",
        (lambda a, b: 1.0 + 0 * a, lambda a, b: -np.trunc(a / b)), lambda a, b: int(math.fmod(a, b)), rounds="own")),
    of_two("maximum", Operator(np.maximum, r"\max(@a, @b)", "max({a}, {b})", (_won, lambda a, b: _won(b, a)), max)),
    of_two("minimum", Operator(np.minimum, r"\min(@a, @b)", "min({a}, {b})", (lambda a, b: _won(b, a), _won), min)),
    of_two("fmax", Operator(np.fmax, r"\max(@a, @b)", "fmax({a}, {b})", exact=max)),
    of_two("fmin", Operator(np.fmin, r"\min(@a, @b)", "fmin({a}, {b})", exact=min)),
    of_two("atan2", Operator(np.arctan2, r"\operatorname{atan2}(@a, @b)", "atan2({a}, {b})",
        (lambda a, b: b / (a * a + b * b), lambda a, b: -a / (a * a + b * b))), spellings="arctan2"),
    of_two("hypot", Operator(np.hypot, r"\sqrt{@a^2 + @b^2}", "√(({a}) ^ {2} + ({b}) ^ {2})",
        (lambda a, b: a / np.hypot(a, b), lambda a, b: b / np.hypot(a, b)))),
    of_two("copysign", Operator(np.copysign, r"|@a| \operatorname{sgn} @b", "copysign({a}, {b})")),
    of_two("logaddexp", Operator(np.logaddexp, r"\ln(e^{@a} + e^{@b})", "logaddexp({a}, {b})",
        (lambda a, b: np.exp(a - np.logaddexp(a, b)), lambda a, b: np.exp(b - np.logaddexp(a, b))))),
    of_two("xlogy", Operator(_x_log_y, r"@a \ln @b", "xlogy({a}, {b})"), spellings="special_xlogy"),
    of_two("heaviside", Operator(heaviside, r"[@a > 0], \text{ at 0: } @b", "heaviside({a}, {b})",
        second="values"), arguments="input values"),
    of_two("bitwise_left_shift", Operator(np.multiply, r"@a \cdot 2^{@b}", "{a} × {2} ^ ({b})",
        exact=lambda a, b: a << b if 0 <= b < 64 else 0), spellings="lshift rlshift"),
    of_two("bitwise_right_shift", Operator(np.multiply, r"\lfloor @a / 2^{@b} \rfloor", "⌊{a} / {2} ^ ({b})⌋",
        exact=lambda a, b: a >> min(max(b, 0), 63)), spellings="rshift rrshift"),
)  # fmt: skip
