"""The row on top: model, prompt, language, settings. Widgets mirror the view; changing one changes the view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import shell, state, widgets
from lmviz.ui.choices import listed
from lmviz.ui.step_through import time, tools
from lmviz.ui.step_through.view import View
from lmviz.ui.text import text

if TYPE_CHECKING:
    from lmviz.workbench import Workbench

PROMPT_LIMIT = 4000


def choices(bench: Workbench, view: View) -> None:
    """The widgets of the row."""
    models = [*bench.models(), *time.recent(bench, view)]
    st.session_state["model"] = view.model
    widgets.selectbox(
        text(view.lang, "top.model"),
        listed(models, view.model),
        key="model",
        format_func=lambda name: time.label(bench, view.lang, name),
        label_visibility="collapsed",
        width=170,
        on_change=lambda: tools.open_model(st.session_state["model"]),
    )
    st.session_state["prompt"] = prompt(bench, view)
    st.text_input(
        text(view.lang, "top.prompt"),
        key="prompt",
        label_visibility="collapsed",
        placeholder=text(view.lang, "top.prompt_placeholder"),
        max_chars=PROMPT_LIMIT,
        disabled=time.is_training_step(view.model),
        on_change=lambda: read(st.session_state["prompt"]),
    )
    shell.language_choice()
    with st.popover(text(view.lang, "tools.compare"), icon=":material/compare_arrows:"):
        tools.compare(bench, view)
    with st.popover(text(view.lang, "tools.stops"), icon=":material/adjust:"):
        tools.breakpoints(view)
    with st.popover(text(view.lang, "tools.settings"), icon=":material/tune:"):
        tools.settings(view)


def prompt(bench: Workbench, view: View) -> str:
    """The text to read: the view's, or the model's own first one."""
    if view.prompt is not None:
        return view.prompt
    try:
        return bench.first_prompt(view.model)
    except UserError:
        return ""


def read(new: str) -> None:
    """Another text: what was pinned or edited at a position of the old one is let go; edited weights stay edited."""
    view = state.view(View)
    weights = tuple(edit for edit in view.edits if edit[0].endswith((".weight", ".bias")) or len(edit[1]) == 1)
    state.go(prompt=new, focus=-1, cell=None, trail=(), edits=weights)
