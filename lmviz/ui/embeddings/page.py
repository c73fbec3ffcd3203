"""The whole page: a row of choices on top, one section below."""

from __future__ import annotations

import streamlit as st

from lmviz.ui import choices, shell
from lmviz.ui.embeddings.view import SECTIONS, View
from lmviz.ui.text import text

OF_A_MODEL = ("look_up", "sum", "near", "answers")  # sections that show a model of the visitor's choice


def page(view: View) -> None:
    """Draw the page. The shell is painted before torch is imported."""
    with shell.top(view) as row:
        names = {name: text(view.lang, f"embeddings.{name}") for name in SECTIONS}
        choices.section(text(view.lang, "embeddings.section"), names, cell=None)
    body = st.container()
    with body:
        services = shell.services(view.lang)
    if view.section in OF_A_MODEL:
        with row:
            choices.model(
                services,
                view.lang,
                view.model,
                prompt=None,
                opening=None,
                token=-1,
                cell=None,
                id=1,
                answers=(),
                second=0,
            )
    with body:
        choices.draw_section("embeddings", services, view)
