"""The whole page: the row of choices on top, the debugger below, the list of all tensors under it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.puzzle import PuzzleModel
from lmviz.ui import choices, debugger, shell, state
from lmviz.ui.step_through import time, tools, top
from lmviz.ui.step_through.view import View
from lmviz.ui.text import code, error_text, plain, shortened, text, visible

if TYPE_CHECKING:
    from lmviz.registry.recording import Recording, Request
    from lmviz.services.services import Services


AHEAD = ("over", "back")  # the moves that the browser draws at once: where they lead is sent along with each scene
_FOR_A_ROOM = """
header.stAppHeader, .st-key-top { display: none !important; }
.stMainBlockContainer { padding-top: 0.8rem !important; }
"""


def page(view: View) -> None:
    """Draw the page. The shell is painted before torch is imported."""
    row = st.container(horizontal=True, vertical_alignment="center", key="top")
    body = st.container(key="body")
    with body:
        shell.link_notes(view.lang)
        services = shell.services(view.lang)
    with row:
        if view.present:
            st.html(f"<style>{_FOR_A_ROOM}</style>")
        else:
            top.row(services, view)
    with body:
        time.slider(services, view)
        run = _opened(services, view)
        if run is not None:
            with st.container(key="debugger_frame"):
                _debugger(services)
            tools.ledger(run, view)
            tools.card(services, run, view)


def _opened(services: Services, view: View) -> Recording | None:
    """The run that the view asks for, and what must be said about its input; None if there is none to show."""
    try:
        run = services.models.record(request(services, view))
    except UserError as error:
        st.error(error_text(view.lang, error))
        if view.edits:
            st.button(text(view.lang, "note.no_edits"), key="no_edits", on_click=lambda: state.go(edits=()))
        return None
    shell.notes(view.lang, run.notes)
    if run.trace.failure is not None:
        st.error(text(view.lang, "note.failed", error=plain(str(run.trace.failure))))
    if view.step and view.step not in run.trace and not any(s.kind == view.step for s in run.walk.stages):
        st.info(text(view.lang, "note.no_step", step=code(visible(view.step))))
    if view.cell is not None and not run.has(*view.cell):
        st.info(text(view.lang, "note.no_cell", cell=code(f"{visible(view.cell[0])}{list(view.cell[1])}")))
    return run


def request(services: Services, view: View) -> Request:
    """What the view asks to be recorded."""
    from lmviz.registry.recording import Request

    return Request(view.model, top.prompt(services, view), view.target, view.temperature, view.edits, view.grad)


def other_run(services: Services, view: View) -> Recording | None:
    """The run to compare with: the one that was asked for, or the same without its edits.

    Raises:
        UserError: there is no such run.
    """
    if not view.compares and not view.edits:
        return None
    edits = () if view.b_plain or not view.compares else view.edits
    is_puzzle = any(isinstance(model, PuzzleModel) for model in (view.model, view.b_model))
    b_model = None if is_puzzle else view.b_model  # a healthy model would give the puzzle away
    b = replace(view, edits=edits, model=b_model or view.model, prompt=view.b_prompt or view.prompt)
    return services.models.record(request(services, b))


def _compared(services: Services, view: View, other: Recording | None) -> str:
    """What the other run is, in a few words; empty if there is none."""
    if not view.compares or other is None:
        return ""
    if view.b_plain and not view.b_prompt and not view.b_model:
        return text(view.lang, "compare.with_plain")
    shown = shortened(visible(other.request.prompt or other.tokens.text), 40)
    return text(
        view.lang, "compare.with", model=choices.model_name(services, view.lang, other.request.model), prompt=shown
    )


def _difference(here: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """What a scene shows otherwise than another: the browser knows the rest."""
    return {name: part for name, part in there.items() if part != here[name]}


@st.fragment
def _debugger(services: Services) -> None:
    """The debugger. A step runs this function alone."""
    from lmviz.ui.debugger.inspector import inspector
    from lmviz.ui.debugger.scene import scene
    from lmviz.ui.step_through import events

    if state.take("whole", False):
        st.rerun()
    view = state.view(View)
    try:
        run = services.models.record(request(services, view))
    except UserError as error:  # an edit that does not fit any more
        st.error(error_text(view.lang, error))
        return
    cursor = events.place(run, view)
    stopped = state.take("stopped", "")
    other, refused = None, ""
    try:
        other = other_run(services, view)
    except UserError as error:
        refused = error_text(view.lang, error)
    windows = state.remember("windows", {})
    pinned = inspector(services, run, view, other)
    drawn = scene(run, view, cursor, windows, pinned, other, stopped)
    drawn["ahead"] = {
        move: _difference(drawn, scene(run, there, events.place(run, there), windows, pinned, other))
        for move in AHEAD
        if drawn["bar"]["moves"][move] and (there := events.moved(run, view, move))
    }
    drawn |= {"seq": state.remember("seq", 0), "compared": refused or _compared(services, view, other)}
    debugger.show(
        drawn, lambda event: events.on_event(services.models.record(request(services, state.view(View))), event)
    )
    state.write()
