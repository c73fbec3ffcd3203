"""Cells that are kept or not: masked_fill, where, clamp, tril and triu, dropout."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, inputs, option, plain, required_argument, shown
from lmviz.trace.operations.axes import BROADCAST, SAME
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.indexing import explain_nonzero
from lmviz.trace.operations.slopes import Slopes, Use, broadcast_cells, constant, numbers
from lmviz.trace.step import Cell, Step


def _explain_masked_fill(step: Step, cell: Cell) -> Explanation:
    """`value` where the mask is true, else the input's own number."""
    x, mask, fill = required_argument(step, "input"), required_argument(step, "mask"), required_argument(step, "value")
    masked = bool(mask.number(mask.under(cell)))
    return _chosen(step, cell, "mask", mask, fill if masked else x, "" if masked else r"\lnot ")


def _slopes_masked_fill(use: Use) -> Slopes:
    """Where the mask is true the number goes nowhere; the number that is filled in goes there."""
    cells, out = broadcast_cells(use)
    mask = numbers(required_argument(use.step, "mask"), out, len(cells))
    return Slopes(cells, np.float64(1) * (mask != 0 if use.argument == "value" else mask == 0))


def _explain_where(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """`input` where the condition is true, else `other`; with a condition only, where it is true."""
    if step.operand("input") is None:
        return explain_nonzero(step, cell, output)
    condition, x, other = _choices(step)
    true = bool(condition.number(condition.under(cell)))
    return _chosen(step, cell, "condition", condition, x if true else other, "" if true else r"\lnot ")


def _choices(step: Step) -> tuple[Argument, Argument, Argument]:
    """The condition of a where, what is taken if it holds, and what else; x.where(condition, other) swaps two."""
    condition, x = required_argument(step, "condition"), required_argument(step, "input")
    if condition.array.dtype != bool and x.array.dtype == bool:
        condition, x = x, condition
    return condition, x, required_argument(step, "other")


def _slopes_where(use: Use) -> Slopes:
    cells, out = broadcast_cells(use)
    condition, _, _ = _choices(use.step)
    mask = numbers(condition, out, len(cells))
    return Slopes(cells, np.float64(1) * (mask == 0 if use.argument == "other" else mask != 0))


def _chosen(step: Step, cell: Cell, asked: str, mask: Argument, taken: Argument, sign: str) -> Explanation:
    """What is taken, and what was asked: by what it is for, since the source gives `~causal` no name."""
    at, mask_at = taken.under(cell), mask.under(cell)
    formula = rf"{result(step, cell)} = {taken.latex(*at)} \quad ({sign}{mask.latex(*mask_at)})"
    written = write(f"{asked}: {{m}} → {{x}}", m=mask.piece(mask_at), x=taken.piece(at))
    return Explanation(formula, (), taken.exact(at), written)


# -- between bounds --------------------------------------------------------------------------------------------------


def _explain_clamp(step: Step, cell: Cell) -> Explanation:
    """The nearest number that is at least `min` and at most `max`."""
    x = inputs(step)[0]
    at = x.under(cell)
    value, template, formula, named = x.exact(at), "{x}", x.latex(*at), {"x": x.piece(at)}
    for name, choose, bound in (
        ("max", _larger, argument_of(step, "min")),
        ("min", _smaller, argument_of(step, "max")),
    ):
        if bound is not None:
            edge = bound.under(cell)
            value, named[name] = choose(value, bound.exact(edge)), bound.piece(edge)
            template, formula = f"{name}({template}, {{{name}}})", rf"\{name}({formula}, {bound.latex(*edge)})"
    return Explanation(f"{result(step, cell)} = {formula}", (), value, write(template, **named))


def _larger(a: Any, b: Any) -> Any:
    """The larger of two numbers; NaN if one is."""
    return max(a, b) if isinstance(a, int) and isinstance(b, int) else np.maximum(a, b)


def _smaller(a: Any, b: Any) -> Any:
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else np.minimum(a, b)


def _slopes_clamp(use: Use) -> Slopes:
    """1 inside the bounds, which belong to it; 0 outside. A bound's slope is 1 where it is what is taken."""
    cells, out = broadcast_cells(use)
    low, high = argument_of(use.step, "min"), argument_of(use.step, "max")
    x = numbers(required_argument(use.step, "input"), out, len(cells))
    lows = None if low is None else numbers(low, out, len(cells))
    highs = None if high is None else numbers(high, out, len(cells))
    below = np.zeros(len(cells), bool) if lows is None else x < lows
    above = np.zeros(len(cells), bool) if highs is None else x > highs
    if lows is not None and highs is not None:
        above |= lows > highs  # torch takes the upper bound then
        below &= ~(lows > highs)
    is_number = ~np.isnan(x)
    kept = {"input": ~below & ~above & is_number, "min": below, "max": above}[use.argument]
    return Slopes(cells, np.float64(1) * kept)


# -- triangles -------------------------------------------------------------------------------------------------------


def _explain_triangle(step: Step, cell: Cell) -> Explanation:
    """tril keeps what is on or below a diagonal, triu what is on or above it; the rest becomes 0."""
    kept = shown(result(step, cell), required_argument(step, "input"), cell)
    return kept if _in_triangle(step, cell) else Explanation(f"{result(step, cell)} = 0", (), 0.0, (0.0,))


def _in_triangle(step: Step, cell: Cell) -> bool:
    offset, diagonal = cell[-1] - cell[-2], option(step, "diagonal", 0)
    return offset <= diagonal if step.op == "tril" else offset >= diagonal


def _slopes_triangle(use: Use) -> Slopes:
    return constant(np.array([use.place]), float(_in_triangle(use.step, use.cell)))


# -- dropout ---------------------------------------------------------------------------------------------------------


def _explain_dropout(step: Step, cell: Cell) -> Explanation:
    """A dropped cell is 0; a kept one is scaled by 1 / (1 - p), so that the expected value stays.

    Which cells were dropped was drawn at random: it is read off the recorded output. `dropout2d` and the like drop
    whole channels.

    Source:
        Srivastava et al. 2014, scaled as torch does.
    """
    x, p, left = required_argument(step, "input"), _share_dropped(step), f"{result(step, cell)} = "
    if p == 0:
        return shown(result(step, cell), x, cell)
    if step.outputs[0].array[cell] == 0:
        return Explanation(rf"{left} 0 \cdot {x.latex(*cell)}", (), 0.0, write("{0} × {x}", x=x.piece(cell)))
    formula = rf"{left} \frac{{{x.latex(*cell)}}}{{1 - {p:g}}}"
    return Explanation(formula, (), float(x.number(cell)) / (1 - p), write("{x} / ({1} − {p})", x=x.piece(cell), p=p))


def _share_dropped(step: Step) -> float:
    return option(step, "p", 0.5) if step.settings.get("training") else 0.0


def _slopes_dropout(use: Use) -> Slopes:
    """0 for a dropped cell, 1 / (1 - p) for a kept one; which it was is read off the output."""
    p = _share_dropped(use.step)
    x, y = use.inputs[use.n].number(use.cell), use.step.outputs[0].array[use.cell]
    kept = p == 0 or y != 0
    if x == 0 and p:
        raise NotImplementedError("a zero shows no trace of having been dropped")
    return constant(np.array([use.place]), 1 / (1 - p) if kept else 0.0)


def _explain_alpha_dropout(step: Step, cell: Cell) -> Explanation:
    """In training alpha_dropout draws, and keeps mean and variance by more than a factor; outside it does nothing."""
    if _share_dropped(step):
        raise NotImplementedError("what alpha_dropout draws")
    return shown(result(step, cell), required_argument(step, "input"), cell)


def _dropout(name: str) -> Operation:
    return Operation(
        name=name,
        arguments="input p training inplace",
        defaults={"p": 0.5, "training": True},
        axes=SAME,
        explain=_explain_dropout,
        slopes=_slopes_dropout,
        random=True,
    )


# -- between two -----------------------------------------------------------------------------------------------------


def _explain_lerp(step: Step, cell: Cell) -> Explanation:
    """Some of the way from `input` to `end`: input + weight × (end - input)."""
    start, end, weight = (required_argument(step, name) for name in ("input", "end", "weight"))
    a_at, b_at, w_at = start.under(cell), end.under(cell), weight.under(cell)
    a, b, w = start.number(a_at), end.number(b_at), weight.number(w_at)
    formula = rf"{start.latex(*a_at)} + {weight.latex(*w_at)} ({end.latex(*b_at)} - {start.latex(*a_at)})"
    written = write("{a} + {w} × ({b} − {a})", a=start.piece(a_at), b=end.piece(b_at), w=weight.piece(w_at))
    return Explanation(f"{result(step, cell)} = {formula}", (), float(a + w * (b - a)), written)


def _slopes_lerp(use: Use) -> Slopes:
    cells, out = broadcast_cells(use)
    start, end, weight = (
        numbers(required_argument(use.step, name), out, len(cells)) for name in ("input", "end", "weight")
    )
    return Slopes(
        cells, {"input": 1 - weight, "end": weight, "weight": end - start}[use.argument] + np.zeros(len(cells))
    )


def _explain_addc(step: Step, cell: Cell) -> Explanation:
    """input + value × tensor1 × tensor2; addcdiv divides the two."""
    x, a, b = (required_argument(step, name) for name in ("input", "tensor1", "tensor2"))
    factor, x_at, a_at, b_at = step.settings.get("value", 1), x.under(cell), a.under(cell), b.under(cell)
    divides = step.op == "addcdiv"
    inner = a.exact(a_at) / b.exact(b_at) if divides else a.exact(a_at) * b.exact(b_at)
    sign, latex = (
        ("/", rf"\frac{{{a.latex(*a_at)}}}{{{b.latex(*b_at)}}}")
        if divides
        else ("×", rf"{a.latex(*a_at)} \cdot {b.latex(*b_at)}")
    )
    scale = plain(factor)
    times = "" if factor == 1 else "{v} × "
    formula = f"{x.latex(*x_at)} + {'' if factor == 1 else scale.latex()} {latex}"
    written = write(
        f"{{x}} + {times}{{a}} {sign} {{b}}", x=x.piece(x_at), a=a.piece(a_at), b=b.piece(b_at), v=scale.piece(())
    )
    return Explanation(f"{result(step, cell)} = {formula}", (), x.exact(x_at) + factor * inner, written)


def _slopes_addc(use: Use) -> Slopes:
    cells, out = broadcast_cells(use)
    a, b = (numbers(required_argument(use.step, name), out, len(cells)) for name in ("tensor1", "tensor2"))
    factor = option(use.step, "value", 1.0)
    if use.argument == "input":
        return constant(cells)
    if use.step.op == "addcdiv":
        return Slopes(cells, factor / b if use.argument == "tensor1" else -factor * a / b**2)
    return Slopes(cells, factor * (b if use.argument == "tensor1" else a))


# -- what is no number -----------------------------------------------------------------------------------------------

_LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": float(np.finfo(np.float32).max)}


def _explain_nan_to_num(step: Step, cell: Cell) -> Explanation:
    """A number for NaN (0 unless said) and for each infinity (the largest that the type has, unless said)."""
    x = required_argument(step, "input")
    number, most = x.number(cell), _LARGEST.get(step.outputs[0].dtype, float(np.finfo(np.float64).max))
    if np.isfinite(number):
        return shown(result(step, cell), x, cell)
    if np.isnan(number):
        value = option(step, "nan", 0.0)
    else:
        value = option(step, "posinf", most) if number > 0 else option(step, "neginf", -most)
    formula = rf"{result(step, cell)} = {value:g} \quad ({x.latex(*cell)})"
    return Explanation(formula, (), value, write("{x} → {value}", x=x.piece(cell), value=value))


def _slopes_nan_to_num(use: Use) -> Slopes:
    return constant(np.array([use.place]), float(np.isfinite(use.inputs[use.n].number(use.cell))))


OPERATIONS = (
    Operation(name="masked_fill", arguments="input mask value", axes=SAME, explain=_explain_masked_fill,
        slopes=_slopes_masked_fill, complex=True),
    Operation(name="where", arguments="condition input other", axes=BROADCAST, explain=_explain_where,
        slopes=_slopes_where, complex=True, several=True),
    Operation(name="clamp", spellings="clip", arguments="input min max", axes=SAME, explain=_explain_clamp,
        slopes=_slopes_clamp),
    Operation(name="clamp_min", arguments="input min", axes=SAME, explain=_explain_clamp, slopes=_slopes_clamp),
    Operation(name="clamp_max", arguments="input max", axes=SAME, explain=_explain_clamp, slopes=_slopes_clamp),
    Operation(name="tril", arguments="input diagonal", defaults={"diagonal": 0}, axes=SAME, explain=_explain_triangle,
        slopes=_slopes_triangle, complex=True),
    Operation(name="triu", arguments="input diagonal", defaults={"diagonal": 0}, axes=SAME, explain=_explain_triangle,
        slopes=_slopes_triangle, complex=True),
    *map(_dropout, ("dropout", "dropout1d", "dropout2d", "dropout3d")),
    *(replace(_dropout(name), explain=_explain_alpha_dropout, slopes=slopes_of_torch, defaults={})
        for name in ("alpha_dropout", "feature_alpha_dropout")),
    Operation(name="lerp", arguments="input end weight", axes=BROADCAST, explain=_explain_lerp, slopes=_slopes_lerp),
    Operation(name="addcmul", arguments="input tensor1 tensor2 value", axes=BROADCAST, explain=_explain_addc,
        slopes=_slopes_addc),
    Operation(name="addcdiv", arguments="input tensor1 tensor2 value", axes=BROADCAST, explain=_explain_addc,
        slopes=_slopes_addc),
    Operation(name="nan_to_num", arguments="input nan posinf neginf", axes=SAME, explain=_explain_nan_to_num,
        slopes=_slopes_nan_to_num),
)  # fmt: skip
