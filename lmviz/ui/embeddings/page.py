"""The whole page: a row of choices on top, one section below."""

from __future__ import annotations

from importlib import import_module

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import choices, shell, state
from lmviz.ui.embeddings.view import SECTIONS, View
from lmviz.ui.text import error_text, text

OF_A_MODEL = ("look_up", "sum", "near", "answers")  # sections that show a model of the visitor's choice


def page(view: View) -> None:
    """Draw the page. The shell is painted before torch is imported."""
    with shell.top(view) as row:
        st.segmented_control(
            text(view.lang, "embeddings.section"),
            SECTIONS,
            format_func=lambda name: text(view.lang, f"embeddings.{name}"),
            label_visibility="collapsed",
            required=True,
            **state.bound("section", cell=None),
        )
    body = st.container()
    with body:
        bench = shell.workbench(view.lang)
    if view.section in OF_A_MODEL:
        with row:
            choices.model(bench, view.lang, view.model, prompt=None, token=-1, cell=None, id=1, answers=(), second=0)
    with body:
        try:
            import_module(f"lmviz.ui.embeddings.{view.section}").section(bench, view)
        except UserError as error:
            st.error(error_text(view.lang, error))
