"""The bends between layers: functions of one number that models are named after."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from lmviz.trace.operations.arguments import Argument, inputs, option, required_argument
from lmviz.trace.operations.axes import RESIZED, SAME
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, write
from lmviz.trace.operations.group import axes_of
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.functions import (
    Function,
    Number,
    explain_function,
    gauss,
    of_one,
    slopes_function,
)
from lmviz.trace.operations.slopes import Slopes, Use, constant, flat
from lmviz.trace.step import Cell, Step

_SQRT = math.sqrt(2 / math.pi)
_CUBIC = 0.044715
_SELU = {"alpha": 1.6732632423543772, "scale": 1.0507009873554805}  # Klambauer et al. 2017


def _sigmoid(x: Number) -> Number:
    """1 / (1 + e^-x), without overflow on either side."""
    e = np.exp(-np.abs(x))
    return Number(1 / (1 + e) if x >= 0 else e / (1 + e))


def _sigmoid_slope(x: Number) -> Number:
    return Number(_sigmoid(x) * _sigmoid(-x))


def _softplus(x: Number) -> Number:
    """ln(1 + e^x), without overflow."""
    return Number(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def normal_share(x: Number) -> Number:
    """The share of N(0, 1) that lies below x."""
    return Number(math.erfc(-x / math.sqrt(2)) / 2)


def _gelu_tanh_slope(x: Number) -> Number:
    tanh = np.tanh(_SQRT * (x + _CUBIC * x**3))
    return Number((1 + tanh) / 2 + x / 2 * (1 - tanh**2) * _SQRT * (1 + 3 * _CUBIC * x**2))


def _logit(x: Number, eps: float) -> Number:
    kept = x if eps < 0 else np.minimum(np.maximum(x, eps), 1 - eps)
    return Number(np.log(kept / (1 - kept)))


def _inside(low: float, high: float, x: Number) -> float:
    return float(low < x < high)


_GELU = Function(
    r"@ \, \Phi(@)", "{x} × Φ({x})", lambda x: x * normal_share(x), lambda x: normal_share(x) + x * gauss(x)
)  # Hendrycks and Gimpel 2016
_GELU_TANH = Function(
    r"\tfrac{1}{2} @ \left(1 + \tanh\left(\sqrt{2/\pi} \, (@ + 0.044715 \, @^3)\right)\right)",
    f"{{0.5}} × {{x}} × ({{1}} + tanh({{{_SQRT}}} × ({{x}} + {{{_CUBIC}}} × ({{x}}) ^ {{3}})))",
    lambda x: x / 2 * (1 + np.tanh(_SQRT * (x + _CUBIC * x**3))),
    _gelu_tanh_slope,
)


def _gelu(step: Step) -> Function:
    return _GELU_TANH if step.settings.get("approximate") == "tanh" else _GELU


def _explain_rrelu(step: Step, cell: Cell) -> Explanation:
    """What is below zero times the middle of two slopes; in training the slope is drawn for each number.

    Source:
        Xu et al. 2015, 2.4.
    """
    x = required_argument(step, "input")
    if step.settings.get("training"):
        raise NotImplementedError("what rrelu draws")
    slope = (option(step, "lower", 1 / 8) + option(step, "upper", 1 / 3)) / 2
    number = x.number(cell)
    formula = rf"{result(step, cell)} = \max(0, {x.latex(*cell)}) + {slope:g} \min(0, {x.latex(*cell)})"
    written = write("max({0}, {x}) + {slope} × min({0}, {x})", x=x.piece(cell), slope=slope)
    return Explanation(formula, (), float(number if number > 0 else slope * number), written)


# -- functions of one number and a weight, or of two numbers of one tensor -------------------------------------------


def _weight_under(x: Argument, weight: Argument, cell: Cell) -> Cell:
    """The weight of a prelu: one for all, or one for each channel, the second axis."""
    return (cell[1] if weight.array.size > 1 else 0,) * weight.array.ndim


def _explain_prelu(step: Step, cell: Cell) -> Explanation:
    """x where it is positive, else weight × x; there may be one weight for each channel (the second axis).

    Source:
        He et al. 2015, eq. 1.
    """
    x, weight = required_argument(step, "input"), required_argument(step, "weight")
    at = _weight_under(x, weight, cell)
    number, slope = x.number(cell), weight.number(at)
    value = number if number > 0 else number * slope
    template = "{x}" if number > 0 else "{w} × {x}"
    formula = rf"\max(0, {x.latex(*cell)}) + {weight.latex(*at)} \cdot \min(0, {x.latex(*cell)})"
    written = write(template, x=x.piece(cell), w=weight.piece(at))
    return Explanation(f"{result(step, cell)} = {formula}", (), float(value), written)


def _slopes_prelu(use: Use) -> Slopes:
    x, weight = required_argument(use.step, "input"), required_argument(use.step, "weight")
    if use.argument == "input":
        slope = 1.0 if x.number(use.cell) > 0 else float(weight.number(_weight_under(x, weight, use.cell)))
        return constant(np.array([use.place]), slope)
    several = weight.array.size > 1
    cells = np.array(
        [i for i in range(x.array.size) if not several or np.unravel_index(i, x.shape)[1] == use.cell[0]], np.intp
    )
    return Slopes(cells, np.minimum(x.row(...).reshape(-1)[cells], 0.0))


def _halves(step: Step, cell: Cell) -> tuple[Argument, Cell, Cell]:
    """What a gated linear unit multiplies: a cell of the first half along `dim`, and one of the second."""
    x = inputs(step)[0]
    (axis,) = axes_of(step.settings.get("dim", -1), x.array.ndim)
    gate = tuple(i + x.shape[axis] // 2 if a == axis else i for a, i in enumerate(cell))
    return x, cell, gate


def _explain_glu(step: Step, cell: Cell) -> Explanation:
    """One half of the input times the sigmoid of the other half.

    Source:
        Dauphin et al. 2017, eq. 1.
    """
    x, a, b = _halves(step, cell)
    formula = rf"{result(step, cell)} = \frac{{{x.latex(*a)}}}{{1 + e^{{-{x.latex(*b)}}}}}"
    value = x.number(a) * _sigmoid(x.number(b))
    return Explanation(formula, (), float(value), write("{a} / ({1} + exp(−({b})))", a=x.piece(a), b=x.piece(b)))


def _slopes_glu(use: Use) -> Slopes:
    x = use.inputs[0]
    (axis,) = axes_of(use.step.settings.get("dim", -1), x.array.ndim)
    half = x.shape[axis] // 2
    cell = tuple(i % half if a == axis else i for a, i in enumerate(use.cell))
    _, a, b = _halves(use.step, cell)
    gate = x.number(b)
    slope = _sigmoid(gate) if use.cell[axis] < half else x.number(a) * _sigmoid_slope(gate)
    return constant(flat([np.array([i]) for i in cell], use.shape), float(slope))


_LEAK = {"negative_slope": 0.01}
_ALPHA = {"alpha": 1.0}
_SHRINK = {"lambd": 0.5}

OPERATIONS = (
    of_one("relu", Function(r"\max(0, @)", "max({0}, {x})", lambda x: np.maximum(x, 0), lambda x: float(x > 0)),
        "input inplace"),
    of_one("relu6", Function(r"\min(\max(0, @), 6)", "min(max({0}, {x}), {6})",
        lambda x: np.minimum(np.maximum(x, 0), 6), partial(_inside, 0, 6)), "input inplace"),
    of_one("leaky_relu", Function(r"\max(0, @) + #negative_slope# \cdot \min(0, @)",
        "max({0}, {x}) + {negative_slope} × min({0}, {x})",
        lambda x, leak: x if x > 0 else leak * x, lambda x, leak: 1.0 if x > 0 else leak, settings=_LEAK),
        "input negative_slope inplace"),
    of_one("elu", Function(r"\max(0, @) + #alpha# (e^{\min(0, @)} - 1)",
        "max({0}, {x}) + {alpha} × expm1(min({0}, {x}))",
        lambda x, alpha: x if x > 0 else alpha * np.expm1(x), lambda x, alpha: 1.0 if x > 0 else alpha * np.exp(x),
        settings=_ALPHA), "input alpha inplace"),
    of_one("selu", Function(r"#scale# \left(\max(0, @) + #alpha# (e^{\min(0, @)} - 1)\right)",
        "{scale} × (max({0}, {x}) + {alpha} × expm1(min({0}, {x})))",
        lambda x, alpha, scale: scale * (x if x > 0 else alpha * np.expm1(x)),
        lambda x, alpha, scale: scale * (1.0 if x > 0 else alpha * np.exp(x)), settings=_SELU), "input inplace"),
    of_one("celu", Function(r"\max(0, @) + #alpha# (e^{\min(0, @) / #alpha#} - 1)",
        "max({0}, {x}) + {alpha} × expm1(min({0}, {x}) / {alpha})",
        lambda x, alpha: x if x > 0 else alpha * np.expm1(x / alpha),
        lambda x, alpha: 1.0 if x > 0 else np.exp(x / alpha), settings=_ALPHA), "input alpha inplace"),
    of_one("silu", Function(r"\frac{@}{1 + e^{-@}}", "{x} / ({1} + exp(−({x})))", lambda x: x * _sigmoid(x),
        lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x))), "input inplace"),
    of_one("mish", Function(r"@ \tanh(\ln(1 + e^{@}))", "{x} × tanh(softplus({x}))",
        lambda x: x * np.tanh(_softplus(x)),
        lambda x: np.tanh(_softplus(x)) + x * _sigmoid(x) * (1 - np.tanh(_softplus(x)) ** 2)), "input inplace"),
    of_one("sigmoid", Function(r"\frac{1}{1 + e^{-@}}", "{1} / ({1} + exp(−({x})))", _sigmoid, _sigmoid_slope),
        spellings="special_expit"),
    of_one("logsigmoid", Function(r"-\ln(1 + e^{-@})", "−softplus(−({x}))", lambda x: -_softplus(-x),
        lambda x: _sigmoid(-x)), spellings="log_sigmoid"),
    of_one("softplus", Function(r"\frac{1}{#beta#} \ln(1 + e^{#beta# @})",
        lambda x, beta, threshold: "{x}" if x * beta > threshold else "softplus({beta} × {x}) / {beta}",
        lambda x, beta, threshold: x if x * beta > threshold else _softplus(x * beta) / beta,
        lambda x, beta, threshold: 1.0 if x * beta > threshold else _sigmoid(x * beta),
        settings={"beta": 1.0, "threshold": 20.0}), "input beta threshold"),
    of_one("softsign", Function(r"\frac{@}{1 + |@|}", "{x} / ({1} + |{x}|)", lambda x: x / (1 + np.abs(x)),
        lambda x: 1 / (1 + np.abs(x)) ** 2)),
    of_one("tanhshrink", Function(r"@ - \tanh @", "{x} − tanh({x})", lambda x: x - np.tanh(x),
        lambda x: np.tanh(x) ** 2)),
    of_one("softshrink", Function(r"\operatorname{sgn}(@) \max(|@| - #lambd#, 0)",
        "sgn({x}) × max(|{x}| − {lambd}, {0})", lambda x, edge: np.sign(x) * np.maximum(np.abs(x) - edge, 0),
        lambda x, edge: float(np.abs(x) > edge), settings=_SHRINK), "input lambd"),
    of_one("hardshrink", Function(r"@ \; [|@| > #lambd#]",
        lambda x, edge: "{0}" if -edge <= x <= edge else "{x}", lambda x, edge: 0.0 if -edge <= x <= edge else x,
        lambda x, edge: float(not -edge <= x <= edge), settings=_SHRINK), "input lambd"),
    of_one("hardtanh", Function(r"\min(\max(#min_val#, @), #max_val#)", "min(max({min_val}, {x}), {max_val})",
        lambda x, low, high: np.minimum(np.maximum(x, low), high), lambda x, low, high: float(low < x < high),
        settings={"min_val": -1.0, "max_val": 1.0}), "input min_val max_val inplace"),
    of_one("hardsigmoid", Function(r"\tfrac{1}{6} \min(\max(0, @ + 3), 6)", "min(max({0}, {x} + {3}), {6}) / {6}",
        lambda x: np.minimum(np.maximum(x + 3, 0), 6) / 6, lambda x: 1 / 6 if -3 < x < 3 else 0.0), "input inplace"),
    of_one("hardswish", Function(r"\tfrac{1}{6} @ \min(\max(0, @ + 3), 6)",
        "{x} × min(max({0}, {x} + {3}), {6}) / {6}", lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6,
        lambda x: 0.0 if x <= -3 else 1.0 if x >= 3 else x / 3 + 0.5), "input inplace"),
    of_one("threshold", Function(r"@ \text{ if } @ > #threshold#", lambda x, edge, other: "{value}" if x <= edge else
        "{x}", lambda x, edge, other: other if x <= edge else x, lambda x, edge, other: float(x > edge),
        settings={"threshold": 0.0, "value": 0.0}), "input threshold value inplace", spellings="_threshold"),
    of_one("logit", Function(r"\ln \frac{@}{1 - @}", lambda x, eps: "ln({x} / ({1} − {x}))" if eps < 0 else
        "ln(min(max({x}, {eps}), {1} − {eps}) / ({1} − min(max({x}, {eps}), {1} − {eps})))", _logit,
        settings={"eps": -1.0}), "input eps", spellings="special_logit"),
    Operation(
        name="gelu",
        arguments="input approximate",
        defaults={"approximate": "none"},
        axes=SAME,
        explain=lambda step, cell: explain_function(_gelu(step), step, cell),
        slopes=lambda use: slopes_function(_gelu(use.step), use),
    ),
    Operation(name="rrelu", arguments="input lower upper training inplace", axes=SAME, explain=_explain_rrelu,
        slopes=slopes_of_torch, random=True),
    Operation(name="prelu", arguments="input weight", axes=SAME, explain=_explain_prelu, slopes=_slopes_prelu),
    Operation(name="glu", arguments="input dim", axes=RESIZED, explain=_explain_glu, slopes=_slopes_glu),
)  # fmt: skip
