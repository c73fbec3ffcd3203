"""Normalisation over the last axes, fused: layer_norm and rms_norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.explain.explanation import Explanation, Floats, Term, Terms, write
from lmviz.explain.given import Given, given, needed, option
from lmviz.explain.group import Group, group
from lmviz.explain.latex import result
from lmviz.explain.reduce import squares
from lmviz.trace.step import Cell, Step

_EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


@dataclass(frozen=True, slots=True, eq=False)
class Normed:
    """One normalised row: (numbers - mean) / scale; rms_norm takes no mean off."""

    row: Group
    mean: np.float64
    scale: np.float64
    eps: float

    @property
    def numbers(self) -> Floats:
        normed: Floats = (self.row.numbers - self.mean) / self.scale
        return normed


def normed_row(step: Step, cell: Cell) -> Normed:
    """The row that a cell was normalised with. Without `eps`, rms_norm takes the precision of its input's type."""
    x = needed(step, "input")
    shape: Any = step.settings["normalized_shape"]
    n_axes = 1 if isinstance(shape, int) else len(shape)
    axes = tuple(range(x.array.ndim - n_axes, x.array.ndim))
    row = group(x, axes, cell)
    eps = option(step, "eps", _EPSILON[step.inputs[0].dtype])
    mean = row.numbers.mean() if step.op == "layer_norm" else np.float64(0)
    return Normed(row, mean, np.sqrt(((row.numbers - mean) ** 2).mean() + eps), eps)


def weights_at(step: Step, cell: Cell) -> list[tuple[str, Given, Cell]]:
    """The scale and the shift of a cell, as far as the step has them."""
    found = [(name, given(step, name)) for name in ("weight", "bias")]
    return [(name, part, cell[len(cell) - part.array.ndim :]) for name, part in found if part is not None]


def explain_norm(step: Step, cell: Cell) -> Explanation:
    """(x - mean) / √(variance + eps) × weight + bias; rms_norm has neither mean nor bias.

    Returns:
        One term for each number of the row: its squared distance from the mean. Their mean is the variance.

    Source:
        Ba et al. 2016, eq. 4; Zhang and Sennrich 2019, eq. 4.
    """
    this = normed_row(step, cell)
    x, centred = needed(step, "input"), step.op == "layer_norm"
    value = (x.number(cell) - this.mean) / this.scale
    template, formula = (_CENTRED if centred else _PLAIN)[0], _latex(x.latex(*cell), centred)
    named = {"x": x.piece(cell), "mean": float(this.mean), "n": float(len(this.row)), "eps": this.eps}
    for name, part, at in weights_at(step, cell):
        value = value * part.number(at) if name == "weight" else value + part.number(at)
        template += f" × {{{name}}}" if name == "weight" else f" + {{{name}}}"
        formula += (r" \cdot " if name == "weight" else " + ") + part.latex(*at)
        named[name] = part.piece(at)
    terms = squares(this.row, float(this.mean)) if centred else _own_squares(this.row)
    return Explanation(f"{result(step, cell)} = {formula}", terms, float(value), write(template, **named))


_CENTRED = "({x} − {mean}) / √(({terms}) / {n} + {eps})", r"(x_i - \mu)^2"
_PLAIN = "{x} / √(({terms}) / {n} + {eps})", "x_i^2"


def _latex(x: str, centred: bool) -> str:
    square, above = (_CENTRED[1], rf"{x} - \mu") if centred else (_PLAIN[1], x)
    return rf"\frac{{{above}}}{{\sqrt{{\tfrac{{1}}{{n}} \sum_i {square} + \varepsilon}}}}"


def _own_squares(row: Group) -> Terms:
    def term(i: int) -> Term:
        x = row.operand(i)
        return Term(row.label(i), (x.value, x.value), x.value**2, (x, x), write("({x}) ^ {2}", x=x))

    return Terms(row.numbers**2, term)
