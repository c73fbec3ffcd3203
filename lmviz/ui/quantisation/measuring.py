"""On which text models are compared, and how a cost is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.ui import state
from lmviz.ui.quantisation.view import TEXT_LIMIT, View
from lmviz.ui.text import integer, number, text

if TYPE_CHECKING:
    from lmviz.workbench import Workbench


def on(bench: Workbench, view: View, model: str = "") -> None:
    """What the numbers were measured on, and a door to another text."""
    lang, found = view.lang, bench.quantising.measured(model or view.model, view.text)
    kind = "own" if found.own else "held_out" if found.held_out else "trained"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            text(lang, f"quantisation.measured.{kind}", n=integer(lang, found.windows.n_targets)), width="content"
        )
        choose(view)


def choose(view: View) -> None:
    """Another text to measure on."""
    with st.popover(text(view.lang, "quantisation.own_text"), icon=":material/edit_note:"):
        st.text_area(
            text(view.lang, "quantisation.own_text.help"),
            max_chars=TEXT_LIMIT,
            height=200,
            **state.bound("text", trains=False),
        )


def signed(lang: str, cost: float) -> str:
    """A difference with its sign."""
    written = number(lang, cost, 4)
    return f"+{written}" if cost > 0 else written
