"""The cell inspector: the arithmetic behind one number, with every operand as a door to where it came from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmviz.registry.recording import Recording
from lmviz.trace.operations.explanation import TERMS, Explanation, Operand, plain_number
from lmviz.trace.step import Cell, Step, Value
from lmviz.ui.arithmetic import line
from lmviz.ui.arithmetic_html import equation
from lmviz.ui.arithmetic_types import Line
from lmviz.ui.pictures import parts
from lmviz.ui.step_through.scene_types import Arithmetic, Change, Inspection, Visited
from lmviz.ui.step_through.view import StepThroughView

_DOUBLE, _SINGLE = ("float64", "complex128"), ("float32", "complex64")
_TERMS_SENT = 64  # of a long sum, the largest by magnitude
_TERMS_SHOWN = 6  # of these, until the browser is asked for all
LINES = 4  # how far a number is followed through steps that have only one activation to follow


def inspector(run: Recording, view: StepThroughView, other: Recording | None = None) -> Inspection | None:
    """What is said about the pinned cell; None if no cell is pinned, or its tensor is not in this run."""
    if view.cell is None:
        return None
    address, cell = view.cell
    value = run.trace.value(address)
    if value is None or not run.has(address, cell):
        return None
    gradient = view.grad and value.grad is not None
    found = _number(value, cell, gradient)
    there = None if other is None else _there(other, address, cell, gradient)
    return {
        "address": address,
        "name": value.name or address,
        "cell": list(cell),
        "shape": list(value.shape),
        "axes": list(value.axes),
        "value": parts(found),
        "whole": not gradient and not value.dtype.startswith(("float", "bfloat", "complex")),
        "gradient": gradient,
        "role": "constant" if address in run.buffers else value.role,
        "trail": [Visited(cell=list(c), name=a.rpartition(".")[2]) for a, c in view.trail],
        **_arithmetic(run, view, gradient),
        "other": None if there is None else parts(there),
        "change": _change(view, found, there),
        "fixed": gradient or value.role == "input" or not view.model.live,
        "edited": not gradient and any(edit.address == address and edit.changes(cell) for edit in view.edits),
    }


def _number(value: Value, cell: Cell, gradient: bool) -> complex:
    array = value.grad if gradient else value.array
    assert array is not None
    return plain_number(array[cell])


def _arithmetic(run: Recording, view: StepThroughView, gradient: bool) -> Arithmetic:
    """The number written out, and whether that comes to what torch has."""
    assert view.cell is not None
    why = run.explain(*view.cell, gradient)
    value = run.trace.value(view.cell[0])
    if why is None or not why.known or value is None:
        return {"lines": [], "recomputed": None, "agrees": None, "by_torch": False}
    return {
        "lines": _lines(run, _unrolled(run, why, gradient, view.cell[0]), view),
        "recomputed": parts(why.value),
        "agrees": agrees(why.value, _number(value, view.cell[1], gradient), value),
        "by_torch": why.by_torch,
    }


def _lines(run: Recording, followed: list[_Followed], view: StepThroughView) -> list[Line]:
    lines = []
    for one in followed:
        made = line(one.why, view.t, view.digits, _TERMS_SHOWN, _TERMS_SENT)
        if say := purpose(run, one.address, view):
            made["say"] = say
        lines.append(made)
    return lines


def purpose(run: Recording, address: str, view: StepThroughView) -> str:
    """What the call that made a number is for, where it is: said of its stage, else of its operation; maybe nothing."""
    if address not in run.trace or view.grad:
        return ""
    step = run.trace[address]
    kind = run.navigator.stage(run.navigator.at(step.index, "op")).kind
    of_stage = f"{kind.removeprefix('final_')}.{step.op}"
    keys = (f"sum.{of_stage}" if _IS_MEANT.get(of_stage, _always)(run, step) else "", f"sum.{step.op}")
    return next((view.t(key) for key in keys if view.t.has(key)), "")


def _always(run: Recording, step: Step) -> bool:
    return True


def _is_by_root_of_width(run: Recording, step: Step) -> bool:
    """Whether a sum of products is divided by, or multiplied by one over, the root of how many they are."""
    number, made = step.settings.get("other"), run.trace.value(step.inputs[0].address)
    if not isinstance(number, float | int) or made is None or made.role != "activation":
        return False
    product = run.trace[made.address]
    if product.op != "matmul":
        return False
    width = product.inputs[0].shape[-1]
    return math.isclose(number if step.op == "div" else number * width, math.sqrt(width), rel_tol=1e-4)


def _hides(run: Recording, step: Step) -> bool:
    """Whether a mask puts −∞ into what it hides."""
    return step.settings.get("value") == -math.inf


def _has_weight(run: Recording, step: Step) -> bool:
    return any(value.role == "weight" for value in step.inputs)


def _has_number_of_row(run: Recording, step: Step) -> bool:
    return any(value.shape[-1:] == (1,) for value in step.inputs)


# What a step must be for the sentence of its stage to be true of it.
_IS_MEANT: dict[str, Callable[[Recording, Step], bool]] = {
    **{f"scores.{op}": _is_by_root_of_width for op in ("div", "mul")},
    **{f"norm.{op}": _has_weight for op in ("mul", "add")},
    **{f"norm.{op}": _has_number_of_row for op in ("sub", "div")},
    "scores.masked_fill": _hides,
    "residual.add": lambda run, step: len(step.inputs) == 2,
}


def _there(other: Recording, address: str, cell: Cell, gradient: bool) -> complex | None:
    """The same cell of the run to compare with, if it has one."""
    value = other.trace.value(address) if other.has(address, cell) else None
    array = None if value is None else value.grad if gradient else value.array
    return None if array is None else plain_number(array[cell])


def _change(view: StepThroughView, here: complex, there: complex | None) -> Change | None:
    """The arithmetic of the difference; None for complex numbers, and where there is nothing to compare with."""
    if there is None or isinstance(here, complex) or isinstance(there, complex):
        return None
    apart = equation(view.t, "{a} − {b}", here - there, view.digits, a=here, b=there)
    return {"other": apart.numbers["b"], "line": apart.text}


@dataclass(frozen=True, slots=True)
class _Followed:
    """A number that is explained, and the tensor that it stands in."""

    why: Explanation
    address: str


def _unrolled(run: Recording, why: Explanation, gradient: bool, address: str) -> list[_Followed]:
    """An explanation, and those of the numbers behind it as long as there is just one to follow: a score is a scaled
    product, and the product a sum. A step that passes its number on unchanged is left out."""
    lines = [_Followed(why, address)]
    for _ in range(8):
        behind = _behind(run, lines[-1].why) if not gradient else None
        if behind is None or len(lines) == LINES:
            break
        if np.isclose(behind.why.value, lines[-1].why.value, rtol=1e-5, atol=0):  # float32 beside float64
            lines.pop()
        lines.append(behind)
    return lines


def _behind(run: Recording, why: Explanation) -> _Followed | None:
    """The explanation of the one activation that a number was made from; None if it was made from several.

    A number of a whole row, such as its mean, counts for none beside a number of one cell.
    """
    followed = []
    for operand in _operands(why):
        value = run.trace.value(operand.address)
        if value is not None and value.role == "activation" and value.dtype != "bool":
            followed.append(operand)
    of_cells = [operand for operand in followed if not _is_of_row(run, operand)]
    if len(of_cells) != 1 and len(followed) != 1:
        return None
    (operand,) = of_cells if len(of_cells) == 1 else followed
    behind = run.explain(operand.address, operand.cell)
    return _Followed(behind, operand.address) if behind is not None and behind.known else None


def _is_of_row(run: Recording, operand: Operand) -> bool:
    """Whether a tensor has one number for each row."""
    value = run.trace.value(operand.address)
    return value is not None and value.shape[-1:] == (1,)


def _operands(why: Explanation) -> list[Operand]:
    """Every recorded number in an explanation's arithmetic, if it is short enough to be looked through."""
    if len(why.terms) > 4:
        return []
    pieces = [
        piece
        for part in why.written
        for piece in ([p for t in why.terms for p in t.pieces] if part is TERMS else [part])
    ]
    return [piece for piece in pieces if isinstance(piece, Operand)]


def agrees(recomputed: complex, recorded: complex, value: Value) -> bool:
    """Whether an independent float64 result is the recorded number, to the precision of its type."""
    if recomputed == recorded or (recomputed != recomputed and recorded != recorded):
        return True
    if isinstance(recomputed, complex) or isinstance(recorded, complex):
        a, b = complex(recomputed), complex(recorded)
        return agrees(a.real, b.real, value) and agrees(a.imag, b.imag, value)
    relative = 1e-9 if value.dtype in _DOUBLE else 2e-5 if value.dtype in _SINGLE else 2e-2
    return abs(recomputed - recorded) <= relative * max(abs(recomputed), abs(recorded)) + 1e-6
