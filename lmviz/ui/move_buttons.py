"""Buttons that walk from a first place to a last one, and the keys of a presenter's clicker."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

MOVES = ("first", "back", "next", "last")
_ICONS = ("first_page", "chevron_left", "chevron_right", "last_page")
_KEYS = ("Home", "Left", "Right", "End")


def move_buttons(
    key: str, labels: Mapping[str, str], at: int, last: int, where: str, go: Callable[[int], None]
) -> None:
    """Four buttons, from place `at` of 0 to `last` to another; `where` says in words which place it is.

    Args:
        labels: what the buttons say, for each of MOVES.
    """
    places = (0, at - 1, at + 1, last)
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_moves".replace(".", "_")):
        for name, to, icon, shortcut in zip(MOVES, places, _ICONS, _KEYS, strict=True):
            st.button(
                labels[name],
                key=f"{key}.{name}",
                icon=f":material/{icon}:",
                type="primary" if name == "next" else "secondary",
                disabled=not 0 <= to <= last or to == at,
                shortcut=shortcut,
                on_click=go,
                args=(to,),
            )
        st.markdown(where)
        presenter_keys(key, (lambda: go(at + 1)) if at < last else None, (lambda: go(at - 1)) if at else None)


def presenter_keys(key: str, forward: Callable[[], None] | None, back: Callable[[], None] | None) -> None:
    """Let PageDown call `forward` and PageUp `back`; None where there is no way to go.

    A button of Streamlit has one key only, so each of these two has a button of its own, which nobody sees.
    """
    name = f"{key}_clicker".replace(".", "_")
    st.html(f"<style>.st-key-{name} {{ display: none; }}</style>")
    with st.container(key=name, width="content"):
        for shortcut, act in (("PageDown", forward), ("PageUp", back)):
            st.button(shortcut, key=f"{key}.{shortcut}", shortcut=shortcut, disabled=act is None, on_click=act)
