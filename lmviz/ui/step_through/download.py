"""Take it away: the walk as one page, which opens without a server."""

from __future__ import annotations

import re

import streamlit as st

from lmviz.services.services import Services
from lmviz.ui.offline.page import page_of
from lmviz.ui.step_through import ending
from lmviz.ui.step_through.recordings import request
from lmviz.ui.step_through.view import StepThroughView


def choice(services: Services, view: StepThroughView) -> None:
    """What the page is, and a button that makes it when it is pressed; nothing of it in front of a room."""
    if view.present:
        return
    t = view.t
    with st.popover(t("tools.download"), icon=":material/download:"):
        st.caption(t("download.help"))
        st.download_button(
            t("download.page"),
            lambda: page(services, view),
            file_name=f"lmviz-{_plain(str(view.model))}.html",
            mime="text/html",
            icon=":material/html:",
            key="download_page",
            on_click="ignore",
        )


def page(services: Services, view: StepThroughView) -> bytes:
    """The walk that the view shows, opening where it stands; with what mattered most said at its end."""
    run = services.models.record(request(services, view))
    made = page_of(run, view, hint=lambda view, place: ending.why(services, run, view, place))
    return made.html.encode()


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name.rpartition("/")[2])[:60] or "page"
