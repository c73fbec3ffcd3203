"""The arithmetic behind one number, written out, for pages that are made of widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

import streamlit as st

from lmviz.explain.arithmetic import parse
from lmviz.explain.line import line_of, shortest, written
from lmviz.trace.operations.explanation import Explanation, write
from lmviz.ui import arithmetic, state
from lmviz.ui.arithmetic import is_held
from lmviz.ui.arithmetic_types import Piece
from lmviz.ui.depth import shows
from lmviz.ui.text import Translator

SHOWN = 6  # terms of a longer sum: the largest
_LOOK = Path(__file__).parent / "browser" / "arithmetic.css"


def show(why: Explanation, t: Translator, digits: int = 4) -> None:
    """The formula, and below it the same with numbers."""
    with st.container(horizontal=True, vertical_alignment="center", gap="large"):
        if why.formula and shows(state.depth(), "formula"):
            st.latex(why.formula, width="content")  # st.html would leave out a drawing
        _html(f'<div class="arithmetic">{_arithmetic(why, t, digits)}</div>')


def lines(named: Sequence[tuple[str, Explanation]], t: Translator, digits: int = 4) -> None:
    """Several explanations, one below the other, each with its name: the last one uses what the others found."""
    steps([(name, _arithmetic(why, t, digits)) for name, why in named])


@dataclass(frozen=True)
class Equation:
    """A line of arithmetic as it is read, in plain text, and each of its numbers by its name."""

    left: str
    sign: str
    result: str
    numbers: Mapping[str, str]

    @property
    def text(self) -> str:
        return f"{self.left} {self.sign} {self.result}"

    @property
    def bold(self) -> str:
        """The same in Markdown, the result in bold."""
        return f"{self.left} {self.sign} **{self.result}**"

    @property
    def html(self) -> str:
        return f"{escape(self.left)} {self.sign} <b>{escape(self.result)}</b>"


def equation(t: Translator, template: str, result: float, digits: int = 4, **numbers: float) -> Equation:
    """A template's arithmetic, "{before} ÷ {by}", with as many digits as make it true as it is written."""
    pieces = write(template, **numbers)
    formula = parse("".join(piece if isinstance(piece, str) else "\0" for piece in pieces))
    given = [float(piece) for piece in pieces if not isinstance(piece, str)]  # type: ignore[arg-type]
    line = line_of([(formula, given)], result, digits, t.plain)
    shown = {name: t.localised(written(value, line.digits, t.plain)) for name, value in numbers.items()}
    written_out = [
        piece if isinstance(piece, str) else t.localised(written(float(piece), line.digits, t.plain))  # type: ignore[arg-type]
        for piece in pieces
    ]
    around = ["", *written_out, ""]
    left = "".join(_bracketed(one, is_held(around[i], one, around[i + 2])) for i, one in enumerate(written_out))
    return Equation(left, line.sign, t.localised(line.result), shown)


def compared(t: Translator, sign: str, left: float, right: float, digits: int = 2) -> str:
    """Two numbers and the sign between them, with as many digits as make it true."""
    return equation(t, f"{{left}} {sign} {{right}}", 1.0, digits, left=left, right=right).left


def steps(rows: Sequence[tuple[str, str]]) -> None:
    """What each step is called, and its arithmetic, which is HTML and must hold numbers only."""
    lines = "".join(f"<tr><th scope=row>{escape(name)}</th><td>{arithmetic}</td></tr>" for name, arithmetic in rows)
    _html(f'<table class="steps">{lines}</table>')


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], marked: int | None = None) -> None:
    """A table of plain text, one row marked. Its text is never read as markup; a line may end after a visible blank."""
    head = "".join(f"<th scope=col>{escape(name)}</th>" if name else "<td></td>" for name in columns)
    body = "".join(
        f"<tr{' class=marked' if i == marked else ''}>{''.join(f'<td>{_breaking(cell)}</td>' for cell in row)}</tr>"
        for i, row in enumerate(rows)
    )
    shown = f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    _html(f'<div class="wide" tabindex="0">{shown}</div>')


def _arithmetic(why: Explanation, t: Translator, digits: int) -> str:
    line = arithmetic.line(why, t, digits, SHOWN, SHOWN)
    text = "".join(_part(piece, why, t) for piece in line["pieces"])
    return f"{text} {line['sign']} <b>{line['value']}</b>"


def _breaking(cell: str) -> str:
    return escape(cell).replace("·", "·<wbr>")


@lru_cache(maxsize=1)
def _look() -> str:
    return f"<style>{_LOOK.read_text(encoding='utf-8')}</style>"


def _html(drawn: str) -> None:
    st.html(_look() + drawn)


def _part(piece: Piece, why: Explanation, t: Translator) -> str:
    return _sum(piece, why, t) if "terms" in piece else _plain(piece)


def _sum(piece: Piece, why: Explanation, t: Translator) -> str:
    """The terms in order; of a long sum the largest, and what the others come to. Where some are 0, the others are
    bold."""
    values = why.values
    has_zeros = bool((values == 0).any())
    shown = []
    for term, index in zip(piece["terms"], shortest(why, SHOWN), strict=True):
        written = "".join(_plain(one) for one in term["pieces"])
        shown.append(f"<b>{written}</b>" if values[index] and has_zeros else written)
    rest = piece["rest"][0]
    if rest["n"]:
        others = escape(t("inspect.rest", n=rest["n"]))
        shown.append(f'{_bracketed(rest["shown"], rest["held"])} <span class="dots">{others}</span>')
    return " + ".join(shown) or "0"


def _plain(piece: Piece) -> str:
    return escape(piece["text"] if "text" in piece else _bracketed(piece["shown"], piece.get("held", False)))


def _bracketed(shown: str, held: bool) -> str:
    return f"({shown})" if held else shown
