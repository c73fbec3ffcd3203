"""Functions of one number, cell by cell: what they are, their slopes, and how both are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import argument_of, inputs, option
from lmviz.trace.operations.axes import SAME
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, plain_number, write
from lmviz.trace.operations.latex import numeral, result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Slopes, Use, constant
from lmviz.trace.step import Cell, Step

Number = np.float64
_Scalar = Callable[..., Any]  # of x, and of the settings that the function has


@dataclass(frozen=True, slots=True)
class Function:
    """y = value(x), dy/dx = slope(x).

    `formula` is LaTeX with @ for x, `written` a template with {x}; settings stand in both by their names: #alpha#,
    {alpha}. Where a function is made of pieces, `written` says which for an x.
    """

    formula: str
    written: str | Callable[..., str]
    value: _Scalar
    slope: _Scalar | None = None  # None: torch's own derivative
    whole: bool = False  # whether it makes whole numbers of whole numbers, and is to be given them in full
    settings: Mapping[str, float] = field(default_factory=dict)  # what they are if the call does not say


def explain_function(function: Function, step: Step, cell: Cell) -> Explanation:
    """A function of the one number that stands at the same cell of the input."""
    x, settings = inputs(step)[0], _settings_of(function, step)
    number = x.exact(cell) if function.whole else x.number(cell)
    template = function.written if isinstance(function.written, str) else function.written(number, *settings.values())
    formula = function.formula.replace("@", x.latex(*cell))
    for name, value in settings.items():
        formula = formula.replace(f"#{name}#", numeral(value))
    value = function.value(number, *settings.values())
    exact = value if isinstance(value, int) else plain_number(value)
    return Explanation(f"{result(step, cell)} = {formula}", (), exact, write(template, x=x.piece(cell), **settings))


def slopes_function(function: Function, use: Use) -> Slopes:
    """The derivative of a function of one number, at that number."""
    if use.inputs[use.n].is_complex:
        raise NotImplementedError("the slope of a complex number")
    if function.slope is None:
        return slopes_of_torch(use)
    x, settings = use.inputs[use.n].number(use.cell), _settings_of(function, use.step)
    return constant(np.array([use.place]), float(function.slope(x, *settings.values())))


def _settings_of(function: Function, step: Step) -> dict[str, float]:
    for name in function.settings:
        if (found := argument_of(step, name)) is not None and not found.plain:
            raise NotImplementedError(f"{step.op} with a tensor as {name!r}")
    return {name: option(step, name, otherwise) for name, otherwise in function.settings.items()}


def of_one(name: str, function: Function, arguments: str = "input", **more: Any) -> Operation:
    """The record of a function of one number."""
    return Operation(
        name=name,
        arguments=arguments,
        axes=SAME,
        explain=partial(explain_function, function),
        slopes=partial(slopes_function, function),
        **more,
    )


def _erf(x: Number) -> Number:
    return Number(math.erf(x))


def gauss(x: Number) -> Number:
    """The density of N(0, 1)."""
    return Number(np.exp(-x * x / 2) / math.sqrt(2 * math.pi))


def _zero(x: Number) -> float:
    return 0.0


def _log_gamma(x: float) -> float:
    """ln |Γ(x)|, which is infinite at 0 and at the negative whole numbers."""
    if math.isnan(x):
        return math.nan
    return math.inf if math.isinf(x) or (x <= 0 and x == int(x)) else math.lgamma(x)


def erf_inverse(x: float) -> float:
    """The number whose erf is x, by Newton's method."""
    if not abs(x) < 1:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    y = math.copysign(math.sqrt(max(-math.log1p(-float(x * x)), 0.0)), x) * 0.886
    for _ in range(60):
        y -= (math.erf(y) - x) * math.sqrt(math.pi) / 2 * math.exp(y * y)
    return y


def digamma(x: float) -> float:
    """The slope of ln Γ: moved up until Stirling's series is exact enough."""
    if x <= 0 and x == math.floor(x):
        return -math.copysign(math.inf, x) if x == 0 else math.nan
    if math.isnan(x) or x == -math.inf:
        return math.nan
    if x < 0:
        return digamma(1 - x) - math.pi / math.tan(math.pi * x)
    moved = 0.0
    while x < 12:
        moved, x = moved - 1 / x, x + 1
    y = 1 / (x * x)
    return float(moved + math.log(x) - 0.5 / x - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240))))


