"""The bar of the course above every page, while a chapter is on the way. Light, since it stands before the pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import streamlit as st

from lmviz.ui import state

_WITHOUT = ("first", "course")  # the pages that have no bar: the first needs no torch, and the course shows itself


@contextmanager
def around(page: str) -> Iterator[None]:
    """The bar above a page; what has been done when the page is drawn is told at once."""
    on_the_way = page not in _WITHOUT and bool("course" in st.query_params or state.course().chapter)
    with st.container(key="course_slot"):  # always: what stands below it keeps its place
        is_shown = on_the_way and _card().show(page)
    yield
    if is_shown:
        follow()


def follow() -> None:
    """Draw the page anew if what the course asks for has just been done. For parts of a page that draw themselves."""
    if state.course().chapter and _card().has_news():
        st.rerun()


def _card() -> Any:
    """The parts that need the models: imported when somebody takes the course."""
    return import_module("lmviz.ui.course.card")
