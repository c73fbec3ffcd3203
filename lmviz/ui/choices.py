"""Choices that several pages offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from lmviz.ui import state
from lmviz.ui.text import text

if TYPE_CHECKING:
    from lmviz.workbench import Workbench


def model(bench: Workbench, lang: str, chosen: str, **and_then: Any) -> None:
    """The model that a page is about, one at hand or the folder of another; `and_then`
    lets go of what belonged to the one before."""
    models = bench.models()
    st.selectbox(
        text(lang, "top.model"),
        models if chosen in models else [*models, chosen],
        label_visibility="collapsed",
        width=170,
        accept_new_options=True,
        **state.bound("model", **and_then),
    )
