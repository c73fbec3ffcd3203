"""One training step under the debugger: which step, which text of its batch, and the way through its scenes."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from lmviz.debug.first_bad import first_bad
from lmviz.errors import UserError
from lmviz.registry.recording import Recording, Request
from lmviz.registry.run import RunStep
from lmviz.services.services import Services
from lmviz.train.opened import OpenedStep
from lmviz.train.store.run_table import TrainingRun
from lmviz.ui import replay, shell, state, widgets
from lmviz.ui.course import bar
from lmviz.ui.move_buttons import presenter_keys
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.training.scenes import SCENES, backwards
from lmviz.ui.training.view import TrainingView

REDRAW_SECONDS = 4.0  # seconds that each scene stays in slow motion
_SLOW = "train.slow"


def one_step(services: Services, view: TrainingView, run: TrainingRun) -> None:
    """Which step, which text of its batch, which scene; then that scene."""
    st.fragment(_step, run_every=replay.interval(_SLOW, REDRAW_SECONDS))(services)


def _step(services: Services) -> None:
    view = state.view(TrainingView)
    scene = replay.next_place(_SLOW, list(SCENES), view.scene)
    if replay.interval(_SLOW, REDRAW_SECONDS):
        state.go(scene=scene, cell=None)
        view = state.view(TrainingView)
    t = view.t
    try:
        run = services.models.runs.get(view.run)
        step = view.opened or min(1, run.steps)
        between = _which(view, run, step)
        opened = services.training.opened(run.id, step)
        recording = _recorded(services, run, step, view.window)
        with between:
            _moves(view, _stops(opened, recording))
        _scenes(view, opened)
        SCENES[view.scene](services, state.view(TrainingView), opened, recording)
        _step_through_link(services, view, run, step, recording)
    except UserError as error:
        st.warning(t.error(error))
    state.write()
    bar.follow()


def _recorded(services: Services, run: TrainingRun, step: int, window: int) -> Recording:
    return services.models.record(Request(RunStep(run.id, step, window), ""))


def _which(view: TrainingView, run: TrainingRun, step: int) -> st.delta_generator.DeltaGenerator:
    """The step, the text, the scene; returns the place beside them for the way on."""
    t = view.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state["opened"] = step
        st.number_input(
            t("train.one.step"),
            1,
            run.steps,
            key="opened",
            width=widgets.px(150),
            on_change=lambda: state.go(opened=st.session_state["opened"], cell=None),
        )
        st.session_state["opened_window"] = view.window
        st.number_input(
            t("train.one.window"),
            0,
            key="opened_window",
            width=widgets.px(150),
            help=t("train.one.window_help"),
            on_change=lambda: state.go(window=st.session_state["opened_window"], cell=None),
        )
        st.session_state["scene"] = view.scene
        widgets.segmented_control(
            t("train.one.scenes"),
            list(SCENES),
            key="scene",
            required=True,
            label_visibility="collapsed",
            format_func=lambda scene: f"{scene} · {t(f'train.one.scene.{scene}')}",
            on_change=lambda: state.go(scene=st.session_state["scene"], cell=None),
        )
        between = st.container(horizontal=True, width="content")
        replay.play_button(_SLOW, t("train.one.slow"), t("train.one.stop"), "slow_motion_video")
    return between


def _scenes(view: TrainingView, opened: OpenedStep) -> None:
    t = view.t
    details = {
        "step": t.integer(opened.step),
        "windows": t.integer(len(opened.batch)),
        "targets": t.integer(opened.batch.n_targets),
        "loss": t.number(opened.loss, 4),
        "norm": t.number(opened.grad_norm, 4),
        "rate": t.exact(opened.rate),
        "n": len(opened.batch),
    }
    st.markdown(f"**{view.scene}.** " + t(f"train.one.say.{view.scene}", **details))


def _stops(opened: OpenedStep, recording: Recording) -> list[tuple[int, str]]:
    """The whole way: every scene, and in the fourth every tensor, from the loss backwards."""
    tensors = list(backwards(recording)) if opened.loss_after is not None else [""]
    return [(1, ""), (2, ""), (3, ""), *((4, address) for address in tensors), (5, "")]


def _moves(view: TrainingView, stops: list[tuple[int, str]]) -> None:
    """Forward and back on that way, also with the keys and with a clicker."""
    in_scene = [i for i, (scene, _) in enumerate(stops) if scene == view.scene]
    at = next((i for i in in_scene if stops[i][1] == view.look), in_scene[0])

    def go(to: int) -> None:
        scene, address = stops[to]
        state.go(scene=scene, look=address or view.look, cell=None)

    for name, icon, to, shortcut in (("back", "left", at - 1, "Left"), ("next", "right", at + 1, "Right")):
        st.button(
            view.t(f"train.one.{name}"),
            icon=f":material/chevron_{icon}:",
            key=f"one_{name}",
            type="primary" if name == "next" else "secondary",
            disabled=not 0 <= to < len(stops),
            shortcut=shortcut,
            on_click=lambda to=to: go(to),
        )
    presenter_keys("one", (lambda: go(at + 1)) if at + 1 < len(stops) else None, (lambda: go(at - 1)) if at else None)


def _step_through_link(
    services: Services, view: TrainingView, run: TrainingRun, step: int, recording: Recording
) -> None:
    """Into the step-through: to the beginning, to the gradient in sight, or to the first tensor that is not finite."""
    t = view.t
    bad = first_bad(recording.trace)
    if bad is None:
        place = StepThroughView(lang=view.lang, model=recording.request.model)
        if view.scene == 4 and view.look in recording.trace:
            place = replace(place, step=view.look, grad=True)
        shell.link(t("train.one.open"), place)
        return
    what = "train.one.bad_gradient" if bad.is_gradient else "train.one.bad"
    st.warning(t(what, tensor=f"`{bad.address}`"), icon=":material/bug_report:")
    row = bad.cell[0] if len(bad.cell) > 1 else recording.row
    place = StepThroughView(
        lang=view.lang,
        model=RunStep(run.id, step, row),
        step=bad.address,
        by="op",
        cell=(bad.address, bad.cell),
        grad=bad.is_gradient,
    )
    shell.link(t("train.one.open_bad"), place)
