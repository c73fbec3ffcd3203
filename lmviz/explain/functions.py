"""Functions of one number: what they are, their slopes, and how both are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmviz.explain.explanation import Explanation, write
from lmviz.explain.given import given, inputs
from lmviz.explain.latex import result
from lmviz.trace.step import Cell, Step

Number = np.float64
Scalar = Callable[[Number], Number]


@dataclass(frozen=True, slots=True)
class Function:
    """y = value(x), dy/dx = slope(x); `formula` is LaTeX with @ for x, `written` a template with {x}."""

    formula: str
    written: str
    value: Scalar
    slope: Scalar | None = None


def _erf(x: Number) -> Number:
    return Number(math.erf(x))


def _sigmoid(x: Number) -> Number:
    """1 / (1 + e^-x), without overflow on either side."""
    e = np.exp(-np.abs(x))
    return Number(1 / (1 + e) if x >= 0 else e / (1 + e))


def _gauss(x: Number) -> Number:
    """The density of N(0, 1)."""
    return Number(np.exp(-x * x / 2) / math.sqrt(2 * math.pi))


def _normal(x: Number) -> Number:
    """The share of N(0, 1) that lies below x."""
    return Number(math.erfc(-x / math.sqrt(2)) / 2)


_SQRT = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def _gelu_tanh_slope(x: Number) -> Number:
    tanh = np.tanh(_SQRT * (x + _CUBIC * x**3))
    return Number((1 + tanh) / 2 + x / 2 * (1 - tanh**2) * _SQRT * (1 + 3 * _CUBIC * x**2))


FUNCTIONS: dict[str, Function] = {
    "neg": Function("-@", "−({x})", np.negative, lambda x: Number(-1)),
    "abs": Function("|@|", "|{x}|", np.abs, np.sign),
    "exp": Function("e^{@}", "exp({x})", np.exp, np.exp),
    "log": Function(r"\ln @", "ln({x})", np.log, np.reciprocal),
    "sqrt": Function(r"\sqrt{@}", "√({x})", np.sqrt, lambda x: 1 / (2 * np.sqrt(x))),
    "rsqrt": Function(
        r"\frac{1}{\sqrt{@}}", "{1} / √({x})", lambda x: 1 / np.sqrt(x), lambda x: -1 / (2 * x * np.sqrt(x))
    ),
    "reciprocal": Function(r"\frac{1}{@}", "{1} / {x}", lambda x: 1 / x, lambda x: -1 / x**2),
    "square": Function("{@}^2", "({x}) ^ {2}", np.square, lambda x: 2 * x),
    "sin": Function(r"\sin @", "sin({x})", np.sin, np.cos),
    "cos": Function(r"\cos @", "cos({x})", np.cos, lambda x: -np.sin(x)),
    "sign": Function(r"\operatorname{sgn} @", "sgn({x})", np.sign, lambda x: Number(0)),
    "erf": Function(r"\operatorname{erf} @", "erf({x})", _erf, lambda x: 2 * math.sqrt(2) * _gauss(x * math.sqrt(2))),
    "tanh": Function(r"\tanh @", "tanh({x})", np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": Function(
        r"\frac{1}{1 + e^{-@}}", "{1} / ({1} + exp(−({x})))", _sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)
    ),
    "relu": Function(r"\max(0, @)", "max({0}, {x})", lambda x: np.maximum(x, 0), lambda x: Number(x > 0)),
    "silu": Function(
        r"\frac{@}{1 + e^{-@}}",
        "{x} / ({1} + exp(−({x})))",
        lambda x: x * _sigmoid(x),
        lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x)),
    ),
    "gelu": Function(
        r"@ \, \Phi(@)", "{x} × Φ({x})", lambda x: x * _normal(x), lambda x: _normal(x) + x * _gauss(x)
    ),  # Hendrycks and Gimpel 2016
    "gelu_tanh": Function(
        r"\tfrac{1}{2} @ \left(1 + \tanh\left(\sqrt{2/\pi} \, (@ + 0.044715 \, @^3)\right)\right)",
        f"{{0.5}} × {{x}} × ({{1}} + tanh({{{_SQRT}}} × ({{x}} + {{{_CUBIC}}} × ({{x}}) ^ {{3}})))",
        lambda x: x / 2 * (1 + np.tanh(_SQRT * (x + _CUBIC * x**3))),
        _gelu_tanh_slope,
    ),
    "isnan": Function(r"[@ \text{ NaN}]", "[{x} ≠ {x}]", lambda x: Number(np.isnan(x))),
    "logical_not": Function(r"[\lnot @]", "[¬ {x}]", lambda x: Number(x == 0)),
}


def function_of(step: Step) -> Function:
    approximate = step.op == "gelu" and step.settings.get("approximate") == "tanh"
    return FUNCTIONS["gelu_tanh" if approximate else step.op]


def explain_function(step: Step, cell: Cell) -> Explanation:
    """A function of the one number that stands at the same cell of the input."""
    (x,) = inputs(step)
    function = function_of(step)
    formula = f"{result(step, cell)} = {function.formula.replace('@', x.latex(*cell))}"
    value = float(function.value(x.number(cell)))
    return Explanation(formula, (), value, write(function.written, x=x.at(cell) or 0.0))


def explain_bitwise_not(step: Step, cell: Cell) -> Explanation:
    """True becomes false; an integer n becomes -n - 1."""
    (x,) = inputs(step)
    at, number = x.piece(cell), x.number(cell)
    formula = rf"{result(step, cell)} = \lnot {x.latex(*cell)}"
    if x.array.dtype == bool:
        return Explanation(formula, (), float(1 - number), write("[¬ {x}]", x=at))
    return Explanation(formula, (), float(-number - 1), write("−({x}) − {1}", x=at))


def explain_clamp(step: Step, cell: Cell) -> Explanation:
    """The nearest number that is at least `min` and at most `max`."""
    x, low, high = inputs(step)[0], given(step, "min"), given(step, "max")
    value, template, formula, named = x.number(cell), "{x}", x.latex(*cell), {"x": x.piece(cell)}
    for bound, name, choose in ((low, "max", np.maximum), (high, "min", np.minimum)):
        if bound is not None:
            at = bound.under(cell)
            value, named[name] = choose(value, bound.number(at)), bound.piece(at)
            template, formula = f"{name}({template}, {{{name}}})", rf"\{name}({formula}, {bound.latex(*at)})"
    return Explanation(f"{result(step, cell)} = {formula}", (), float(value), write(template, **named))
