"""Losses, in nats: cross_entropy and nll_loss over classes, mse_loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmviz.explain.explanation import Explanation, Floats, Term, Terms, write
from lmviz.explain.given import Given, cell_at, given, needed, option, place_of
from lmviz.explain.latex import result, symbol
from lmviz.trace.step import Array, Cell, Step

BLOCK = 1 << 16  # numbers that are worked on at once


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """A loss over classes: at each position, the sum of share × surprise over the classes that the target names.

    The surprise of a class is -ln of its probability (cross_entropy), or what the input says it is (nll_loss). Its
    share is 1 times the class's weight; less for each when a target is spread over several classes; 0 if ignored.
    """

    x: Given
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
        size = max(1, BLOCK // rows.shape[1])
        blocks = [log_sum_exp(rows[i : i + size].astype(np.float64)) for i in range(0, len(rows), size)]
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


def read_losses(step: Step) -> Losses:
    x, target, weight = needed(step, "input"), needed(step, "target"), given(step, "weight")
    rows = by_class(x.array)
    n, is_log = rows.shape[1], step.op == "nll_loss"
    weights = np.ones(n) if weight is None else weight.row(...)
    every = np.broadcast_to(np.arange(n), rows.shape)
    epsilon = option(step, "label_smoothing", 0.0)
    if target.array.dtype.kind == "f":
        shares = _smoothed(by_class(target.row(...)), epsilon)
        return Losses(x, rows, every, shares * weights, float(len(rows)), is_log)
    ids = target.array.reshape(-1).astype(np.intp)
    counted = ids != step.settings["ignore_index"]
    ids = np.where(counted, ids, 0)
    divisor = float((weights[ids] * counted).sum())
    if epsilon:
        shares = _smoothed((every == ids[:, None]).astype(np.float64), epsilon) * weights * counted[:, None]
        return Losses(x, rows, every, shares, divisor, is_log)
    return Losses(x, rows, ids[:, None], (weights[ids] * counted)[:, None], divisor, is_log)


def by_class(array: Array) -> Array:
    """[pos, class], wherever the class axis was."""
    if array.ndim < 2:
        return array.reshape(1, -1)
    moved: Array = np.moveaxis(array, 1, -1)
    return moved.reshape(-1, array.shape[1])


def log_sum_exp(numbers: Floats) -> Floats:
    m = numbers.max(axis=1, keepdims=True)
    sums: Floats = np.log(np.exp(numbers - m).sum(axis=1)) + m[:, 0]
    return sums


def _smoothed(shares: Floats, epsilon: float) -> Floats:
    """Some of the share spread evenly over all classes (Szegedy et al. 2016, 7)."""
    smooth: Floats = shares * (1 - epsilon) + epsilon / shares.shape[1]
    return smooth


def explain_class_loss(step: Step, cell: Cell) -> Explanation:
    """The loss in nats: the surprise -ln p of each position's target, averaged, summed, or one by one.

    Args:
        step: "cross_entropy" or "nll_loss" with input [pos, class, ...] or [class] and target, class numbers
            [pos, ...] or shares [pos, class, ...].

    Returns:
        One term for each position; without reduction, one for each class that the target gives a share.
    """
    losses = read_losses(step)
    reduction = step.settings.get("reduction", "mean")
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


def _position(losses: Losses, pos: int, value: float) -> Term:
    """One position's loss: written out if one class has the whole share, else as it is."""
    shares = _shares(losses, pos)
    return replace(shares[0], label=str(pos)) if len(shares) == 1 else Term(str(pos), (value,), value)


def _shares(losses: Losses, pos: int) -> Terms:
    """One term for each class that has a share at a position."""
    (named,) = losses.shares[pos].nonzero()
    log_sum = float(losses.log_sums(slice(pos, pos + 1))[0])
    surprises = log_sum - losses.rows[pos, losses.classes[pos, named]].astype(np.float64)
    return Terms(losses.shares[pos, named] * surprises, lambda i: _share(losses, pos, int(named[i]), log_sum))


def _share(losses: Losses, pos: int, n: int, log_sum: float) -> Term:
    """share × (ln of the row's sum of e^x - x)."""
    at = losses.cell(pos, int(losses.classes[pos, n]))
    x, share = losses.x.at(at), float(losses.shares[pos, n])
    surprise = log_sum - float(losses.x.number(at))
    written = write("{s} × ({t} − {x})" if share != 1 else "({t} − {x})", s=share, t=log_sum, x=x or 0.0)
    return Term(str(losses.classes[pos, n]), (share, surprise), share * surprise, (None, None), written)


def explain_mse_loss(step: Step, cell: Cell) -> Explanation:
    """The squared distance of each cell from its target, averaged, summed, or one by one."""
    x, target = needed(step, "input"), needed(step, "target")
    reduction = step.settings.get("reduction", "mean")
    left, square = f"{result(step, cell)} = ", rf"({symbol(x.name, 'n')} - {symbol(target.name, 'n')})^2"
    if reduction == "none":
        term = _square(x, target, cell)
        return Explanation(left + square, (term,), term.value)
    squares = (x.row(...) - target.row(...)) ** 2
    terms = Terms(squares.reshape(-1), lambda n: _square(x, target, cell_at(n, squares.shape)))
    if reduction == "sum":
        return Explanation(rf"{left}\sum_n {square}", terms, float(squares.sum()))
    formula, count = rf"{left}\frac{{1}}{{{squares.size}}} \sum_n {square}", float(squares.size)
    return Explanation(formula, terms, float(np.divide(squares.sum(), count)), write("({terms}) / {n}", n=count))


def _square(x: Given, target: Given, cell: Cell) -> Term:
    a, b = x.under(cell), target.under(cell)
    off = float(x.number(a) - target.number(b))
    written = write("({a} − {b}) ^ {2}", a=x.piece(a), b=target.piece(b))
    return Term(",".join(map(str, cell)), (off, off), off * off, (None, None), written)
