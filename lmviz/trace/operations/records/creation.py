"""Tensors made from nothing: arange, zeros, ones, full, a list of numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lmviz.trace.operations.axes import LIKE_INPUT, UNNAMED, AxisRule
from lmviz.trace.operations.explanation import Explanation, plain_number, write
from lmviz.trace.operations.latex import numeral, result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import no_slopes
from lmviz.trace.step import Cell, Step


def _explain_arange(step: Step, cell: Cell) -> Explanation:
    """start + i * step; with one number given, it is the end."""
    numbers: Any = step.settings
    start = numbers.get("start", 0) if "end" in numbers else 0
    stride = numbers.get("step", 1)
    written = write("{start} + {i} × {step}", start=float(start), i=float(cell[0]), step=float(stride))
    formula = rf"{result(step, cell)} = {start} + {cell[0]} \cdot {stride}"
    return Explanation(formula, (), start + cell[0] * stride, written)


def _explain_linspace(step: Step, cell: Cell) -> Explanation:
    """From start to end in equal parts, both included; logspace has a power of its base there."""
    numbers: Any = step.settings
    start, end, steps = float(numbers["start"]), float(numbers["end"]), int(numbers.get("steps", 100))
    part, i = ((end - start) / (steps - 1) if steps > 1 else 0.0), float(cell[0])
    value = start + i * part
    formula = rf"{result(step, cell)} = {start:g} + {cell[0]} \cdot {part:g}"
    if step.op == "linspace":
        return Explanation(formula, (), value, write("{start} + {i} × {step}", start=start, i=i, step=part))
    base = float(numbers.get("base", 10.0))
    written = write("{base} ^ ({start} + {i} × {step})", base=base, start=start, i=i, step=part)
    return Explanation(formula, (), base**value, written)


def _explain_constant(number: float | None, step: Step, cell: Cell) -> Explanation:
    """What the source says: 0, 1, or the number to fill with."""
    value: Any = step.settings.get("fill_value") if number is None else number
    if value is None:
        raise NotImplementedError("a constant that is not written in the call")
    return Explanation(
        f"{result(step, cell)} = {numeral(float(value))}", (), plain_number(value), (plain_number(value),)
    )


def _explain_listed(step: Step, cell: Cell) -> Explanation:
    """A number of a list that the source writes out, or that plain Python had."""
    found: Any = step.settings.get("value")
    if found is None or len(step.inputs) > (step.op == "new_tensor"):
        raise NotImplementedError("a constant that is not written in the call")
    for index in cell:
        found = found[index]
    return Explanation(f"{result(step, cell)} = {numeral(plain_number(found))}", (), found, (plain_number(found),))


def _explain_eye(step: Step, cell: Cell) -> Explanation:
    """1 on the diagonal, 0 beside it."""
    row, col = cell
    written = write("[{i} = {j}]", i=float(row), j=float(col))
    return Explanation(f"{result(step, cell)} = [{row} = {col}]", (), float(row == col), written)


def _explain_triangle_places(step: Step, cell: Cell) -> Explanation:
    """tril_indices and triu_indices: the rows and the columns of a triangle's cells, row by row."""
    size = int(step.settings["row"]), int(step.settings.get("col") or step.settings["row"])  # type: ignore[call-overload]
    offset: Any = step.settings.get("offset", 0)
    find: Callable[..., Any] = np.tril_indices if step.op == "tril_indices" else np.triu_indices
    value = int(find(size[0], int(offset), size[1])[cell[0]][cell[1]])
    return Explanation(f"{result(step, cell)} = {value}", (), value, (float(value),))


def _explain_window(step: Step, cell: Cell) -> Explanation:
    """hann_window, hamming_window: a - b cos(2 pi i / n), with n one less for a window that is not periodic."""
    n = int(step.settings["window_length"])  # type: ignore[call-overload]
    default = (0.5, 0.5) if step.op == "hann_window" else (0.54, 0.46)
    if step.settings.get("alpha") is not None or n < 2:
        raise NotImplementedError("a window of another kind")
    (a, b), turns = default, n if step.settings.get("periodic", True) else n - 1
    angle = 2 * np.pi / turns
    written = write("{a} − {b} × cos({angle} × {i})", a=a, b=b, angle=float(angle), i=float(cell[0]))
    formula = rf"{result(step, cell)} = {a} - {b} \cos(2 \pi \cdot {cell[0]} / {turns})"
    return Explanation(formula, (), float(a - b * np.cos(angle * cell[0])), written)


def _constant(name: str, arguments: str, number: float | None, **more: Any) -> Operation:
    made: dict[str, Any] = {"axes": UNNAMED, "complex": True} | more
    explain = partial(_explain_constant, number)
    return Operation(name=name, arguments=arguments, explain=explain, slopes=no_slopes, **made)


def _made(name: str, arguments: str, explain: Callable[..., Explanation], axes: AxisRule = UNNAMED) -> Operation:
    return Operation(name=name, arguments=arguments, axes=axes, explain=explain, slopes=no_slopes)


OPERATIONS = (
    _made("arange", "start end step", _explain_arange, AxisRule(lambda inputs, settings, shape: ("pos",))),
    _made("linspace", "start end steps", _explain_linspace),
    _made("logspace", "start end steps base", _explain_linspace),
    _constant("zeros", "*size", 0.0),
    _constant("ones", "*size", 1.0),
    _constant("full", "size[] fill_value", None),
    _constant("zeros_like", "input", 0.0, axes=LIKE_INPUT),
    _constant("ones_like", "input", 1.0, axes=LIKE_INPUT),
    _constant("full_like", "input fill_value", None, axes=LIKE_INPUT),
    _constant("new_zeros", "input *size", 0.0),
    _constant("new_ones", "input *size", 1.0),
    _constant("new_full", "input size[] fill_value", None),
    Operation(name="tensor", spellings="as_tensor", arguments="value[]", axes=UNNAMED, explain=_explain_listed,
        slopes=no_slopes, complex=True),
    _made("new_tensor", "input value[]", _explain_listed),
    _made("eye", "n m", _explain_eye),
    _made("tril_indices", "row col offset", _explain_triangle_places),
    _made("triu_indices", "row col offset", _explain_triangle_places),
    _made("hann_window", "window_length periodic", _explain_window),
    _made("hamming_window", "window_length periodic alpha beta", _explain_window),
)  # fmt: skip