def _sinc(x: Number) -> Number:
    return Number(1.0) if x == 0 else np.sin(math.pi * x) / (math.pi * x)


_SINC = f"sin({{{math.pi}}} × {{x}}) / ({{{math.pi}}} × {{x}})"


def _is(sign: str, latex: str, value: _Scalar) -> Function:
    """A question, whose answer is 1 or 0."""
    return Function(latex, f"[{sign}]", lambda x: Number(value(x)), _zero)


OPERATIONS = (
    of_one("neg", Function("-@", "−({x})", lambda x: -x, lambda x: -1.0, whole=True), spellings="negative",
        complex=True),
    of_one("positive", Function("@", "{x}", lambda x: x, lambda x: 1.0, whole=True), complex=True),
    of_one("abs", Function("|@|", "|{x}|", abs, np.sign, whole=True), spellings="absolute", complex=True),
    of_one("exp", Function("e^{@}", "exp({x})", np.exp, np.exp), complex=True),
    of_one("exp2", Function("2^{@}", "{2} ^ ({x})", np.exp2, lambda x: np.exp2(x) * math.log(2))),
    of_one("expm1", Function("e^{@} - 1", "expm1({x})", np.expm1, np.exp), spellings="special_expm1"),
    of_one("log", Function(r"\ln @", "ln({x})", lambda x: np.log(x), np.reciprocal), complex=True),
    of_one("log2", Function(r"\log_2 @", "log2({x})", np.log2, lambda x: 1 / (x * math.log(2)))),
    of_one("log10", Function(r"\log_{10} @", "log10({x})", np.log10, lambda x: 1 / (x * math.log(10)))),
    of_one("log1p", Function(r"\ln(1 + @)", "log1p({x})", np.log1p, lambda x: 1 / (1 + x)), spellings="special_log1p"),
    of_one("sqrt", Function(r"\sqrt{@}", "√({x})", lambda x: np.sqrt(x), lambda x: 1 / (2 * np.sqrt(x))),
        complex=True),
    of_one("rsqrt", Function(r"\frac{1}{\sqrt{@}}", "{1} / √({x})", lambda x: 1 / np.sqrt(x),
        lambda x: -1 / (2 * x * np.sqrt(x)))),
    of_one("reciprocal", Function(r"\frac{1}{@}", "{1} / {x}", lambda x: 1 / x, lambda x: -1 / x**2),
        complex=True),
    of_one("square", Function("{@}^2", "({x}) ^ {2}", lambda x: x * x, lambda x: 2 * x, whole=True), complex=True),
    of_one("sin", Function(r"\sin @", "sin({x})", np.sin, np.cos)),
    of_one("cos", Function(r"\cos @", "cos({x})", np.cos, lambda x: -np.sin(x))),
    of_one("tan", Function(r"\tan @", "tan({x})", np.tan, lambda x: 1 + np.tan(x) ** 2)),
    of_one("asin", Function(r"\arcsin @", "asin({x})", np.arcsin, lambda x: 1 / np.sqrt(1 - x * x)),
        spellings="arcsin"),
    of_one("acos", Function(r"\arccos @", "acos({x})", np.arccos, lambda x: -1 / np.sqrt(1 - x * x)),
        spellings="arccos"),
    of_one("atan", Function(r"\arctan @", "atan({x})", np.arctan, lambda x: 1 / (1 + x * x)), spellings="arctan"),
    of_one("sinh", Function(r"\sinh @", "sinh({x})", np.sinh, np.cosh)),
    of_one("cosh", Function(r"\cosh @", "cosh({x})", np.cosh, np.sinh)),
    of_one("tanh", Function(r"\tanh @", "tanh({x})", np.tanh, lambda x: 1 - np.tanh(x) ** 2)),
    of_one("asinh", Function(r"\operatorname{arsinh} @", "asinh({x})", np.arcsinh, lambda x: 1 / np.sqrt(1 + x * x)),
        spellings="arcsinh"),
    of_one("acosh", Function(r"\operatorname{arcosh} @", "acosh({x})", np.arccosh, lambda x: 1 / np.sqrt(x * x - 1)),
        spellings="arccosh"),
    of_one("atanh", Function(r"\operatorname{artanh} @", "atanh({x})", np.arctanh, lambda x: 1 / (1 - x * x)),
        spellings="arctanh"),
    of_one("sinc", Function(r"\frac{\sin \pi @}{\pi @}", lambda x: "{1}" if x == 0 else _SINC, _sinc),
        spellings="special_sinc"),
    of_one("erf", Function(r"\operatorname{erf} @", "erf({x})", _erf,
        lambda x: 2 * math.sqrt(2) * gauss(x * math.sqrt(2))), spellings="special_erf"),
    of_one("erfc", Function(r"1 - \operatorname{erf} @", "erfc({x})", lambda x: Number(math.erfc(x)),
        lambda x: -2 * math.sqrt(2) * gauss(x * math.sqrt(2))), spellings="special_erfc"),
    of_one("lgamma", Function(r"\ln |\Gamma(@)|", "lgamma({x})", _log_gamma), spellings="special_gammaln"),
    of_one("erfinv", Function(r"\operatorname{erf}^{-1} @", "erfinv({x})", lambda x: erf_inverse(float(x))),
        spellings="special_erfinv"),
    of_one("digamma", Function(r"\psi(@)", "digamma({x})", lambda x: digamma(float(x))),
        spellings="special_digamma special_psi"),
    of_one("deg2rad", Function(r"@ \cdot \frac{\pi}{180}", f"{{x}} × {{{math.pi / 180}}}",
        lambda x: x * (math.pi / 180), lambda x: math.pi / 180)),
    of_one("rad2deg", Function(r"@ \cdot \frac{180}{\pi}", f"{{x}} × {{{180 / math.pi}}}",
        lambda x: x * (180 / math.pi), lambda x: 180 / math.pi)),
    # steps: their slope is 0 wherever they have one
    of_one("sign", Function(r"\operatorname{sgn} @", lambda x: "{0}" if np.isnan(x) else "sgn({x})",
        lambda x: 0.0 if np.isnan(x) else np.sign(x), _zero)),
    of_one("floor", Function(r"\lfloor @ \rfloor", "⌊{x}⌋", lambda x: np.floor(x), _zero)),
    of_one("ceil", Function(r"\lceil @ \rceil", "⌈{x}⌉", lambda x: np.ceil(x), _zero)),
    of_one("trunc", Function(r"\operatorname{trunc} @", "trunc({x})", lambda x: np.trunc(x), _zero), spellings="fix"),
    of_one("frac", Function(r"@ - \operatorname{trunc} @", "{x} − trunc({x})", lambda x: x - np.trunc(x),
        lambda x: 1.0)),
    of_one("round", Function(r"\operatorname{round} @", lambda x, decimals: "round({x}, {decimals})" if decimals else
        "round({x})", lambda x, decimals: np.rint(x * 10**decimals) / 10**decimals, lambda x, decimals: 0.0,
        settings={"decimals": 0}), "input decimals"),
    # questions
    of_one("isnan", _is("{x} ≠ {x}", r"[@ \text{ NaN}]", np.isnan)),
    of_one("isinf", _is("|{x}| = {inf}", r"[|@| = \infty]", np.isinf)),
    of_one("isfinite", _is("|{x}| < {inf}", r"[|@| < \infty]", np.isfinite)),
    of_one("isposinf", _is("{x} = {inf}", r"[@ = \infty]", np.isposinf)),
    of_one("isneginf", _is("{x} = {-inf}", r"[@ = -\infty]", np.isneginf)),
    of_one("signbit", _is("copysign({1}, {x}) < {0}", r"[@ < 0 \text{ or } @ = -0]", np.signbit)),
    of_one("logical_not", _is("¬ {x}", r"[\lnot @]", lambda x: x == 0)),
)  # fmt: skip
