"""The cell inspector: the arithmetic behind one number, with every operand as a door to where it came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmviz.explain.line import explained, rest_of, shortest, written
from lmviz.registry.recording import Recording
from lmviz.services.services import Services
from lmviz.trace.operations.explanation import TERMS, Explanation, Operand, Piece, plain_number
from lmviz.trace.step import Value
from lmviz.ui.formula import svg
from lmviz.ui.pictures import parts
from lmviz.ui.step_through.view import View
from lmviz.ui.text import localised
from lmviz.ui.worked import equation

_DOUBLE, _SINGLE = ("float64", "complex128"), ("float32", "complex64")
TERMS_SENT = 64  # of a long sum, the largest by magnitude
TERMS_SHOWN = 6  # of these, until the browser is asked for all
LINES = 4  # how far a number is followed through steps that have only one activation to follow


def inspector(services: Services, run: Recording, view: View, other: Recording | None = None) -> dict[str, Any] | None:
    """What is said about the pinned cell; None if no cell is pinned, or its tensor is not in this run."""
    if view.cell is None:
        return None
    address, cell = view.cell
    value = run.trace.value(address)
    if value is None or not run.has(address, cell):
        return None
    gradient = view.grad and value.grad is not None
    array = value.grad if gradient else value.array
    assert array is not None
    found = plain_number(array[cell])
    why = run.explain(address, cell, gradient)
    shown: dict[str, Any] = {
        "address": address,
        "name": value.name or address,
        "cell": list(cell),
        "shape": list(value.shape),
        "axes": list(value.axes),
        "value": parts(found),
        "whole": not gradient and not value.dtype.startswith(("float", "bfloat", "complex")),
        "gradient": gradient,
        "role": "constant" if address in dict(run.checkpoint.model.named_buffers()) else value.role,
        "trail": [{"address": a, "cell": list(c), "name": a.rpartition(".")[2]} for a, c in view.trail],
        "lines": [],
        "formula": "",
    }
    if why is not None and why.known:
        shown["lines"] = [_line(run, one, view) for one in _unrolled(services, run, why, gradient)]
        shown["formula"] = svg(why.formula)
        shown["recomputed"] = parts(why.value)
        shown["agrees"] = agrees(why.value, found, value)
        shown["by_torch"] = why.by_torch
    theirs = other.trace.value(address) if other is not None and other.has(address, cell) else None
    numbers = None if theirs is None else theirs.grad if gradient else theirs.array
    shown["other"] = None if numbers is None else parts(plain_number(numbers[cell]))
    if numbers is not None and not isinstance(found, complex):
        theirs_there = float(numbers[cell])
        line = equation(view.lang, "{a} − {b}", found - theirs_there, view.digits, a=found, b=theirs_there)
        shown["change"] = {"other": line.numbers["b"], "line": line.text}
    shown["edited"] = not gradient and any(edit.address == address and edit.changes(cell) for edit in view.edits)
    return shown


def _unrolled(services: Services, run: Recording, why: Explanation, gradient: bool) -> list[Explanation]:
    """An explanation, and those of the numbers behind it as long as there is just one to follow: a score is a scaled
    product, and the product a sum. A step that passes its number on unchanged is left out."""
    lines = [why]
    for _ in range(8):
        behind = _behind(services, run, lines[-1]) if not gradient else None
        if behind is None or len(lines) == LINES:
            break
        if np.isclose(behind.value, lines[-1].value, rtol=1e-5, atol=0):  # float32 beside float64
            lines.pop()
        lines.append(behind)
    return lines


def _behind(services: Services, run: Recording, why: Explanation) -> Explanation | None:
    """The explanation of the one activation that a number was made from; None if it was made from several."""
    followed = []
    for operand in _operands(why):
        value = run.trace.value(operand.address)
        if value is not None and value.role == "activation" and value.dtype != "bool":
            followed.append(operand)
    if len(followed) != 1:
        return None
    behind = run.explain(followed[0].address, followed[0].cell)
    return behind if behind is not None and behind.known else None


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


def _line(run: Recording, why: Explanation, view: View) -> dict[str, Any]:
    """One line as it is read: the sign, what it comes to, and the arithmetic, piece by piece: text, numbers, operands
    that can be followed, and a sum of terms."""
    choices = shortest(why, TERMS_SHOWN), shortest(why, TERMS_SENT)
    line = explained(why, view.digits, choices)

    def number(value: complex) -> str:
        return localised(view.lang, written(value, line.digits))

    def piece(one: Piece) -> dict[str, Any]:
        if isinstance(one, str):
            return {"text": one}
        if isinstance(one, Operand):
            place = {"name": one.name, "address": one.address, "cell": list(one.cell), "gradient": one.gradient}
            return {"number": parts(one.value), "shown": number(one.value), **place}
        assert isinstance(one, float | int | complex)
        return {"number": parts(one), "shown": number(one)}

    def total() -> dict[str, Any]:
        short, sent = choices
        terms = [{"pieces": [piece(one) for one in why.terms[i].pieces]} for i in sent]
        left = [{"shown": number(rest_of(why, chosen)), "n": len(why.terms) - len(chosen)} for chosen in choices]
        return {"terms": terms, "short": [sent.index(i) for i in short], "rest": left}

    pieces = [total() if one is TERMS else piece(one) for one in why.written]
    return {"value": localised(view.lang, line.result), "sign": line.sign, "pieces": pieces}
