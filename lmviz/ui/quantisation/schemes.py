"""How numbers are kept: the format, which of them share a scale, and what is clipped."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lmviz.ui import state
from lmviz.ui.quantisation.view import FORMATS, GRANULARITIES, GROUPS, INTEGERS, View
from lmviz.ui.text import text


def choose(view: View, formats: tuple[str, ...] = FORMATS, keep: bool = True, **and_then: Any) -> None:
    """The choices that are left: floats have no scale. `and_then` lets go of what depends on them."""
    lang = view.lang
    chosen = view.format if view.format in formats else formats[0]
    st.segmented_control(
        text(lang, "quantisation.format"),
        formats,
        format_func=str.upper,
        required=True,
        **state.bound("format", chosen, **and_then),
    )
    if chosen not in INTEGERS:
        return
    st.segmented_control(
        text(lang, "quantisation.granularity"),
        GRANULARITIES,
        format_func=lambda name: text(lang, f"quantisation.granularity.{name}"),
        required=True,
        **state.bound("granularity", **and_then),
    )
    if view.granularity == "group":
        st.selectbox(text(lang, "quantisation.group"), GROUPS, width=110, **state.bound("group", **and_then))
    st.segmented_control(
        text(lang, "quantisation.codes"),
        (True, False),
        format_func=lambda symmetric: text(lang, "quantisation.symmetric" if symmetric else "quantisation.affine"),
        required=True,
        **state.bound("symmetric", **and_then),
    )
    if not keep:
        return
    st.slider(
        text(lang, "quantisation.keep"),
        0.05,
        1.0,
        step=0.05,
        width=140,
        help=text(lang, "quantisation.keep.help"),
        **state.bound("keep"),
    )
