"""The whole page: a tokenizer and a text on top, then one of five ways to look at what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import shell, state, widgets
from lmviz.ui.text import error_text, text
from lmviz.ui.tokenizer import choices, comparing, cutting, learning, returning, vocabulary
from lmviz.ui.tokenizer.view import TABS, View

if TYPE_CHECKING:
    from lmviz.services.services import Services

DRAWN = {
    "pieces": cutting.pieces_of_text,
    "compare": comparing.side_by_side,
    "learn": learning.merge_by_merge,
    "trip": returning.there_and_back,
    "vocabulary": vocabulary.taken_apart,
}


def page(view: View) -> None:
    """Draw the page. The shell is painted before torch is imported."""
    with shell.top(view):
        widgets.segmented_control(
            text(view.lang, "tokenizer.tab"),
            TABS,
            format_func=lambda tab: text(view.lang, f"tokenizer.tab.{tab}"),
            required=True,
            label_visibility="collapsed",
            width="stretch",
            **state.bound("tab"),
        )
    services = shell.services(view.lang)
    try:
        _body(services, view)
    except UserError as error:
        st.error(error_text(view.lang, error))


def _body(services: Services, view: View) -> None:
    choices.tokenizer_and_text(services, view)
    DRAWN[view.tab](services, view)
