"""The whole model in one picture, as it is after a checkpoint: while the run goes on, after the newest."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lmviz.bundle import PAGES
from lmviz.errors import UserError
from lmviz.registry.recording import Recording, Request
from lmviz.registry.run import RunModel
from lmviz.services.services import Services
from lmviz.ui import state
from lmviz.ui.step_through import whole_model
from lmviz.ui.step_through.view import StepThroughView, map_of
from lmviz.ui.step_through.whole_scene import whole
from lmviz.ui.step_through.whole_types import WholeTimes
from lmviz.ui.training.past import first_prompt
from lmviz.ui.training.view import TrainingView

REDRAW_SECONDS = 1.2  # seconds between two looks for a newer checkpoint: a recording at most for each
TABS = ("", "time")  # where it is seen
KEY, DOOR = "training_whole", "train.door"


def picture(services: Services) -> None:
    """The strip, which opens to the full view. Drawn anew while the run goes on."""
    view = state.view(TrainingView)
    try:
        run = services.models.runs.get(view.run)
        steps = [stop.step for stop in services.models.runs.stops(run.id)]
        if not steps:
            return
        step = view.step if view.step in steps else steps[-1]
        prompt = view.prompt if view.prompt is not None else first_prompt(services, run)
        found = services.models.record(Request(RunModel(run.id, step), prompt))
    except UserError:  # the rest of the page says so: it is gone, or its text cannot be read
        return
    _through_the_door(found, view)
    walk = StepThroughView(lang=view.lang, depth=view.depth, model=RunModel(run.id, step), prompt=prompt, map=view.map)
    times = WholeTimes(steps=steps, at=step) if len(steps) > 1 else None
    drawn = whole(found, walk, times, walked=False)
    drawn["run"] = f"{view.lang} {run.id} {prompt}"  # of one checkpoint after another, so that it moves
    whole_model.component()(data=[drawn], key=KEY, on_event_change=state.unbroken(_changed))
    st.caption(view.t("train.whole", step=view.t.integer(step)))
    state.write()


def _changed() -> None:
    event: Any = getattr(st.session_state.get(KEY), "event", None)
    try:
        if event["type"] == "time":
            state.go(step=int(event["step"]))
        elif event["type"] == "stage":
            state.keep(DOOR, int(event["stage"]))
        else:
            asked = str(event["map"])
            state.go(map=map_of(asked) if asked else "")
    except (TypeError, KeyError, ValueError):
        return


def _through_the_door(found: Recording, view: TrainingView) -> None:
    """To the step-through, at the stage that was chosen in the picture."""
    stage = state.take(DOOR, -1)
    if not 0 <= stage < len(found.navigator.stages):
        return
    stop = found.navigator.stages[stage].stop
    step = found.trace[stop].address if stop >= 0 else ""
    place = StepThroughView(lang=view.lang, model=found.request.model, prompt=found.request.prompt, step=step)
    st.switch_page(PAGES / "step_through.py", query_params=state.address(place))
