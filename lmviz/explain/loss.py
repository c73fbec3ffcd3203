"""Losses, in nats: cross_entropy and nll_loss over classes, mse_loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.explain.explanation import Explanation, Operand, Term, Terms, write
from lmviz.explain.given import Floats, Given, given, needed, product, result, symbol
from lmviz.trace.step import Cell, Step


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """A loss over classes, one row for each position, [pos, class]: loss = sum of shares × surprises.

    The surprise of a class is -ln of its probability (cross_entropy), or what the input says it is (nll_loss). `shares`
    is what the target says of each class, times the class's weight: one-hot for a class index, smoothed if asked.
    """

    x: Given
    numbers: Floats  # the input, [pos, class]
    log_sums: Floats  # ln of the sum of e^x of each row, [pos]; 0 for nll_loss
    shares: Floats  # [pos, class]; 0 in rows that are ignored
    divisor: float  # of the sum over positions, for reduction "mean"

    def each(self) -> Floats:
        """The loss at each position, [pos]."""
        surprises = np.where(self.shares == 0, 0.0, self.log_sums[:, None] - self.numbers)
        losses: Floats = (self.shares * surprises).sum(axis=1)
        return losses

    def cell(self, pos: int, target: int) -> Cell:
        """The input's cell for a class at a position; the class axis is the second, or the only one."""
        shape = self.x.shape
        if len(shape) == 1:
            return (target,)
        first, *rest = np.unravel_index(pos, (shape[0], *shape[2:]))
        return (int(first), target, *(int(i) for i in rest))


def read_losses(step: Step) -> Losses:
    x, target, weight = needed(step, "input"), needed(step, "target"), given(step, "weight")
    n = x.shape[1] if x.array.ndim > 1 else x.shape[0]
    numbers = by_class(x.row(...), n)
    log_sums = log_sum_exp(numbers) if step.op == "cross_entropy" else np.zeros(len(numbers))
    weights = np.ones(n) if weight is None else weight.row(...)
    if target.array.dtype.kind == "f":
        given_shares = by_class(target.row(...), n)
        return Losses(x, numbers, log_sums, _smoothed(step, given_shares) * weights, float(len(numbers)))
    ids = target.array.reshape(-1)
    counted = ids != step.settings["ignore_index"]
    ids = np.where(counted, ids, 0)
    divisor = float((weights[ids] * counted).sum())
    one_hot = (np.arange(n) == ids[:, None]).astype(np.float64)
    return Losses(x, numbers, log_sums, _smoothed(step, one_hot) * weights * counted[:, None], divisor)


def by_class(array: Floats, n: int) -> Floats:
    """[pos, class], wherever the class axis was."""
    return np.moveaxis(array, 1, -1).reshape(-1, n) if array.ndim > 1 else array.reshape(1, n)


def log_sum_exp(numbers: Floats) -> Floats:
    m = numbers.max(axis=1, keepdims=True)
    sums: Floats = (np.log(np.exp(numbers - m).sum(axis=1, keepdims=True)) + m)[:, 0]
    return sums


def _smoothed(step: Step, shares: Floats) -> Floats:
    """Some of the share spread evenly over all classes (Szegedy et al. 2016, 7)."""
    epsilon = float(step.settings.get("label_smoothing", 0.0))  # type: ignore[arg-type]
    return shares * (1 - epsilon) + epsilon / shares.shape[1] if epsilon else shares


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
    left = f"{result(step, cell)} = "
    if reduction == "none":
        pos = int(np.ravel_multi_index(cell, step.outputs[0].shape)) if cell else 0
        return Explanation(f"{left}{_latex(step)}", _shares(losses, pos), float(losses.each()[pos]))
    each = losses.each()
    terms = Terms(len(each), lambda pos: _position(losses, pos, float(each[pos])))
    if reduction == "sum":
        return Explanation(rf"{left}\sum_n {_latex(step)}", terms, float(each.sum()))
    value = np.divide(each.sum(), np.float64(losses.divisor))
    formula = rf"{left}\frac{{1}}{{{losses.divisor:g}}} \sum_n {_latex(step)}"
    return Explanation(formula, terms, float(value), write("({terms}) / {n}", n=losses.divisor))


def _latex(step: Step) -> str:
    x = symbol(step.inputs[0].name or "x", "n", "t_n")
    every = symbol(step.inputs[0].name or "x", "n", "i")
    return rf"\left(\ln \sum_i e^{{{every}}} - {x}\right)" if step.op == "cross_entropy" else f"-{x}"


def _position(losses: Losses, pos: int, value: float) -> Term:
    """One position's loss: written out if one class has the whole share, else as it is."""
    (classes,) = losses.shares[pos].nonzero()
    if len(classes) != 1:
        return Term(str(pos), (value,), value)
    term = _share(losses, pos, int(classes[0]))
    return Term(str(pos), term.factors, term.value, term.operands, term.written)


def _shares(losses: Losses, pos: int) -> Terms:
    (classes,) = losses.shares[pos].nonzero()
    return Terms(len(classes), lambda i: _share(losses, pos, int(classes[i])))


def _share(losses: Losses, pos: int, target: int) -> Term:
    """share × (ln of the row's sum of e^x - x)."""
    at = losses.cell(pos, target)
    x = Operand(losses.x.name, losses.x.address, at, float(losses.x.array[at]))
    share, total = float(losses.shares[pos, target]), float(losses.log_sums[pos])
    surprise = total - x.value
    written = write("{s} × ({t} − {x})" if share != 1 else "({t} − {x})", s=share, t=total, x=x)
    return Term(str(target), (share, surprise), share * surprise, (None, None), written)


def explain_mse_loss(step: Step, cell: Cell) -> Explanation:
    """The squared distance of each cell from its target, averaged, summed, or one by one."""
    x, target = needed(step, "input"), needed(step, "target")
    shape = np.broadcast_shapes(x.shape, target.shape)
    reduction: Any = step.settings.get("reduction", "mean")

    def term(at: Cell) -> Term:
        a, b = product("", (x, x.under(at))).pieces[0], product("", (target, target.under(at))).pieces[0]
        off = float(x.number(x.under(at)) - target.number(target.under(at)))
        written = write("({a} − {b}) ^ {2}", a=a, b=b)
        return Term(",".join(map(str, at)), (off, off), off * off, (None, None), written)

    formula = rf"({symbol(x.name, 'n')} - {symbol(target.name, 'n')})^2"
    if reduction == "none":
        return Explanation(f"{result(step, cell)} = {formula}", (term(cell),), term(cell).value)
    squares = (x.row(...) - target.row(...)) ** 2
    terms = Terms(squares.size, lambda i: term(tuple(int(j) for j in np.unravel_index(i, shape)) if shape else ()))
    if reduction == "sum":
        return Explanation(rf"{result(step, cell)} = \sum_n {formula}", terms, float(squares.sum()))
    value = float(np.divide(squares.sum(), np.float64(squares.size)))
    formula = rf"{result(step, cell)} = \frac{{1}}{{{squares.size}}} \sum_n {formula}"
    return Explanation(formula, terms, value, write("({terms}) / {n}", n=float(squares.size)))
