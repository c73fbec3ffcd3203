"""The whole model in one picture: a strip above the debugger, which opens to a full view."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.run import RunModel
from lmviz.services.services import Services
from lmviz.ui import matrices, state
from lmviz.ui.scripts import bundle
from lmviz.ui.step_through import predict
from lmviz.ui.step_through.recordings import as_far_as_it_makes_sense, request
from lmviz.ui.step_through.view import StepThroughView, map_of
from lmviz.ui.step_through.whole_scene import whole
from lmviz.ui.step_through.whole_types import WholeTimes

BROWSER = Path(__file__).parent / "browser"


@st.fragment
def picture(services: Services) -> None:
    """The picture of the recording that is walked. What is done in it runs this function alone."""
    if state.take("another_time", False):
        st.rerun()
    if predict.hides_lanes():
        return
    view = state.view(StepThroughView)
    try:
        run = services.models.record(request(services, view))
    except UserError:  # the debugger says so
        return
    with as_far_as_it_makes_sense(view):
        drawn = whole(run, view, _times(services, view))
        if predict.is_asked():
            drawn["chances"] = []
        component()(data=[drawn], key="whole_model", on_event_change=state.unbroken(_changed))
    state.write()


def _changed() -> None:
    event: Any = getattr(st.session_state.get("whole_model"), "event", None)
    try:
        if event["type"] == "time":
            _to_time(int(event["step"]))
        else:
            asked = str(event["map"])
            state.go(map=map_of(asked) if asked else "")
    except (TypeError, KeyError, ValueError):
        return


@lru_cache(maxsize=1)
def component() -> Any:
    return st.components.v2.component(
        "lmviz.whole_model",
        html=(BROWSER / "whole.html").read_text(encoding="utf-8"),
        css=matrices.look().replace(".lm", ".whole-model") + (BROWSER / "whole.css").read_text(encoding="utf-8"),
        js=bundle(BROWSER / "whole.js"),
    )


def _to_time(step: int) -> None:
    """The whole page goes to another checkpoint of the same run."""
    model = state.view(StepThroughView).model
    if isinstance(model, RunModel):
        state.go(model=RunModel(model.run, step))
        state.keep("another_time", True)


def _times(services: Services, view: StepThroughView) -> WholeTimes | None:
    if not isinstance(view.model, RunModel):
        return None
    steps = [stop.step for stop in services.models.runs.stops(view.model.run)]
    return {"steps": steps, "at": view.model.step} if view.model.step in steps and len(steps) > 1 else None
