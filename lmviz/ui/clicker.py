"""The keys of a presenter's clicker, PageDown and PageUp, for a page that steps with buttons.

A button of Streamlit has one key only, so each of these two has a button of its own, which nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st


def clicker(key: str, forward: Callable[[], None] | None, back: Callable[[], None] | None) -> None:
    """Let PageDown call `forward` and PageUp `back`; None where there is no way to go."""
    name = f"{key}_clicker".replace(".", "_")
    st.html(f"<style>.st-key-{name} {{ display: none; }}</style>")
    with st.container(key=name, width="content"):
        for shortcut, act in (("PageDown", forward), ("PageUp", back)):
            st.button(shortcut, key=f"{key}.{shortcut}", shortcut=shortcut, disabled=act is None, on_click=act)
