"""The text that a model reads, and the one of its tokens that is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from lmviz.ui import state
from lmviz.ui.embeddings.view import TEXT_LIMIT, View
from lmviz.ui.text import text, visible

if TYPE_CHECKING:
    from lmviz.benches.run import Run
    from lmviz.workbench import Workbench

MOST_BUTTONS = 40


def prompt(bench: Workbench, view: View) -> str:
    """The text to read: typed, or the model's own first one."""
    shown = bench.first_prompt(view.model) if view.prompt is None else view.prompt
    st.text_input(
        text(view.lang, "embeddings.prompt"),
        max_chars=TEXT_LIMIT,
        width=320,
        **state.bound("prompt", shown, token=-1, cell=None, second=0),
    )
    return shown


def followed(run: Run, view: View) -> int:
    """The position that is followed, chosen among the tokens."""
    n = len(run.tokens)
    pos = min(view.token, n - 1) % n
    choose: dict[str, Any] = {
        "options": range(n),
        "format_func": lambda i: visible(run.tokens.pieces[i]),
        **state.bound("token", pos, cell=None),
    }
    if n <= MOST_BUTTONS:
        st.segmented_control(text(view.lang, "embeddings.token"), required=True, **choose)
    else:
        st.selectbox(text(view.lang, "embeddings.token"), width=160, **choose)
    return pos
