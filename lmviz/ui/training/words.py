"""Small pieces of HTML that the page's parts share. Every text that goes in is escaped here."""

from __future__ import annotations

import html
from collections.abc import Sequence

from lmviz.ui.text import visible


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escaped(head)}</th>' for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{escaped(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f'<table class="lt-table"><tr>{top}</tr>{body}</table>'


def escaped(words: object) -> str:
    return html.escape(str(words))


def piece(token: str | None) -> str:
    """A token as a cell of a table."""
    return '<td class="none">–</td>' if token is None else f"<td>{escaped(visible(token))}</td>"


def rows(named: Sequence[tuple[str, str, Sequence[str | None]]]) -> str:
    """Rows of tokens, one under the other: a heading, a class ("targets"), and the tokens."""
    lines = "".join(
        f'<tr class="{kind}"><th scope="row">{escaped(name)}</th>{"".join(map(piece, tokens))}</tr>'
        for name, kind, tokens in named
    )
    return in_a_row(f"<table>{lines}</table>")


def in_a_row(content: str) -> str:
    """What scrolls sideways where it is wider than the page, by keyboard too."""
    return f'<div class="lt-rows" tabindex="0" role="group">{content}</div>'


def facts(named: Sequence[tuple[str, str]]) -> str:
    """Numbers with what they are above them."""
    return (
        '<div class="lt-facts">'
        + "".join(f"<div><small>{escaped(name)}</small><b>{escaped(value)}</b></div>" for name, value in named)
        + "</div>"
    )
