"""The whole page: a row of choices on top, one section below."""

from __future__ import annotations

import streamlit as st

from lmviz.ui import choices, shell
from lmviz.ui.quantisation.view import SECTIONS, View
from lmviz.ui.text import text


def page(view: View) -> None:
    """Draw the page. The shell is painted before torch is imported."""
    with shell.top(view) as row:
        names = {name: text(view.lang, f"quantisation.{name}") for name in SECTIONS}
        choices.section(text(view.lang, "quantisation.section"), names)
    body = st.container()
    with body:
        services = shell.services(view.lang)
    with row:
        if not (view.run and view.section == "aware"):  # a training brings its model with it
            choices.model(services, view.lang, view.model, weight="", cell=(0, 0), prompt=None, trains=False)
    with body:
        choices.draw_section("quantisation", services, view)
