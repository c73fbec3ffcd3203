"""The whole page: model and prompt on top, the knobs below, then one of four ways to look at what is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import lesson, shell, state, widgets
from lmviz.ui.generation import beam, compare, knobs, one, presets, several
from lmviz.ui.generation.view import WAYS, View
from lmviz.ui.text import error_text, text

if TYPE_CHECKING:
    from lmviz.services.services import Services

LOOK = Path(__file__).with_name("look.css")
DRAWN = {"one": one.stepping, "several": several.several, "beam": beam.beam, "compare": compare.compare}


def page(view: View) -> None:
    """Draw the page. The shell is painted before torch is imported."""
    st.html(LOOK)
    with shell.top(view):
        row = st.container(horizontal=True, vertical_alignment="center", key="generation_top")
    body = st.container(key="generation_body")
    with body:
        services = shell.services(view.lang)
    with row:
        knobs.model_and_prompt(services, view)
    with body:
        try:
            _body(services, view)
        except UserError as error:
            st.error(error_text(view.lang, error))


def _body(services: Services, view: View) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="generation_ways"):
        widgets.segmented_control(
            text(view.lang, "generation.way"),
            WAYS,
            format_func=lambda way: text(view.lang, f"generation.way.{way}"),
            required=True,
            label_visibility="collapsed",
            **state.bound("way", token=None),
        )
        presets.presets(services, view)
    knobs.knobs(view)
    knobs.notes(services, view)
    DRAWN[view.way](services, view)
    if view.prompt and view.prompt != services.models.first_prompt(view.model):
        lesson.done("beginning")
    if view.temperature != View().temperature:
        lesson.done("temperature")
    lesson.exercises(view.lang, "generation")
