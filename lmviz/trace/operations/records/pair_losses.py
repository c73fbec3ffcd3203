"""Losses between what a model said and what it should have said, place by place: squares, distances, surprises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, cell_at, option, required_argument
from lmviz.trace.operations.axes import UNNAMED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Term, write
from lmviz.trace.operations.latex import result, symbol
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.class_losses import reduced, reduction_of
from lmviz.trace.operations.slopes import Slopes, Use, broadcast_cells, constant
from lmviz.trace.step import Cell, Step

_Chosen = Callable[..., str]


@dataclass(frozen=True, slots=True)
class _PairLoss:
    """A loss of two numbers (or three), and of settings.

    `value` is given arrays, in the order of `arguments`, then the settings; `written` is a template with the arguments
    by their first letters, {a}, {b}, {c}, and the settings by their names; or says which for one place.
    """

    value: Callable[..., Any]
    formula: str  # LaTeX with @a, @b, @c
    written: str | _Chosen
    settings: Mapping[str, float] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("input", "target")
    slope: Callable[..., Any] | None = None  # with respect to the first argument


def _explain_pair_loss(loss: _PairLoss, step: Step, cell: Cell) -> Explanation:
    """The loss at each place, averaged, summed, or one by one; `weight` says how much each place counts."""
    parts = _parts(loss, step)
    shape = np.broadcast_shapes(*(part.shape for part in parts))
    settings = {name: option(step, name, otherwise) for name, otherwise in loss.settings.items()}
    each = loss.value(*(np.broadcast_to(part.row(...), shape) for part in parts), *settings.values())
    weight = argument_of(step, "weight")
    if weight is not None:
        each = each * np.broadcast_to(weight.row(...), shape)

    def term(n: int) -> Term:
        at = cell_at(n, shape)
        value, numbers = float(each[at]), [part.number(part.under(at)) for part in parts]
        template = loss.written if isinstance(loss.written, str) else loss.written(*numbers, *settings.values())
        named = {letter: part.piece(part.under(at)) for letter, part in zip("abc", parts, strict=False)}
        if weight is not None:
            template, named["w"] = f"{{w}} × ({template})", weight.piece(weight.under(at))
        return Term(",".join(map(str, at)), (value,), value, (None,), write(template, **named, **settings))

    formula = loss.formula
    for letter, part in zip("abc", parts, strict=False):
        formula = formula.replace(f"@{letter}", symbol(part.name or letter, "n"))
    mean = rf"\frac{{1}}{{{each.size}}} \sum_n " if reduction_of(step) == "mean" else ""
    total = r"\sum_n " if reduction_of(step) == "sum" else mean
    return reduced(
        step, cell, f"{result(step, cell)} = {total}{formula}", np.asarray(each), term, _divisor(step, each.size)
    )


def _parts(loss: _PairLoss, step: Step) -> list[Argument]:
    return [required_argument(step, name) for name in loss.arguments]


def _divisor(step: Step, size: int) -> float:
    """What a mean divides by: how many places there are; or how much they count, for squares and distances."""
    weight = argument_of(step, "weight")
    if weight is not None and step.op in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        shape = np.broadcast_shapes(weight.shape, *(value.shape for value in step.inputs))
        return float(np.broadcast_to(weight.row(...), shape).sum())
    if step.settings.get("reduction") == "batchmean":
        return float(step.inputs[0].shape[0])
    return float(size)


def _slopes_pair_loss(loss: _PairLoss, use: Use) -> Slopes:
    """The slope at the one place, over how many there are for a mean."""
    parts = _parts(loss, use.step)
    of_first = loss.slope is not None and use.argument == loss.arguments[0]
    if not of_first or argument_of(use.step, "weight") is not None or len({part.shape for part in parts}) > 1:
        return slopes_of_torch(use)
    assert loss.slope is not None
    settings = [option(use.step, name, otherwise) for name, otherwise in loss.settings.items()]
    slope = float(loss.slope(*(part.number(use.cell) for part in parts), *settings))
    reduction = reduction_of(use.step)
    if reduction == "none":
        return constant(broadcast_cells(use)[0], slope)
    return constant(np.array([0]), slope if reduction == "sum" else slope / _divisor(use.step, parts[0].array.size))


# -- what the losses are ---------------------------------------------------------------------------------------------


def _log(p: Any) -> Any:
    """ln p, which torch lets go no lower than -100."""
    return np.maximum(np.log(p), -100.0)


def _smooth(off: Any, beta: float) -> Any:
    size = np.abs(off)
    return size if beta == 0 else np.where(size < beta, size**2 / (2 * beta), size - beta / 2)


def _huber(off: Any, delta: float) -> Any:
    size = np.abs(off)
    return np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))


def _soft_plus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _cross(y: Any) -> Any:
    """y ln y, which is 0 at 0."""
    return np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0)), 0.0)


_SQUARE = _PairLoss(lambda a, b: (a - b) ** 2, "(@a - @b)^2", "({a} − {b}) ^ {2}", slope=lambda a, b: 2 * (a - b))
_ABSOLUTE = _PairLoss(lambda a, b: np.abs(a - b), "|@a - @b|", "|{a} − {b}|", slope=lambda a, b: np.sign(a - b))
_SMOOTH = _PairLoss(
    lambda a, b, beta: _smooth(a - b, beta),
    r"\mathrm{smooth}(@a - @b)",
    lambda a, b, beta: "({a} − {b}) ^ {2} / ({2} × {beta})" if abs(a - b) < beta else "|{a} − {b}| − {beta} / {2}",
    {"beta": 1.0},
)  # Girshick 2015, eq. 3
_HUBER = _PairLoss(
    lambda a, b, delta: _huber(a - b, delta),
    r"\mathrm{huber}(@a - @b)",
    lambda a, b, delta: "({a} − {b}) ^ {2} / {2}" if abs(a - b) <= delta else "{delta} × (|{a} − {b}| − {delta} / {2})",
    {"delta": 1.0},
)
_CERTAIN = _PairLoss(
    lambda a, b: -(b * _log(a) + (1 - b) * _log(1 - a)),
    r"-(@b \ln @a + (1 - @b) \ln(1 - @a))",
    "−({b} × max(ln({a}), {-100}) + ({1} − {b}) × max(ln({1} − {a}), {-100}))",
)
_LOGITS = _PairLoss(
    lambda a, b: (1 - b) * a + _soft_plus(-a),
    r"(1 - @b) @a + \ln(1 + e^{-@a})",
    "({1} − {b}) × {a} + softplus(−({a}))",
)
_HINGE = _PairLoss(
    lambda a, b, margin: np.where(b == 1, a, np.maximum(margin - a, 0.0)),
    r"[@b = 1] @a + [@b = -1] \max(0, m - @a)",
    lambda a, b, margin: "{a}" if b == 1 else "max({0}, {margin} − {a})",
    {"margin": 1.0},
)
_SOFT_MARGIN = _PairLoss(lambda a, b: _soft_plus(-b * a), r"\ln(1 + e^{-@b @a})", "softplus(−({b} × {a}))")
_RANKING = _PairLoss(
    lambda a, b, c, margin: np.maximum(margin - c * (a - b), 0.0),
    r"\max(0, m - @c (@a - @b))",
    "max({0}, {margin} − {c} × ({a} − {b}))",
    {"margin": 0.0},
    ("input1", "input2", "target"),
)


def _kl(step: Step) -> _PairLoss:
    """y (ln y - x); with `log_target`, e^y (y - x)."""
    if step.settings.get("log_target"):
        return _PairLoss(lambda a, b: np.exp(b) * (b - a), "e^{@b} (@b - @a)", "exp({b}) × ({b} − {a})")
    return _PairLoss(
        lambda a, b: _cross(b) - b * a,
        r"@b (\ln @b - @a)",
        lambda a, b: "{b} × (ln({b}) − {a})" if b > 0 else "{0} − {b} × {a}",
    )


def _poisson(step: Step) -> _PairLoss:
    """e^x - y x, or x - y ln(x + eps) where the input is no logarithm; `full` adds Stirling's terms for y > 1."""
    eps, full = option(step, "eps", 1e-8), bool(step.settings.get("full"))
    more = " + {b} × ln({b}) − {b} + {0.5} × ln({two_pi} × {b})"

    def stirling(b: Any) -> Any:
        large = np.where(b > 1, b, 1.0)
        return np.where((b > 1) & full, large * np.log(large) - large + 0.5 * np.log(2 * math.pi * large), 0.0)

    is_log = step.settings.get("log_input") is not False
    base = "exp({a}) − {b} × {a}" if is_log else f"{{a}} − {{b}} × ln({{a}} + {{{eps}}})"
    formula = "e^{@a} - @b @a" if is_log else r"@a - @b \ln(@a + \varepsilon)"
    return _PairLoss(
        lambda a, b, two_pi: (np.exp(a) - b * a if is_log else a - b * np.log(a + eps)) + stirling(b),
        formula,
        lambda a, b, two_pi: base + more if full and b > 1 else base,
        {"two_pi": 2 * math.pi},
    )


