"""The arithmetic behind one number, as text on a page of widgets."""

from __future__ import annotations

import numpy as np
import streamlit as st

from lmviz.explain.explanation import TERMS, Explanation, Operand, Piece, Term
from lmviz.ui.formula import svg
from lmviz.ui.text import number, text
from lmviz.ui.training import words

TERMS_SHOWN = 12
DIGITS = 4


def show(why: Explanation, recorded: float, lang: str) -> None:
    """Formula, the sum written out, its value; and the number that torch recorded."""
    line = "".join(_sum(why, lang) if piece is TERMS else _piece(piece, lang) for piece in why.written)
    drawn = svg(why.formula, 20)
    st.html(
        f'<div class="lt-why"><div>{drawn}</div><p>{words.escaped(line)} = <b>{number(lang, why.value, 6)}</b></p>'
        f"<small>{words.escaped(text(lang, 'train.one.recorded', value=number(lang, recorded, 6)))}</small></div>"
    )


def _sum(why: Explanation, lang: str) -> str:
    """The terms in order; of a long sum the largest, and what the others come to."""
    values = why.values
    if len(values) <= TERMS_SHOWN:
        return " + ".join(_term(term, lang) for term in why.terms) or number(lang, 0.0)
    chosen = sorted(np.argsort(-np.abs(values), kind="stable")[:TERMS_SHOWN].tolist())
    rest = float(values.sum() - values[chosen].sum())
    shown = " + ".join(_term(why.terms[i], lang) for i in chosen)
    return f"{shown} + {text(lang, 'train.one.others', n=len(values) - len(chosen), value=number(lang, rest, DIGITS))}"


def _term(term: Term, lang: str) -> str:
    return "".join(_piece(piece, lang) for piece in term.pieces)


def _piece(piece: Piece, lang: str) -> str:
    if isinstance(piece, str):
        return piece
    value = piece.value if isinstance(piece, Operand) else piece
    assert isinstance(value, float | int)
    written = number(lang, float(value), DIGITS)
    return f"({written})" if value < 0 else written
