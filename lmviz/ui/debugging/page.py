"""The whole page: a row with the sections on top, one section below."""

from __future__ import annotations

import streamlit as st

from lmviz.ui import choices, shell
from lmviz.ui.debugging.view import SECTIONS, View
from lmviz.ui.text import text

_CSS = """
.st-key-debugging h4 { padding: 0.2rem 0 0.5rem; margin: 0; }
.st-key-debugging .stMarkdown [data-testid="stMarkdownContainer"]:has(> h4:last-child),
.st-key-debugging [data-testid="stMarkdownContainer"]:has(> .stHeading:last-child) { margin-bottom: 0; }
.st-key-debugging pre { white-space: pre-wrap; }
.lm-diff { font: 0.92rem/1.55 monospace; overflow-x: auto; border-radius: 0.5rem; margin: 0; padding: 0.5rem 0;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.lm-diff div { padding: 0 0.8rem; white-space: pre; width: max-content; min-width: 100%; box-sizing: border-box; }
.lm-diff i { font-style: normal; display: inline-block; width: 2.4rem; opacity: 0.55; }
.lm-diff .gone { background: color-mix(in srgb, #d6600c 22%, transparent); }
.lm-diff .new { background: color-mix(in srgb, #2f7fe0 22%, transparent); }
"""


def page(view: View) -> None:
    """Draw the page. The shell is painted before torch is imported."""
    st.html(f"<style>{_CSS}</style>")
    with shell.top(view):
        names = {name: text(view.lang, f"debug.{name}") for name in SECTIONS}
        choices.section(text(view.lang, "debug.section"), names)
    with st.container(key="debugging"):
        choices.draw_section("debugging", shell.services(view.lang), view)
