"""The whole page: a row of choices on top, one section below."""

from __future__ import annotations

from importlib import import_module

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import choices, shell, state
from lmviz.ui.quantisation.view import SECTIONS, View
from lmviz.ui.text import error_text, text


def page(view: View) -> None:
    """Draw the page. The shell is painted before torch is imported."""
    with shell.top(view) as row:
        st.segmented_control(
            text(view.lang, "quantisation.section"),
            SECTIONS,
            format_func=lambda name: text(view.lang, f"quantisation.{name}"),
            label_visibility="collapsed",
            required=True,
            **state.bound("section"),
        )
    body = st.container()
    with body:
        bench = shell.workbench(view.lang)
    with row:
        choices.model(bench, view.lang, view.model, weight="", cell=(0, 0), prompt=None, trains=False)
    with body:
        try:
            import_module(f"lmviz.ui.quantisation.{view.section}").section(bench, view)
        except UserError as error:
            st.error(error_text(view.lang, error))
