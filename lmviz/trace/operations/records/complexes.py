"""Complex numbers: made of two real ones, and taken apart again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import inputs, required_argument, shown
from lmviz.trace.operations.axes import BROADCAST, SAME, AxisRule
from lmviz.trace.operations.explanation import Explanation, plain_number, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.functions import Function, of_one
from lmviz.trace.operations.slopes import Slopes, Use
from lmviz.trace.step import Cell, Step


def _explain_joined(step: Step, cell: Cell) -> Explanation:
    """view_as_complex: the last axis, of two numbers, becomes one complex number; `complex` takes two tensors."""
    if step.op == "view_as_complex":
        x = inputs(step)[0]
        (a, a_at), (b, b_at) = (x, (*cell, 0)), (x, (*cell, 1))
    else:
        a, b = required_argument(step, "real"), required_argument(step, "imag")
        a_at, b_at = a.under(cell), b.under(cell)
    value = complex(a.number(a_at), b.number(b_at))
    formula = f"{result(step, cell)} = {a.latex(*a_at)} + {b.latex(*b_at)} i"
    return Explanation(formula, (), value, write("{a} + {b} × i", a=a.piece(a_at), b=b.piece(b_at)))


def _explain_parts(step: Step, cell: Cell) -> Explanation:
    """view_as_real: the real and the imaginary part, along a new last axis."""
    return _part(step, cell[:-1], cell, cell[-1] == 0)


def _explain_part(step: Step, cell: Cell) -> Explanation:
    """The real, or the imaginary, part of a number."""
    if not inputs(step)[0].is_complex:
        return shown(result(step, cell), inputs(step)[0], cell)
    return _part(step, cell, cell, step.op == "real")


def _part(step: Step, at: Cell, cell: Cell, real: bool) -> Explanation:
    x = inputs(step)[0]
    number = x.number(at)
    name, latex = ("Re", r"\Re") if real else ("Im", r"\Im")
    value = float(number.real if real else number.imag)
    return Explanation(
        f"{result(step, cell)} = {latex} {x.latex(*at)}", (), value, write(f"{name}({{x}})", x=x.piece(at))
    )


def _explain_polar(step: Step, cell: Cell) -> Explanation:
    """abs × (cos(angle) + i sin(angle))."""
    size, angle = required_argument(step, "abs"), required_argument(step, "angle")
    r_at, at = size.under(cell), angle.under(cell)
    value = complex(size.number(r_at) * np.exp(1j * angle.number(at)))
    formula = rf"{result(step, cell)} = {size.latex(*r_at)} \, e^{{i \, {angle.latex(*at)}}}"
    written = write("{r} × (cos({t}) + sin({t}) × i)", r=size.piece(r_at), t=angle.piece(at))
    return Explanation(formula, (), value, written)


def _explain_conjugate(step: Step, cell: Cell) -> Explanation:
    """The same number with the other sign before its imaginary part."""
    x = inputs(step)[0]
    value = plain_number(np.conj(x.number(cell)))
    return Explanation(
        rf"{result(step, cell)} = \overline{{{x.latex(*cell)}}}", (), value, write("conj({x})", x=x.piece(cell))
    )


def _slopes_of_complex(use: Use) -> Slopes:
    """A complex number has no slope as a real one has."""
    raise NotImplementedError("the slope of a complex number")


def _operation(
    name: str, arguments: str, explain: Callable[..., Explanation], axes: AxisRule, **more: Any
) -> Operation:
    return Operation(
        name=name, arguments=arguments, explain=explain, axes=axes, slopes=_slopes_of_complex, complex=True, **more
    )


def _is_real_zero(x: Any) -> bool:
    """Whether it is 0 or −0, of which torch gives one angle."""
    return not np.iscomplexobj(x) and x == 0


def _is_real_nan(x: Any) -> bool:
    return not np.iscomplexobj(x) and bool(np.isnan(x))


def _sgn(x: Any) -> Any:
    """Of length 1; of what is no real number 0, as torch has it."""
    if x == 0 or _is_real_nan(x):
        return 0.0
    return x / abs(x) if np.iscomplexobj(x) else np.sign(x)


_VIEW_AS_COMPLEX = AxisRule(lambda inputs, settings, shape: inputs[0][1][:-1])
_VIEW_AS_REAL = AxisRule(lambda inputs, settings, shape: (*inputs[0][1], ""))

OPERATIONS = (
    _operation("view_as_complex", "input", _explain_joined, _VIEW_AS_COMPLEX),
    _operation("view_as_real", "input", _explain_parts, _VIEW_AS_REAL),
    _operation("complex", "real imag", _explain_joined, BROADCAST),
    _operation("polar", "abs angle", _explain_polar, BROADCAST),
    _operation("real", "input", _explain_part, SAME),
    _operation("imag", "input", _explain_part, SAME),
    _operation("conj", "input", _explain_conjugate, SAME, spellings="conj_physical"),
    of_one("angle", Function(r"\arg @", lambda x: "{0}" if _is_real_zero(x) else "arg({x})",
        lambda x: 0.0 if _is_real_zero(x) else np.angle(x), lambda x: 0.0), complex=True),
    of_one("sgn", Function(r"@ / |@|", lambda x: "{0}" if x == 0 or _is_real_nan(x) else
        "{x} / |{x}|" if np.iscomplexobj(x) else "sgn({x})", _sgn, lambda x: 0.0), complex=True),
)  # fmt: skip
