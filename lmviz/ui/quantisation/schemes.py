"""How numbers are kept: the format, which of them share a scale, and what is clipped."""

from __future__ import annotations

import streamlit as st

from lmviz.ui import state
from lmviz.ui.quantisation.view import FORMATS, GRANULARITIES, GROUPS, INTEGERS, View
from lmviz.ui.text import text


def choose(view: View, formats: tuple[str, ...] = FORMATS) -> None:
    """The choices that are left: formats of floating point have no scale."""
    lang = view.lang
    st.segmented_control(
        text(lang, "quantisation.format"), formats, format_func=str.upper, required=True, **state.bound("format")
    )
    if view.format not in INTEGERS:
        return
    st.segmented_control(
        text(lang, "quantisation.granularity"),
        GRANULARITIES,
        format_func=lambda name: text(lang, f"quantisation.granularity.{name}"),
        required=True,
        **state.bound("granularity"),
    )
    if view.granularity == "group":
        st.selectbox(text(lang, "quantisation.group"), GROUPS, width=110, **state.bound("group"))
    st.segmented_control(
        text(lang, "quantisation.codes"),
        (True, False),
        format_func=lambda symmetric: text(lang, "quantisation.symmetric" if symmetric else "quantisation.affine"),
        required=True,
        **state.bound("symmetric"),
    )
    st.slider(
        text(lang, "quantisation.keep"),
        0.05,
        1.0,
        step=0.05,
        width=170,
        help=text(lang, "quantisation.keep.help"),
        **state.bound("keep"),
    )
