"""How recordings show themselves in a notebook and in a terminal: nothing but HTML, which needs no server.

Colours are see-through, and letters have the notebook's own colour: both read well on light and on dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lmviz.trace.step import Array, Step, Trace, Value

CELLS = 12  # rows and columns of a picture, at most
STEPS = 60  # that a trace shows with their pictures; further ones are counted
LINE = 80  # characters of a source line

_STYLE = "color:inherit;border-collapse:collapse;font-size:12px;margin:2px 0 6px"
_CELL = "padding:1px 5px;text-align:right;font-variant-numeric:tabular-nums;border:1px solid rgba(128,128,128,.25)"
_MASKED = "background:repeating-linear-gradient(45deg,rgba(128,128,128,.35) 0 2px,transparent 2px 6px)"
_BELOW, _ABOVE = "31,95,191", "217,95,2"  # blue and orange: told apart by the colour-blind


# -- plain text ------------------------------------------------------------------------------------------------------


def value_text(value: Value) -> str:
    return f"<Value {value.address or value.name or value.role} {_shape(value)} {value.dtype}>"


def step_text(step: Step) -> str:
    made = ", ".join(f"{_shape(one)} {one.dtype}" for one in step.outputs) or step.error or "nothing"
    return f"<Step {step.index} {step.address}: {_source(step)} → {made}>"


def trace_text(trace: Trace) -> str:
    parts = [f"{len(trace)} steps", f"{len(trace.weights)} weights"]
    parts += [f"loss {trace.loss:.4g}"] if trace.loss is not None else []
    if trace.failure is not None:
        in_loss = len(trace.segments) > 1 and trace.segments[-1].prefix == "loss"
        parts += [f"{'its loss ' if in_loss else ''}stopped by {trace.failure}"]
    return f"<Trace: {', '.join(parts)}; trace.find() lists its addresses>"


def _shape(value: Value) -> str:
    """The sizes of the axes with the names that are known: [batch 1, pos 4, 8]."""
    axes = value.axes if len(value.axes) == len(value.shape) else ("",) * len(value.shape)
    return "[" + ", ".join(f"{name} {size}".strip() for name, size in zip(axes, value.shape, strict=True)) + "]"


def _source(step: Step) -> str:
    text = " ".join(step.span.text.split()) or step.op
    return text if len(text) <= LINE else f"{text[: LINE - 1]}…"


# -- HTML ------------------------------------------------------------------------------------------------------------


def value_html(value: Value) -> str:
    """Its name and shape, and the first of its cells in colours."""
    head = f"<b>{escape(value.name or value.address or value.role)}</b> {escape(_shape(value))} {escape(value.dtype)}"
    return f"<div>{head}{_picture(value)}</div>"


def step_html(step: Step) -> str:
    """The line of source, what went in, and what came out."""
    place = f"{escape(step.module or 'model')} · step {step.index}"
    error = f"<div><b>{escape(step.error)}</b></div>" if step.error else ""
    sides = "".join(map(value_html, step.inputs))
    made = "".join(map(value_html, step.outputs))
    return (
        f"<div><div><code><b>{escape(step.address)}</b> = {escape(_source(step))}</code> <small>{place}</small></div>"
        f"{error}<div style='display:flex;flex-wrap:wrap;gap:18px;align-items:center'>{sides}<span>→</span>{made}</div>"
        "</div>"
    )


def trace_html(trace: Trace) -> str:
    """Every step as a line that opens on a click."""
    shown = "".join(_opening(step) for step in trace[:STEPS])
    left = len(trace) - STEPS
    more = f"<div>… and {left} more: <code>trace[{STEPS}]</code></div>" if left > 0 else ""
    return f"<div><div><b>{escape(trace_text(trace)[1:-1])}</b></div>{shown}{more}</div>"


def _opening(step: Step) -> str:
    made = escape(", ".join(map(_shape, step.outputs)) or step.error)
    return (
        f"<details><summary><code>{step.index} <b>{escape(step.address)}</b> = {escape(_source(step))}</code> "
        f"<small>{made}</small></summary>{''.join(map(value_html, step.outputs))}</details>"
    )


def _picture(value: Value) -> str:
    """The last two axes, at the beginning of all others."""
    try:
        array = value.array
    except ValueError as error:  # what can't be shown says why
        return f"<div><i>{escape(str(error))}</i></div>"
    if not array.size:
        return "<div><i>no numbers</i></div>"
    whole = array[(0,) * (array.ndim - 2)] if array.ndim > 2 else array.reshape(1, -1) if array.ndim < 2 else array
    cells = whole[:CELLS, :CELLS]
    rows = "".join(_row(cells[i], _largest(whole), whole.shape[1] > CELLS) for i in range(len(cells)))
    return f"<table style='{_STYLE}'>{rows}</table>{_left_out(array, whole, cells)}"


def _left_out(array: Array, whole: Array, cells: Array) -> str:
    """Which part of the numbers is shown, where it is not all."""
    if cells.size == array.size:
        return ""
    lead = "".join("0, " for _ in array.shape[:-2])
    rows = f":{cells.shape[0]}, " if array.ndim > 1 else ""
    return f"<small>[{lead}{rows}:{cells.shape[1]}]</small>"


def _row(cells: Array, largest: float, goes_on: bool) -> str:
    shown = "".join(f"<td style='{_CELL};{_colour(cell, largest)}'>{escape(number(cell))}</td>" for cell in cells)
    return f"<tr>{shown}{'<td>…</td>' if goes_on else ''}</tr>"


def _largest(array: Array) -> float:
    if array.dtype.kind not in "fiu":
        return 0.0
    sizes = np.abs(array[np.isfinite(array)].astype(np.float64))
    return float(sizes.max(initial=0))


def _colour(cell: Any, largest: float) -> str:
    if np.iscomplexobj(cell) or not largest or not math.isfinite(cell):
        return _MASKED if not np.iscomplexobj(cell) and not math.isfinite(cell) else ""
    return f"background:rgba({_ABOVE if cell > 0 else _BELOW},{0.55 * abs(float(cell)) / largest:.2f})"


def number(cell: Any) -> str:
    """A number as a narrow cell has room for it."""
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if np.iscomplexobj(cell):
        return f"{complex(cell):.2g}"
    if isinstance(cell, int | np.integer):
        return str(int(cell)).replace("-", "−")
    found = float(cell)
    if not math.isfinite(found):
        return "NaN" if math.isnan(found) else "∞" if found > 0 else "−∞"
    return f"{found:.3g}".replace("-", "−")


# -- arithmetic ------------------------------------------------------------------------------------------------------


def explanation_parts(pieces: Sequence[Any], terms: Iterator[Sequence[Any]], n_terms: int) -> list[Any]:
    """The pieces of a line of arithmetic, with its sum in the place where it stands; long sums are cut."""
    found: list[Any] = []
    for piece in pieces:
        if repr(piece) != "TERMS":
            found.append(piece)
            continue
        for place, term in enumerate(terms):
            if place:
                found.append(" + ")
            if place == CELLS:
                found.append(f"… ({n_terms - CELLS} more)")
                break
            found.extend(term)
    return found
