"""Small pieces of HTML that the page's parts share. Every text that goes in is escaped here."""

from __future__ import annotations

import html
from collections.abc import Sequence

from lmviz.ui.text import visible

CSS = """
.st-key-owner { display: none; }
div:has(> .st-key-loss_chart_frame) { flex: none; height: clamp(340px, min(100vh - 235px, 120vw), 900px); }
div:has(> .st-key-loss_chart_beside) { flex: none; height: clamp(340px, min(100vh - 460px, 120vw), 700px); }
.lt-rows { overflow-x: auto; padding-bottom: .3rem; }
.lt-rows table { border-collapse: separate; border-spacing: 3px; margin: .1rem 0 .35rem; }
.lt-rows th { font-weight: 500; font-size: .86rem; opacity: .75; text-align: left; padding-right: .5rem;
  white-space: nowrap; position: sticky; left: 0; background: inherit; }
.lt-rows td { font: 600 1.02rem ui-monospace, monospace; text-align: center; min-width: 1.75rem; padding: .16rem .3rem;
  border-radius: .3rem; background: color-mix(in srgb, currentColor 9%, transparent); white-space: pre; }
.lt-rows tr.targets td { background: color-mix(in srgb, #1f7a4d 24%, transparent); }
.lt-rows td.none { background: none; opacity: .4; font-weight: 400; }
.lt-rows tr.plain td { background: none; font-weight: 400; font-size: .86rem; opacity: .8; }
.lt-texts { max-height: 9rem; overflow-y: auto; font: 500 .95rem ui-monospace, monospace; overflow-wrap: anywhere; }
.lt-parts { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
.lt-parts td { padding: .1rem .3rem .1rem 0; } .lt-parts td.n { text-align: right; }
.lt-parts i { display: inline-block; width: .75rem; height: .75rem; border-radius: .2rem; margin-right: .4rem;
  vertical-align: -1px; }
.lt-said { opacity: .72; font-size: .92rem; margin: 1rem 0 .3rem; }
.lt-samples { display: grid; grid-template-columns: auto 1fr; gap: .18rem .7rem; align-items: baseline; }
.lt-samples b { font-weight: 500; font-size: .86rem; opacity: .75; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.lt-samples span { font: 500 .98rem ui-monospace, monospace; overflow-wrap: anywhere; }
.lt-samples em { font-style: normal; margin-right: .9rem; }
.lt-table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 1rem; }
.lt-table th { font-weight: 500; font-size: .88rem; opacity: .75; text-align: left; padding: .1rem 1.4rem .2rem 0; }
.lt-table td { padding: .18rem 1.4rem .18rem 0;
  border-top: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.lt-table td:nth-child(-n+2) { font-family: ui-monospace, monospace; font-weight: 600; }
.lt-facts { display: flex; flex-wrap: wrap; gap: .1rem 1.5rem; align-items: baseline; }
.lt-facts div { white-space: nowrap; } .lt-facts small { opacity: .72; font-size: .86rem; display: block; }
.lt-facts b { font-size: 1.45rem; font-weight: 620; font-variant-numeric: tabular-nums; }
"""


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
    return f'<div class="lt-rows"><table>{lines}</table></div>'


def facts(named: Sequence[tuple[str, str]]) -> str:
    """Numbers with what they are above them."""
    return (
        '<div class="lt-facts">'
        + "".join(f"<div><small>{escaped(name)}</small><b>{escaped(value)}</b></div>" for name, value in named)
        + "</div>"
    )
