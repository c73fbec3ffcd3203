"""Pictures of a page's own, drawn in the browser by a script of that page: text as pieces, a table, a tree.

A script is a folder's `browser/NAME.js`, which exports `drawn(draw)` of its function `draw(root, data, send)`; its
look is `NAME.css`, if there is one. Text reaches the page as text nodes only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from lmviz.ui import matrices, mounted, state
from lmviz.ui.text import Translator

UI = Path(__file__).parent
Event = Mapping[str, Any]


@lru_cache
def _words(t: Translator, prefix: str) -> dict[str, str]:
    return t.texts(prefix)


def show(
    picture: str,
    content: Mapping[str, Any],
    t: Translator,
    key: str,
    on_event: Callable[[Event], None] | None = None,
) -> None:
    """Draw a picture, "folder/name"; `on_event` is called with what was clicked, before the rerun."""
    folder, name = picture.split("/")

    def changed() -> None:
        event = getattr(st.session_state.get(key), "event", None)
        if on_event is not None and isinstance(event, dict):
            on_event(event)
        state.write()  # the event may have left the browser before it knew of the last address

    words = _words(t, f"{folder}.{name}.")
    shown = {**content, "lang": t.numbers, "words": words}
    script = UI / folder / "browser" / f"{name}.js"
    drawn = mounted.component(f"lmviz.{folder}.{name}", script, "lm", matrices.look())
    drawn(data=[shown], key=key, on_event_change=state.unbroken(changed), height="content")
