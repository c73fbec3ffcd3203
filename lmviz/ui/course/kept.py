"""The progress on the visitor's device: the browser keeps it, and joins it with what other tabs have kept there."""

from __future__ import annotations

import streamlit as st

from lmviz.lessons.progress import Progress
from lmviz.ui import drawing, state
from lmviz.ui.course.pictures_types import Kept
from lmviz.ui.text import Translator

SINCE = "course.since"  # how often the course was begun anew, as far as the browser has told
_UNKNOWN = -1


def on_the_device(t: Translator, section: str = "", look: str = "") -> None:
    """Let the browser keep what is done, and tell what it kept before. Another section begins at its top.

    Args:
        look: what has just been done is seen there, by a selector: it comes into sight.
    """
    with st.container(key="course_kept"):  # of which nothing is seen
        at = state.course()
        content: Kept = {
            "since": state.remember(SINCE, _UNKNOWN),
            "done": str(at.at("")),
            "at": f"{at.chapter}.{at.task}" if at.chapter else section,
            "look": look,
        }
        drawing.show("course/kept", content, t, "kept_course", _on_event)


def begin_anew() -> None:
    """Forget what is done, here and on the device."""
    state.keep(SINCE, max(0, state.remember(SINCE, _UNKNOWN)) + 1)
    state.keep("course.found", {})
    state.keep("course.chosen", {})
    state.keep_course(Progress())


def _on_event(event: drawing.Event) -> None:
    """What the device has kept; of a course that was begun anew elsewhere, only that."""
    since, done = event.get("since"), event.get("done")
    if not isinstance(done, str) or type(since) is not int or not 0 <= since < 2**31:
        return
    try:
        told = Progress.parse(done)
    except ValueError:
        return
    before, known = state.remember(SINCE, _UNKNOWN), state.course()
    state.keep(SINCE, max(before, since))
    if since < max(before, 0):
        return
    both = known.joined(told) if before in (_UNKNOWN, since) else told.at(known.chapter, known.task)
    state.keep_course(both)
