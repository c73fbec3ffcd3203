"""The debugger itself: scenes that the browser draws, and what is done in them."""

from __future__ import annotations

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.recording import Recording
from lmviz.services.services import Services
from lmviz.stages.navigation import Location
from lmviz.ui import state
from lmviz.ui.course import bar
from lmviz.ui.step_through import ahead, component, ending, events, heads, predict
from lmviz.ui.step_through.inspector import inspector
from lmviz.ui.step_through.recordings import as_far_as_it_makes_sense, compared, other_run, over_time, request
from lmviz.ui.step_through.scene import scene
from lmviz.ui.step_through.scene_types import Changes, Place, Scene
from lmviz.ui.step_through.search import search
from lmviz.ui.step_through.view import StepThroughView


def _difference(here: Place, there: Place) -> Changes:
    """What a scene shows otherwise than another: the browser knows the rest."""
    return {name: part for name, part in there.items() if part != here.get(name)}


@st.fragment
def debugger(services: Services) -> None:
    """The debugger. A step runs this function alone."""
    if state.take("whole", False):
        st.rerun()
    bar.follow()
    view = state.view(StepThroughView)
    with as_far_as_it_makes_sense(view):
        _debugger(services, view)


def _debugger(services: Services, view: StepThroughView) -> None:
    try:
        run = services.models.record(request(services, view))
    except UserError as error:  # an edit that does not fit any more
        st.error(view.t.error(error))
        return
    location = events.place(run, view)
    awaited = predict.awaited(run, view, location)
    shown = _scene(services, run, view, location)
    if awaited is None and predict.of_the_course() is None:
        shown["say"]["hint"] = ending.why(services, run, view, location) or shown["say"]["hint"]
    component.show(shown, lambda event: _on_event(services, event))
    if awaited is None and not predict.hides_heads():
        heads.at_stage(services, run, view, location)
    predict.at_stage(run, view, location)
    state.write()
    if predict.hides_elsewhere(awaited):
        st.rerun()


def _scene(services: Services, run: Recording, view: StepThroughView, location: Location) -> Scene:
    """What is drawn, and what is sent along of the places near it."""
    stopped, grain = state.take("stopped", ""), state.take("regrained", "")
    changed = view.t(f"bar.changed.{grain}") if grain else ""
    other, refused = None, ""
    try:
        other = other_run(services, view)
    except UserError as error:
        refused = view.t.error(error)
    windows = state.remember("windows", {})
    pinned = inspector(run, view, other)
    times = over_time(services, view)

    def drawn_at(at: Location, there: StepThroughView, stopped: str = "", changed: str = "") -> Place:
        full = scene(run, there, at, windows, pinned, other, stopped, changed, times)
        return predict.before_answer(run, there, at, full)

    drawn = drawn_at(location, view, stopped, changed)
    frame = ahead.frame_of(view, run, other, windows, times)
    near = ahead.to_send(run, location, frame)
    return Scene(
        **drawn,
        ahead=[_difference(drawn, drawn_at(there, events.at(run, view, there))) for there in near],
        frame=frame,
        seq=state.remember("seq", 0),
        compared=refused or compared(services, view, other),
        search=search(run, view.t, state.remember("search", None)),
        words=component.words(view.t),
    )


def _on_event(services: Services, event: component.Event) -> None:
    try:
        run = services.models.record(request(services, state.view(StepThroughView)))
    except UserError:  # what is drawn next says so
        return
    events.on_event(run, event)
