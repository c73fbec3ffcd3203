"""A model that is a run's: the slider that moves it through the run's checkpoints."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.run import RunModel, RunStep
from lmviz.services.services import Services
from lmviz.ui import state, widgets
from lmviz.ui.step_through.view import StepThroughView

REDRAW_SECONDS = 1.2  # seconds that each time stays while it plays
PLAYING = "time.playing"


@widgets.placeholder()
def slider(services: Services, view: StepThroughView) -> None:
    """Under the top row, for a run's model: its checkpoints, or the texts of a training step's batch."""
    with suppress(UserError):  # the page says it where it opens the model
        match view.model:
            case RunModel(run, step):
                _times(services, view, run, step)
            case RunStep(run, step, row):
                _texts(services, view, run, step, row)


def _times(services: Services, view: StepThroughView, run: str, step: int) -> None:
    t = view.t
    steps = [stop.step for stop in services.models.runs.stops(run)]
    if step not in steps or len(steps) < 2:
        return
    if state.remember(PLAYING, False):
        st.fragment(_next_time, run_every=REDRAW_SECONDS)(services, run, steps)
    with st.container(horizontal=True, vertical_alignment="center", key="times"):
        playing = bool(state.remember(PLAYING, False))
        st.button(
            t("time.pause" if playing else "time.play"),
            icon=":material/pause:" if playing else ":material/play_arrow:",
            key="time_play",
            on_click=lambda: _toggle(run, steps, step),
        )
        st.session_state["time"] = step
        widgets.select_slider(
            t("time.step"),
            steps,
            key="time",
            format_func=lambda one: t("time.at", step=t.integer(one)),
            label_visibility="collapsed",
            on_change=lambda: _go(run, st.session_state["time"]),
        )
        b_step = _b_step(view, run)
        st.session_state["time_b"] = b_step if b_step in steps else -1
        widgets.selectbox(
            t("time.compare"),
            [-1, *steps],
            key="time_b",
            width=210,
            label_visibility="collapsed",
            format_func=lambda one: t("time.alone") if one < 0 else t("time.against", step=t.integer(one)),
            on_change=lambda: _compare(run, st.session_state["time_b"]),
        )


def _go(run: str, step: int) -> None:
    """Another time: everything else stays where it is."""
    state.go(model=RunModel(run, step))


def _compare(run: str, step: int) -> None:
    state.go(b_model=None if step < 0 else RunModel(run, step))


def _b_step(view: StepThroughView, run: str) -> int:
    other = view.b_model
    return other.step if isinstance(other, RunModel) and other.run == run else -1


def _toggle(run: str, steps: list[int], step: int) -> None:
    playing = not state.remember(PLAYING, False)
    state.keep(PLAYING, playing)
    state.keep("time.fresh", True)
    if playing and step == steps[-1]:
        _go(run, steps[0])


def _next_time(services: Services, run: str, steps: list[int]) -> None:
    """Called again and again while time plays: go on to the next checkpoint, and stop at the last."""
    if state.take("time.fresh", False):
        return
    model = state.view(StepThroughView).model
    later = [step for step in steps if isinstance(model, RunModel) and model.run == run and step > model.step]
    if not later:
        state.keep(PLAYING, False)
    else:
        state.keep("time.fresh", True)
        _go(run, later[0])
    st.rerun()


def _texts(services: Services, view: StepThroughView, run: str, step: int, row: int) -> None:
    """Which text of the batch is followed."""
    n_texts = len(services.training.before(run, step).batch)
    if n_texts < 2:
        return
    st.session_state["time_window"] = min(row, n_texts - 1)
    st.slider(
        view.t("time.text"),
        0,
        n_texts - 1,
        key="time_window",
        on_change=lambda: state.go(
            model=RunStep(run, step, st.session_state["time_window"]), focus=-1, cell=None, trail=()
        ),
    )
