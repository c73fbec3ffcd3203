"""A model that is a run's: what it is called, and the slider that moves it through the run's checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import choices, state, widgets
from lmviz.ui.step_through.view import View
from lmviz.ui.text import integer, text

if TYPE_CHECKING:
    from lmviz.workbench import Workbench

BEAT = 1.2  # seconds that each time stays while it plays
PLAYING = "time.playing"
RUNS_LISTED = 5


def is_of_a_run(model: str) -> bool:
    return model.startswith("runs/")


def is_training_step(model: str) -> bool:
    return model.startswith(("runs/", "moment/")) and "!" in model


def recent(bench: Workbench, view: View) -> list[str]:
    """The models of the latest trainings, as they were last saved; not of the one that is open at another time."""
    from lmviz.benches.names import moment_name

    try:
        runs = [run.id for run in bench.runs.all()[:RUNS_LISTED] if run.id not in view.model]
        return [moment_name(run, stops[-1].step) for run in runs if (stops := bench.runs.stops(run))]
    except UserError:
        return []


def label(bench: Workbench, lang: str, model: str) -> str:
    """What the list of models calls one: a run's model by the run's name and the step."""
    from lmviz.benches.names import run_and_step, training_step

    if not is_of_a_run(model):
        return choices.name(lang, model)
    try:
        if moment := run_and_step(model):
            return text(lang, "time.model", name=bench.runs.get(moment[0]).name, step=integer(lang, moment[1]))
        if asked := training_step(model):
            return text(lang, "time.training_step", name=bench.runs.get(asked[0]).name, step=integer(lang, asked[1]))
    except UserError:
        pass
    return model


def slider(bench: Workbench, view: View) -> None:
    """Under the top row, for a run's model: its checkpoints, or the texts of a training step's batch."""
    from lmviz.benches.names import run_and_step, training_step

    try:
        if moment := run_and_step(view.model):
            _times(bench, view, *moment)
        elif asked := training_step(view.model):
            _texts(bench, view, *asked)
    except UserError:
        return  # the page says it where it opens the model


def _times(bench: Workbench, view: View, run: str, step: int) -> None:
    steps = [stop.step for stop in bench.runs.stops(run)]
    if step not in steps or len(steps) < 2:
        return
    if state.remember(PLAYING, False):
        st.fragment(_beat, run_every=BEAT)(bench, run, steps)
    with st.container(horizontal=True, vertical_alignment="center", key="times"):
        playing = bool(state.remember(PLAYING, False))
        st.button(
            text(view.lang, "time.pause" if playing else "time.play"),
            icon=":material/pause:" if playing else ":material/play_arrow:",
            key="time_play",
            on_click=lambda: _toggle(run, steps, step),
        )
        st.session_state["time"] = step
        widgets.select_slider(
            text(view.lang, "time.step"),
            steps,
            key="time",
            format_func=lambda one: text(view.lang, "time.at", step=integer(view.lang, one)),
            label_visibility="collapsed",
            on_change=lambda: _go(run, st.session_state["time"]),
        )
        b_step = _b_step(view, run)
        st.session_state["time_b"] = b_step if b_step in steps else -1
        widgets.selectbox(
            text(view.lang, "time.compare"),
            [-1, *steps],
            key="time_b",
            width=210,
            label_visibility="collapsed",
            format_func=lambda one: (
                text(view.lang, "time.alone")
                if one < 0
                else text(view.lang, "time.against", step=integer(view.lang, one))
            ),
            on_change=lambda: _compare(run, st.session_state["time_b"]),
        )


def _go(run: str, step: int) -> None:
    """Another time: everything else stays where it is."""
    from lmviz.benches.names import moment_name

    state.go(model=moment_name(run, step))


def _compare(run: str, step: int) -> None:
    from lmviz.benches.names import moment_name

    state.go(b_model="" if step < 0 else moment_name(run, step))


def _b_step(view: View, run: str) -> int:
    from lmviz.benches.names import run_and_step

    found = run_and_step(view.b_model)
    return found[1] if found is not None and found[0] == run else -1


def _toggle(run: str, steps: list[int], step: int) -> None:
    playing = not state.remember(PLAYING, False)
    state.keep(PLAYING, playing)
    state.keep("time.fresh", True)
    if playing and step == steps[-1]:
        _go(run, steps[0])


def _beat(bench: Workbench, run: str, steps: list[int]) -> None:
    """Called again and again while time plays: go on to the next checkpoint, and stop at the last."""
    from lmviz.benches.names import run_and_step

    if state.take("time.fresh", False):
        return
    moment = run_and_step(state.view(View).model)
    later = [step for step in steps if moment and step > moment[1]]
    if not later or moment is None or moment[0] != run:
        state.keep(PLAYING, False)
    else:
        state.keep("time.fresh", True)
        _go(run, later[0])
    st.rerun()


def _texts(bench: Workbench, view: View, run: str, step: int, window: int) -> None:
    """Which text of the batch is followed."""
    from lmviz.benches.names import training_step_name

    n_texts = len(bench.moment(run, step).batch)
    if n_texts < 2:
        return
    st.session_state["time_window"] = min(window, n_texts - 1)
    st.slider(
        text(view.lang, "time.text"),
        0,
        n_texts - 1,
        key="time_window",
        on_change=lambda: state.go(
            model=training_step_name(run, step, st.session_state["time_window"]), focus=-1, cell=None, trail=()
        ),
    )
