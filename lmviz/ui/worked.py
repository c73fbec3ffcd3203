"""The arithmetic behind one number, written out, for pages that are made of widgets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from lmviz.ui.text import number

if TYPE_CHECKING:
    from lmviz.explain.explanation import Explanation, Piece
    from lmviz.train.update_rules import Update

SHOWN = 6  # terms of a longer sum: the first two, the largest, the last
LOOK = Path(__file__).parent / "browser" / "worked.css"


def show(why: Explanation, lang: str, digits: int = 4) -> None:
    """The formula, and below it the same with numbers."""
    with st.container(horizontal=True, vertical_alignment="center", gap="large"):
        if why.formula:
            st.latex(why.formula, width="content")  # st.html would leave out a drawing
        _html(f'<div class="worked">{_arithmetic(why, lang, digits)}</div>')


def lines(named: Sequence[tuple[str, Explanation]], lang: str, digits: int = 4) -> None:
    """Several explanations, one below the other, each with its name: the last one uses what the others found."""
    steps([(name, _arithmetic(why, lang, digits)) for name, why in named])


def equations(found: Update, lang: str) -> str:
    """The lines as LaTeX: symbol, formula, value."""
    lines = []
    for line in found.lines:
        value = number(lang, line.value, 0 if line.symbol == "t" else 7).replace(",", "{,}").replace("−", "-")
        lines.append(rf"{line.symbol} &= {line.formula + ' = ' if line.formula else ''}{value}")
    return r"\begin{aligned}" + r"\\".join(lines) + r"\end{aligned}"


def steps(rows: Sequence[tuple[str, str]]) -> None:
    """What each step is called, and its arithmetic, which is HTML and must hold numbers only."""
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{arithmetic}</td></tr>" for name, arithmetic in rows)
    _html(f'<table class="steps">{lines}</table>')


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], marked: int | None = None) -> None:
    """A table of plain text, one row marked. Its text is never read as markup; a line may end after a visible blank."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr{' class=marked' if i == marked else ''}>{''.join(f'<td>{_breaking(cell)}</td>' for cell in row)}</tr>"
        for i, row in enumerate(rows)
    )
    _html(f'<div class="wide"><table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def _arithmetic(why: Explanation, lang: str, digits: int) -> str:
    numbers = "".join(_part(piece, why, lang, digits) for piece in why.written)
    return f"{numbers} = <b>{_written(why.value, lang, digits)}</b>"


def _breaking(cell: str) -> str:
    return escape(cell).replace("·", "·<wbr>")


@lru_cache(maxsize=1)
def _look() -> str:
    return f"<style>{LOOK.read_text(encoding='utf-8')}</style>"


def _html(drawn: str) -> None:
    st.html(_look() + drawn)


def _part(piece: Piece, why: Explanation, lang: str, digits: int) -> str:
    from lmviz.explain.explanation import TERMS

    return _sum(why, lang, digits) if piece is TERMS else _plain(piece, lang, digits)


def _sum(why: Explanation, lang: str, digits: int) -> str:
    """The terms in order; of a long sum only some, with dots for the others. Where some are 0, the others are bold."""
    values = why.values
    n, has_zeros = len(values), bool((values == 0).any())
    largest = np.argsort(-np.abs(values), kind="stable")[: SHOWN - 3].tolist()
    chosen = sorted({0, 1, n - 1, *largest} & set(range(n))) if n > SHOWN else list(range(n))
    written, before = [], -1
    for i in chosen:
        if i != before + 1:
            written.append('<span class="dots">…</span>')
        term = "".join(_plain(piece, lang, digits) for piece in why.terms[i].pieces)
        written.append(f"<b>{term}</b>" if values[i] and has_zeros else term)
        before = i
    return " + ".join(written)


def _plain(piece: Piece, lang: str, digits: int) -> str:
    if isinstance(piece, str):
        return escape(piece)
    value = float(getattr(piece, "value", piece))  # type: ignore[arg-type]
    written = _written(value, lang, digits)
    return f"({written})" if value < 0 else written


def _written(value: float, lang: str, digits: int) -> str:
    return escape(number(lang, value, 0 if value.is_integer() else digits))
