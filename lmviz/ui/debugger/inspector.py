"""The cell inspector: the arithmetic behind one number, with every operand as a door to where it came from."""

from __future__ import annotations

from typing import Any

from lmviz.explain.explanation import TERMS, Explanation, Operand, Piece, Term
from lmviz.trace.step import Value
from lmviz.ui.formula import svg
from lmviz.ui.state import View
from lmviz.ui.text import number
from lmviz.workbench import Run, Workbench

TERMS_SHOWN = 8  # of a long sum, the largest by magnitude; the rest is summed


def inspector(bench: Workbench, run: Run, view: View) -> dict[str, Any] | None:
    """What is said about the pinned cell; None if no cell is pinned, or its tensor is not in this run."""
    if view.cell is None:
        return None
    address, cell = view.cell
    value = run.trace.value(address)
    if value is None or len(cell) != len(value.shape) or any(i >= n for i, n in zip(cell, value.shape, strict=True)):
        return None
    gradient = view.grad and value.grad is not None
    array = value.grad if gradient else value.array
    assert array is not None
    found = float(array[cell])
    why = bench.explain(run, address, cell, gradient)
    shown: dict[str, Any] = {
        "address": address,
        "name": value.name or address,
        "cell": list(cell),
        "shape": list(value.shape),
        "axes": list(value.axes),
        "value": found,
        "gradient": gradient,
        "role": value.role,
        "trail": [{"address": a, "cell": list(c), "name": a.rpartition(".")[2]} for a, c in view.trail],
        "pieces": [],
        "formula": "",
    }
    if why is not None and why.known:
        shown["pieces"] = written(why)
        shown["terms"] = len(why.terms)
        shown["formula"] = svg(why.formula)
        shown["recomputed"] = float(why.value)
        shown["agrees"] = agrees(why.value, found, value)
    return shown


def agrees(recomputed: float, recorded: float, value: Value) -> bool:
    """Whether an independent float64 result is the recorded number, to the precision of its type."""
    if recomputed == recorded or (recomputed != recomputed and recorded != recorded):
        return True
    relative = 1e-9 if value.dtype == "float64" else 2e-5 if value.dtype == "float32" else 2e-2
    return abs(recomputed - recorded) <= relative * max(abs(recomputed), abs(recorded)) + 1e-6


def written(why: Explanation) -> list[dict[str, Any]]:
    """The arithmetic, piece by piece: text, numbers, and operands that can be followed."""
    pieces: list[dict[str, Any]] = []
    for piece in why.written:
        if piece is TERMS:
            pieces += _sum(why)
        else:
            pieces.append(_piece(piece))
    return pieces


def _sum(why: Explanation) -> list[dict[str, Any]]:
    """The terms in order; of a long sum the largest, and what the others come to."""
    n_terms = len(why.terms)
    if n_terms <= 2 * TERMS_SHOWN:
        chosen, rest = list(range(n_terms)), None
    else:
        values = [term.value for term in why.terms]
        chosen = sorted(sorted(range(n_terms), key=lambda i: -abs(values[i]))[:TERMS_SHOWN])
        rest = sum(values) - sum(values[i] for i in chosen)
    pieces: list[dict[str, Any]] = []
    for place, i in enumerate(chosen):
        pieces += [{"text": " + "}] if place else []
        pieces += _term(why.terms[i])
    if rest is not None:
        pieces += [{"text": " + "}, {"rest": rest, "count": n_terms - len(chosen)}]
    return pieces


def _term(term: Term) -> list[dict[str, Any]]:
    pieces = [_piece(piece) for piece in term.pieces]
    return [{**piece, "label": term.label} for piece in pieces] if term.label else pieces


def _piece(piece: Piece) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"text": piece}
    if isinstance(piece, Operand):
        return {
            "number": piece.value,
            "name": piece.name,
            "address": piece.address,
            "cell": list(piece.cell),
            "gradient": piece.gradient,
        }
    assert isinstance(piece, float | int)
    return {"number": float(piece)}


def cell_label(language: str, value: float, digits: int) -> str:
    return number(language, value, digits)