def _gaussian(step: Step) -> _PairLoss:
    """(ln v + (x - y)² / v) / 2 for a variance v, which is at least eps; `full` adds ln(2 pi) / 2."""
    eps, full = option(step, "eps", 1e-6), bool(step.settings.get("full"))
    more = math.log(2 * math.pi) / 2 if full else 0.0
    return _PairLoss(
        lambda a, b, c, added: (np.log(np.maximum(c, eps)) + (a - b) ** 2 / np.maximum(c, eps)) / 2 + added,
        r"\tfrac{1}{2} (\ln @c + (@a - @b)^2 / @c)",
        f"(ln(max({{c}}, {{{eps}}})) + ({{a}} − {{b}}) ^ {{2}} / max({{c}}, {{{eps}}})) / {{2}} + {{added}}",
        {"added": more},
        ("input", "target", "var"),
    )


def _with_logits(step: Step) -> _PairLoss:
    """(1 - y) x + ln(1 + e^-x); `pos_weight` says how much more the positive places count."""
    if step.operand("pos_weight") is None:
        return _LOGITS
    return _PairLoss(
        lambda a, b, c: (1 - b) * a + (1 + (c - 1) * b) * _soft_plus(-a),
        r"(1 - @b) @a + (1 + (@c - 1) @b) \ln(1 + e^{-@a})",
        "({1} − {b}) × {a} + ({1} + ({c} − {1}) × {b}) × softplus(−({a}))",
        arguments=("input", "target", "pos_weight"),
    )


