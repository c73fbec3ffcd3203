"""The debugger itself: scenes that the browser draws, and what is done in them."""

from __future__ import annotations

import streamlit as st

from lmviz.errors import UserError
from lmviz.services.services import Services
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


def _unsaid(view: StepThroughView, drawn: Place) -> Place:
    """The place without its words, where they tell what the course asks."""
    if predict.is_given_away(drawn["say"]["text"]):
        drawn["say"] = predict.unsaid(drawn["say"], view.t("exercise.first"))
    return drawn


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
    drawn = scene(run, view, location, windows, pinned, other, stopped, changed, times)
    frame = ahead.frame_of(view, run, other, windows, times)
    others = [
        _unsaid(view, scene(run, events.at(run, view, there), there, windows, pinned, other, times=times))
        for there in ahead.to_send(run, location, frame)
    ]
    if asked := predict.awaited(run, view, location):
        drawn = predict.before_answer(run, view, location, drawn, asked)
    else:
        drawn["say"]["hint"] = ending.why(services, run, view, location) or drawn["say"]["hint"]
        drawn = _unsaid(view, drawn)
    whole = Scene(
        **drawn,
        ahead=[_difference(drawn, one) for one in others],
        frame=frame,
        seq=state.remember("seq", 0),
        compared=refused or compared(services, view, other),
        search=search(run, view.t, state.remember("search", None)),
        words=component.words(view.t),
    )
    component.show(whole, lambda event: _on_event(services, event))
    if not asked:
        heads.at_stage(services, run, view, location)
    predict.at_stage(run, view, location)
    state.write()


def _on_event(services: Services, event: component.Event) -> None:
    try:
        run = services.models.record(request(services, state.view(StepThroughView)))
    except UserError:  # what is drawn next says so
        return
    events.on_event(run, event)
