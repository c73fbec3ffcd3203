"""Losses over classes: cross_entropy and nll_loss, in nats, and how the losses of all places are put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmviz.trace.operations.arguments import Argument, argument_of, cell_at, option, place_of, required_argument
from lmviz.trace.operations.axes import UNNAMED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Floats, Term, Terms, write
from lmviz.trace.operations.latex import result, symbol
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Slopes, Use, constant
from lmviz.trace.step import Array, Cell, Step

_BLOCK = 1 << 16  # numbers that are worked on at once


@dataclass(frozen=True, slots=True, eq=False)
class _Losses:
    """A loss over classes: at each position, the sum of share × surprise over the classes that the target names.

    The surprise of a class is -ln of its probability (cross_entropy), or what the input says it is (nll_loss). Its
    share is 1 times the class's weight; less for each when a target is spread over several classes; 0 if ignored.
    """

    x: Argument
    rows: Array  # the input, [pos, class]
    classes: NDArray[np.intp]  # that the target names, [pos, named]
    shares: Floats  # of each of them, [pos, named]
    divisor: float  # of the sum over positions, for reduction "mean"
    is_log: bool  # the input is ln of probabilities (nll_loss)

    def log_sums(self, which: slice = slice(None)) -> Floats:
        """ln of the sum of e^x at some positions, in blocks that fit a processor's cache; 0 for nll_loss."""
        rows = self.rows[which]
        if self.is_log:
            return np.zeros(len(rows))
        size = max(1, _BLOCK // rows.shape[1])
        blocks = [_log_sum_exp(rows[i : i + size].astype(np.float64)) for i in range(0, len(rows), size)]
        return np.concatenate(blocks or [np.zeros(0)])

    def each(self, which: slice = slice(None)) -> Floats:
        """The loss at some positions, [pos]."""
        named = np.take_along_axis(self.rows[which], self.classes[which], 1).astype(np.float64)
        surprises = np.where(self.shares[which] == 0, 0.0, self.log_sums(which)[:, None] - named)
        losses: Floats = (self.shares[which] * surprises).sum(axis=1)
        return losses

    def cell(self, pos: int, target: int) -> Cell:
        """The input's cell for a class at a position; the class axis is the second, or the only one."""
        shape = self.x.shape
        if len(shape) == 1:
            return (target,)
        first, *rest = cell_at(pos, (shape[0], *shape[2:]))
        return (first, target, *rest)


def _read_losses(step: Step) -> _Losses:
    x, target, weight = required_argument(step, "input"), required_argument(step, "target"), argument_of(step, "weight")
    rows = _by_class(x.array)
    n, is_log = rows.shape[1], step.op == "nll_loss"
    weights = np.ones(n) if weight is None else weight.row(...)
    every = np.broadcast_to(np.arange(n), rows.shape)
    epsilon = option(step, "label_smoothing", 0.0)
    if target.array.dtype.kind == "f":
        shares = _smoothed(_by_class(target.row(...)), epsilon)
        return _Losses(x, rows, every, shares * weights, float(len(rows)), is_log)
    ids = target.array.reshape(-1).astype(np.intp)
    counted = ids != step.settings.get("ignore_index", -100)
    ids = np.where(counted, ids, 0)
    divisor = float((weights[ids] * counted).sum())
    if epsilon:
        shares = _smoothed((every == ids[:, None]).astype(np.float64), epsilon) * weights * counted[:, None]
        return _Losses(x, rows, every, shares, divisor, is_log)
    return _Losses(x, rows, ids[:, None], (weights[ids] * counted)[:, None], divisor, is_log)


def _by_class(array: Array) -> Array:
    """[pos, class], wherever the class axis was."""
    if array.ndim < 2:
        return array.reshape(1, -1)
    moved: Array = np.moveaxis(array, 1, -1)
    return moved.reshape(-1, array.shape[1])


def _log_sum_exp(numbers: Floats) -> Floats:
    m = numbers.max(axis=1, keepdims=True)
    sums: Floats = np.log(np.exp(numbers - m).sum(axis=1)) + m[:, 0]
    return sums


def _smoothed(shares: Floats, epsilon: float) -> Floats:
    """Some of the share spread evenly over all classes (Szegedy et al. 2016, 7)."""
    smooth: Floats = shares * (1 - epsilon) + epsilon / shares.shape[1]
    return smooth


def _explain_class_loss(step: Step, cell: Cell) -> Explanation:
    """The loss in nats: the surprise -ln p of each position's target, averaged, summed, or one by one.

    Args:
        step: "cross_entropy" or "nll_loss" with input [pos, class, ...] or [class] and target, class numbers
            [pos, ...] or shares [pos, class, ...].

    Returns:
        One term for each position; without reduction, one for each class that the target gives a share.
    """
    losses = _read_losses(step)
    reduction = reduction_of(step)
    left, latex = f"{result(step, cell)} = ", _latex(step)
    if reduction == "none":
        pos = place_of(cell, step.outputs[0].shape)
        return Explanation(left + latex, _shares(losses, pos), float(losses.each(slice(pos, pos + 1))[0]))
    each = losses.each()
    terms = Terms(each, lambda pos: _position(losses, pos, float(each[pos])))
    if reduction == "sum":
        return Explanation(rf"{left}\sum_n {latex}", terms, float(each.sum()))
    value = np.divide(each.sum(), np.float64(losses.divisor))
    formula = rf"{left}\frac{{1}}{{{losses.divisor:g}}} \sum_n {latex}"
    return Explanation(formula, terms, float(value), write("({terms}) / {n}", n=losses.divisor))


def _latex(step: Step) -> str:
    x = symbol(step.inputs[0].name or "x", "n", "t_n")
    every = symbol(step.inputs[0].name or "x", "n", "i")
    return rf"\left(\ln \sum_i e^{{{every}}} - {x}\right)" if step.op == "cross_entropy" else f"-{x}"


def _position(losses: _Losses, pos: int, value: float) -> Term:
    """One position's loss: written out if one class has the whole share, else as it is."""
    shares = _shares(losses, pos)
    return replace(shares[0], label=str(pos)) if len(shares) == 1 else Term(str(pos), (value,), value)


def _shares(losses: _Losses, pos: int) -> Terms:
    """One term for each class that has a share at a position."""
    (named,) = losses.shares[pos].nonzero()
    log_sum = float(losses.log_sums(slice(pos, pos + 1))[0])
    surprises = log_sum - losses.rows[pos, losses.classes[pos, named]].astype(np.float64)
    return Terms(losses.shares[pos, named] * surprises, lambda i: _share(losses, pos, int(named[i]), log_sum))


def _share(losses: _Losses, pos: int, n: int, log_sum: float) -> Term:
    """share × (ln of the row's sum of e^x - x)."""
    at = losses.cell(pos, int(losses.classes[pos, n]))
    x, share = losses.x.at(at), float(losses.shares[pos, n])
    surprise = log_sum - float(losses.x.number(at))
    written = write("{s} × ({t} − {x})" if share != 1 else "({t} − {x})", s=share, t=log_sum, x=x or 0.0)
    return Term(str(losses.classes[pos, n]), (share, surprise), share * surprise, (None, None), written)


def _slopes_class_loss(use: Use) -> Slopes:
    """softmax - share, for each position and class (nll_loss: -share), over the number of positions for a mean."""
    if use.argument != "input":
        raise NotImplementedError("the slope of a target")
    losses = _read_losses(use.step)
    shape = use.inputs[0].shape
    own = use.cell[1] if len(shape) > 1 else use.cell[0]
    others, sizes = (use.cell[:1] + use.cell[2:], shape[:1] + shape[2:]) if len(shape) > 1 else ((), ())
    pos = place_of(others, sizes)
    shares = losses.shares[pos]
    slope = -shares[losses.classes[pos] == own].sum()
    if not losses.is_log:
        slope += np.exp(losses.rows[pos, own] - losses.log_sums(slice(pos, pos + 1))[0]) * shares.sum()
    reduction = reduction_of(use.step)
    divisor = losses.divisor if reduction == "mean" else 1.0
    return constant(np.array([pos if reduction == "none" else 0]), float(np.divide(slope, divisor)))


# -- margins ---------------------------------------------------------------------------------------------------------


def _explain_multi_margin(step: Step, cell: Cell) -> Explanation:
    """For each position: how far every other class comes within `margin` of the target's number, over the classes.

    Source:
        Weston and Watkins 1999, as torch averages it.
    """
    x, target, weight = required_argument(step, "input"), required_argument(step, "target"), argument_of(step, "weight")
    rows, margin, p = np.atleast_2d(x.row(...)), option(step, "margin", 1.0), option(step, "p", 1.0)
    ids = np.atleast_1d(target.array).astype(np.intp)
    own = np.take_along_axis(rows, ids[:, None], 1)
    over = np.maximum(margin - own + rows, 0.0) ** p * (1.0 if weight is None else weight.row(...)[ids][:, None])
    over[np.arange(len(ids)), ids] = 0.0
    each = over.sum(axis=1) / rows.shape[1]
    formula = rf"{result(step, cell)} = \frac{{1}}{{C}} \sum_i \max(0, {margin:g} - x_t + x_i)^{{{p:g}}}"
    return reduced(step, cell, formula, each, lambda n: Term(str(n), (float(each[n]),), float(each[n])))


def _explain_multilabel_margin(step: Step, cell: Cell) -> Explanation:
    """For each row: how far every other class comes within 1 of each of its targets, over the classes.

    A target is a list of classes; what comes after a -1 does not count.
    """
    x, target = (
        np.atleast_2d(required_argument(step, "input").row(...)),
        np.atleast_2d(required_argument(step, "target").array),
    )
    each = np.zeros(len(x))
    for n, (row, ids) in enumerate(zip(x, target, strict=True)):
        own = [int(c) for c in ids[: int(np.argmax(ids < 0)) if (ids < 0).any() else len(ids)]]
        others = [c for c in range(len(row)) if c not in own]
        each[n] = sum(max(0.0, 1 - row[c] + row[i]) for c in own for i in others) / len(row)
    formula = rf"{result(step, cell)} = \frac{{1}}{{C}} \sum_{{t, i}} \max(0, 1 - x_t + x_i)"
    return reduced(step, cell, formula, each, lambda n: Term(str(n), (float(each[n]),), float(each[n])))


def reduced(
    step: Step, cell: Cell, formula: str, each: Floats, term: Callable[[int], Term], divisor: float | None = None
) -> Explanation:
    """The losses at all places: one of them, their sum, or their mean."""
    reduction = reduction_of(step)
    if reduction == "none":
        n = place_of(cell, step.outputs[0].shape)
        return Explanation(formula, (term(n),), float(each.reshape(-1)[n]))
    terms = Terms(each.reshape(-1), term)
    if reduction == "sum":
        return Explanation(formula, terms, float(each.sum()))
    n_places = float(each.size) if divisor is None else divisor
    value = np.divide(each.sum(), np.float64(n_places))
    return Explanation(formula, terms, float(value), write("({terms}) / {n}", n=n_places))


def reduction_of(step: Step) -> str:
    """What is done with the losses of all places; the older `reduce` and `size_average` say it in another way."""
    if step.settings.get("reduce") is False:
        return "none"
    if step.settings.get("size_average") is False:
        return "sum"
    return str(step.settings.get("reduction") or "mean")


_CLASSES = "input target weight size_average ignore_index reduce reduction"

OPERATIONS = (
    Operation(
        name="cross_entropy",
        arguments=f"{_CLASSES} label_smoothing",
        defaults={"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0},
        axes=UNNAMED,
        explain=_explain_class_loss,
        slopes=_slopes_class_loss,
    ),
    Operation(
        name="nll_loss",
        arguments=_CLASSES,
        defaults={"ignore_index": -100, "reduction": "mean"},
        axes=UNNAMED,
        explain=_explain_class_loss,
        slopes=_slopes_class_loss,
    ),
    Operation(
        name="multi_margin_loss",
        arguments="input target p margin weight size_average reduce reduction",
        axes=UNNAMED,
        explain=_explain_multi_margin,
        slopes=slopes_of_torch,
    ),
    Operation(
        name="multilabel_margin_loss",
        arguments="input target size_average reduce reduction",
        axes=UNNAMED,
        explain=_explain_multilabel_margin,
        slopes=slopes_of_torch,
    ),
)
