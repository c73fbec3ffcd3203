"""The step-through's view: one component that draws a scene and reports what was clicked or pressed.

One component and not many widgets, because every step redraws all of it: on a click a single message goes each way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from lmviz.ui import matrices, state
from lmviz.ui.scripts import bundle
from lmviz.ui.step_through.scene_types import Scene
from lmviz.ui.text import Translator

BROWSER = Path(__file__).parent / "browser"
_WORDS = (
    "bar.",
    "bars.",
    "edit.",
    "inspect.",
    "loss.",
    "map.",
    "pane.",
    "picture.",
    "player.",
    "say.more",
    "search.",
    "source.",
    "tokens.",
    "watch.",
)

Event = dict[str, Any]


@lru_cache(maxsize=1)
def _component() -> Any:
    return st.components.v2.component(
        "lmviz.debugger",
        html=(BROWSER / "frame.html").read_text(encoding="utf-8"),
        css=matrices.look() + (BROWSER / "look.css").read_text(encoding="utf-8"),
        js=bundle(BROWSER / "main.js"),
    )


@lru_cache
def words(t: Translator) -> dict[str, str]:
    """What the browser says by itself."""
    return t.texts(*_WORDS)


def show(scene: Scene, on_event: Callable[[Event], None], key: str = "debugger") -> None:
    """Draw a scene; call `on_event` with what the visitor did next, before the fragment runs again."""

    def changed() -> None:
        event = getattr(st.session_state.get(key), "event", None)
        if isinstance(event, dict):
            on_event(event)

    _component()(data=[scene], key=key, on_event_change=state.unbroken(changed))
