"""The frame around every page: set-up, the pages by their names in the reader's language, and the language itself."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import streamlit as st

from lmviz.ui import state
from lmviz.ui.text import LANGUAGES, text

PAGES = Path(__file__).parent.parent.parent / "pages"
LISTED = (("step_through", ":material/footprint:"),)

_CSS = """
.stMainBlockContainer, .block-container { padding: 3.9rem 1.4rem 0.6rem; max-width: none; }
.stVerticalBlock { gap: 0.55rem; }
header.stAppHeader { height: 3.3rem; min-height: 3.3rem; }
@media (max-width: 820px) {
  .st-key-top .stPopover p { display: none; }
  .st-key-top { gap: 0.5rem; }
  .stMainBlockContainer, .block-container { padding: 3.6rem 0.7rem 0.6rem; } }
"""
_frozen = threading.Lock()


def frame() -> None:
    """What comes before anything else on every page."""
    st.set_page_config(page_title="lmviz", page_icon=":material/footprint:", layout="wide")
    st.html(f"<style>{_CSS}</style>")


def navigate(navigation: Any) -> None:
    """Run the chosen page."""
    language = state.view().lang
    pages = [
        st.Page(
            PAGES / f"{name}.py",
            title=text(language, f"page.{name}"),
            icon=icon,
            url_path=name,
            default=name == LISTED[0][0],
        )
        for name, icon in LISTED
    ]
    navigation(pages, position="top").run()


def language_choice() -> None:
    """EN | FR. The canonical choice is in the view; the widget mirrors it."""
    chosen = state.view().lang
    st.session_state["language"] = chosen
    st.segmented_control(
        text(chosen, "app.language"),
        list(LANGUAGES),
        default=None,
        format_func=str.upper,
        key="language",
        label_visibility="collapsed",
        required=True,
        on_change=lambda: _speak(st.session_state["language"] or chosen),
    )


def _speak(language: str) -> None:
    state.update(lang=language)
    state.write()


def freeze_imports() -> None:
    """Take what the heavy imports made out of the collector's sight, once, so that no click waits for a look at it."""
    if _frozen.acquire(blocking=False):
        gc.collect()
        gc.freeze()
