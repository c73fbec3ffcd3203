"""Slopes of what is done cell by cell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lmviz.explain.choice import choices, in_triangle, share_dropped
from lmviz.explain.explanation import Floats
from lmviz.explain.functions import function_of
from lmviz.explain.given import Given, given, needed, option
from lmviz.explain.slopes.use import Ints, Slopes, Use, constant, flat, mesh, reached, recorded, under

Rule = Callable[[Use], Slopes]


def meets(use: Use) -> tuple[Ints, list[Ints]]:
    """The output cells that a number is broadcast to: counted through, and by axis."""
    out = mesh(*reached(use.cell, use.given[use.n].shape, use.shape))
    return flat(out, use.shape), out


def numbers(part: Given, index: list[Ints], count: int) -> Floats:
    """What an argument has at some cells of the output, [count]."""
    found: Floats = np.broadcast_to(part.row(tuple(under(index, part.shape))), count)
    return found


def slopes_same(use: Use) -> Slopes:
    """What is added goes on unchanged, times `alpha` if it is the second."""
    cells, _ = meets(use)
    alpha = option(use.step, "alpha", 1.0) if use.argument == "other" else 1.0
    return constant(cells, -alpha if use.step.op == "sub" and use.argument == "other" else alpha)


def slopes_mul(use: Use) -> Slopes:
    """Each factor's slope is the other factor."""
    cells, out = meets(use)
    other = needed(use.step, "input" if use.argument == "other" else "other")
    return recorded(cells, other, under(out, other.shape))


def slopes_operator(use: Use) -> Slopes:
    """The slope of a function of two numbers on the side that was used."""
    cells, out = meets(use)
    a, b = (numbers(needed(use.step, name), out, len(cells)) for name in ("input", "other"))
    if use.step.settings.get("rounding_mode"):
        raise NotImplementedError("a division that rounds")
    left, right = OPERATOR_SLOPES[use.step.op]
    return Slopes(cells, left(a, b) if use.argument == "input" else right(a, b))


def _base(a: Floats, b: Floats) -> Floats:
    return np.where(b == 0, 0.0, b * np.power(a, b - 1))


def _exponent(a: Floats, b: Floats) -> Floats:
    return np.where((a == 0) & (b >= 0), 0.0, np.power(a, b) * np.log(a))


def _share(won: NDArray[np.bool_], equal: NDArray[np.bool_]) -> Floats:
    """Of two equal numbers each has half of the maximum's slope, as torch has it."""
    return np.where(equal, 0.5, won).astype(np.float64)


OPERATOR_SLOPES: dict[str, tuple[Callable[[Floats, Floats], Floats], Callable[[Floats, Floats], Floats]]] = {
    "div": (lambda a, b: 1 / b, lambda a, b: -a / b**2),
    "pow": (_base, _exponent),
    "maximum": (lambda a, b: _share(a > b, a == b), lambda a, b: _share(b > a, a == b)),
    "minimum": (lambda a, b: _share(a < b, a == b), lambda a, b: _share(b < a, a == b)),
}


def slopes_function(use: Use) -> Slopes:
    """The derivative of a function of one number, at that number."""
    x, slope = use.given[use.n].number(use.cell), function_of(use.step).slope
    if slope is None:
        raise NotImplementedError(f"the slope of {use.step.op}")
    return constant(np.array([use.place]), float(slope(x)))


def slopes_masked_fill(use: Use) -> Slopes:
    """Where the mask is true the number goes nowhere; the number that is filled in goes there."""
    cells, out = meets(use)
    mask = numbers(needed(use.step, "mask"), out, len(cells))
    return Slopes(cells, np.float64(1) * (mask != 0 if use.argument == "value" else mask == 0))


def slopes_where(use: Use) -> Slopes:
    cells, out = meets(use)
    condition, _, _ = choices(use.step)
    mask = numbers(condition, out, len(cells))
    return Slopes(cells, np.float64(1) * (mask == 0 if use.argument == "other" else mask != 0))


def slopes_triangle(use: Use) -> Slopes:
    return constant(np.array([use.place]), float(in_triangle(use.step, use.cell)))


def slopes_clamp(use: Use) -> Slopes:
    """1 inside the bounds, which belong to it; 0 outside."""
    cells, out = meets(use)
    low, high = given(use.step, "min"), given(use.step, "max")
    if use.argument != "input":
        raise NotImplementedError("the slope of a bound")
    x = numbers(needed(use.step, "input"), out, len(cells))
    above = low is None or x >= numbers(low, out, len(cells))
    below = high is None or x <= numbers(high, out, len(cells))
    return Slopes(cells, np.broadcast_to(np.float64(1) * (above & below), cells.shape))


def slopes_dropout(use: Use) -> Slopes:
    """0 for a dropped cell, 1 / (1 - p) for a kept one; which it was is read off the output."""
    p = share_dropped(use.step)
    x, y = use.given[use.n].number(use.cell), use.step.outputs[0].array[use.cell]
    kept = p == 0 or y != 0
    if x == 0 and p:
        raise NotImplementedError("a zero shows no trace of having been dropped")
    return constant(np.array([use.place]), 1 / (1 - p) if kept else 0.0)