_OLD = "size_average reduce reduction"


def _fixed(name: str, loss: _PairLoss, arguments: str) -> Operation:
    return Operation(
        name=name,
        arguments=arguments,
        axes=UNNAMED,
        explain=partial(_explain_pair_loss, loss),
        slopes=partial(_slopes_pair_loss, loss),
    )


def _by_call(name: str, read: Callable[[Step], _PairLoss], arguments: str) -> Operation:
    return Operation(
        name=name,
        arguments=arguments,
        axes=UNNAMED,
        explain=lambda step, cell: _explain_pair_loss(read(step), step, cell),
        slopes=slopes_of_torch,
    )


OPERATIONS = (
    _fixed("mse_loss", _SQUARE, f"input target {_OLD} weight"),
    _fixed("l1_loss", _ABSOLUTE, f"input target {_OLD} weight"),
    _fixed("smooth_l1_loss", _SMOOTH, f"input target {_OLD} beta"),
    _fixed("huber_loss", _HUBER, "input target reduction delta weight"),
    _fixed("binary_cross_entropy", _CERTAIN, f"input target weight {_OLD}"),
    _by_call("binary_cross_entropy_with_logits", _with_logits, f"input target weight {_OLD} pos_weight"),
    _by_call("kl_div", _kl, f"input target {_OLD} log_target"),
    _by_call("poisson_nll_loss", _poisson, "input target log_input full size_average eps reduce reduction"),
    _by_call("gaussian_nll_loss", _gaussian, "input target var full eps reduction"),
    _fixed("hinge_embedding_loss", _HINGE, f"input target margin {_OLD}"),
    _fixed("soft_margin_loss", _SOFT_MARGIN, f"input target {_OLD}"),
    _fixed("margin_ranking_loss", _RANKING, f"input1 input2 target margin {_OLD}"),
)
