"""The doctor: a model, a training of the store, or a log that someone pastes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from lmviz.debug.doctor.history import History
from lmviz.errors import UserError
from lmviz.registry.bug import WithBug
from lmviz.registry.folder import Folder
from lmviz.registry.kinds import read_reference
from lmviz.registry.reference import Reference
from lmviz.services.services import Services
from lmviz.ui import charts as shared
from lmviz.ui import choices, replay, shell, state, widgets
from lmviz.ui.debugging import cards, charts, log, words
from lmviz.ui.debugging.view import WAYS, DebuggingView
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.training.view import TrainingView

_OF_THE_END = ("is_done", "beats_counting")  # checks of a training that is over
REDRAW_SECONDS = 2.0  # seconds between two looks at a running training
_FAULTY_EXAMPLE = WithBug("no_mask", Folder("simple-llm"))  # a model to try the doctor on


def section(services: Services, view: DebuggingView) -> None:
    t = view.t
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.segmented_control(
            t("doctor.way"),
            WAYS,
            format_func=lambda way: t(f"doctor.way.{way}"),
            label_visibility="collapsed",
            required=True,
            **state.bound("way"),
        )
        if view.way == "model":
            choices.model(services, t, view.model, prompt=None, target=None)
            _own_folder(view)
        elif view.way == "run":
            _runs(services, view)
    {"model": _model, "run": _run, "log": _log}[view.way](services, view)


def _own_folder(view: DebuggingView) -> None:
    t = view.t
    with st.popover(t("doctor.own"), icon=":material/folder_open:"):
        st.text_input(
            t("doctor.own"),
            help=t("doctor.own_help"),
            key="doctor.own",
            on_change=lambda: _open(st.session_state["doctor.own"]),
        )


def _model(services: Services, view: DebuggingView) -> None:
    t = view.t
    with st.spinner(t("doctor.examining")):
        examined = services.doctor.examine(view.model)
    cards.summary(t, examined.findings)
    if not any(finding.holds is False for finding in examined.findings):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.success(t("doctor.healthy"), icon=":material/favorite:", width=widgets.px(420))
            st.button(
                t("doctor.sick"),
                icon=":material/sick:",
                key="doctor.sick",
                on_click=lambda: state.go(way="model", model=_FAULTY_EXAMPLE, prompt=None),
            )
    cards.cards(t, examined.findings, look(services, view.model, examined.prompt))
    with st.expander(t("doctor.drawing"), icon=":material/casino:"):
        _drawing(services, view)


def _open(written: str) -> None:
    """A model of the visitor's own, by its folder."""
    if written.strip():
        state.go(model=read_reference(written.strip()), prompt=None)


def _drawing(services: Services, view: DebuggingView) -> None:
    """Temperature and top-k, what they leave to choose from, and what the model writes with them."""
    t = view.t
    with st.container(horizontal=True):
        st.number_input(
            t("doctor.temperature"), 0.0, 100.0, step=0.1, width=widgets.px(180), **state.bound("temperature")
        )
        st.number_input(t("doctor.top_k"), 0, 1_000_000, width=widgets.px(180), **state.bound("top_k"))
    drawn = services.doctor.sample_text(view.model, view.temperature, view.top_k)
    st.markdown(t("doctor.written", text=words.code(drawn.text)))
    finding = drawn.finding
    if why := finding.details["why"]:
        details = {"d_vocab": words.value_text(t, float(str(finding.details["d_vocab"])))}
        details["repeats"] = words.value_text(t, float(str(finding.details["repeats"])), share=True)
        st.warning(t(f"doctor.sampling.{why}", **details))
        prompt = services.models.first_prompt(view.model)
        place = StepThroughView(lang=t.language, model=view.model, prompt=prompt, step="probabilities",
                     temperature=min(10.0, max(0.01, view.temperature)))  # fmt: skip
        cards.alarm(t, finding, place)
    else:
        st.success(f"**{words.about(t, finding, 'title')}** · {words.measured(t, finding)}")


def look(services: Services, model: Reference, prompt: str) -> cards.PlaceOf:
    """From a finding on a model to where it can be seen."""
    return lambda finding: services.doctor.place_of(model, prompt, finding)


def _runs(services: Services, view: DebuggingView) -> None:
    found = {run.id: run.name for run in services.models.runs.all()}
    if not found:
        return
    widgets.selectbox(
        view.t("doctor.run"),
        list(found),
        format_func=lambda run: found[run],
        label_visibility="collapsed",
        width=280,
        **state.bound("run", shown=view.run if view.run in found else next(iter(found))),
    )


def _run(services: Services, view: DebuggingView) -> None:
    """The curves of a training, looked at again and again while it goes on; when it is over, its model too."""
    t = view.t
    found = {run.id: run for run in services.models.runs.all()}
    if not found:
        st.info(t("doctor.no_runs"))
        shell.link(t("doctor.start"), TrainingView(lang=view.lang), "training")
        return
    run = found[view.run] if view.run in found else next(iter(found.values()))
    every = replay.pace("doctor", REDRAW_SECONDS) if run.is_active else None
    st.fragment(_watched, run_every=every)(services, run.id, every is not None)
    if every is None and (model := services.doctor.last_model(run.id)):
        st.markdown(f"## {t('doctor.the_model')}")
        _model(services, replace(view, model=model))


def _watched(services: Services, run: str, goes_on: bool) -> None:
    """What the rules say of a run as it is now."""
    with replay.look("doctor"):
        _looked(services, run, goes_on)


def _looked(services: Services, run: str, goes_on: bool) -> None:
    view = state.view(DebuggingView)
    t = view.t
    try:
        now = services.models.runs.get(run)
        if goes_on and not now.is_active:
            st.rerun()
        history = services.doctor.history(run)
    except UserError as error:  # deleted meanwhile
        st.error(t.error(error))
        return
    if goes_on:
        at = {"step": t.integer(now.step), "steps": t.integer(now.steps)}
        st.markdown(f":blue[:material/sync:] {t('doctor.goes_on', **at)}")
    if history.losses:
        _diagnosed(services, view, history, lambda finding: services.doctor.place_in_run(run, finding), goes_on=goes_on)
    else:
        st.info(t("doctor.why_not.too_short"))


def _log(services: Services, view: DebuggingView) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        read = log.section(services, view)
    if read is not None:
        with right:
            _diagnosed(
                services, view, read.history, axis="doctor.role.epoch" if read.axis == "epoch" else "pitfall.step"
            )


def _diagnosed(
    services: Services,
    view: DebuggingView,
    history: History,
    look: cards.PlaceOf = cards.nowhere,
    axis: str = "pitfall.step",
    goes_on: bool = False,
) -> None:
    """Curves with the stretches that the alarms are about, and the alarms.

    Args:
        axis: the key of what the steps are called.
        goes_on: it still trains, so that its end cannot be judged.
    """
    t = view.t
    findings = [one for one in services.doctor.diagnose(history) if not (goes_on and one.check in _OF_THE_END)]
    lines: dict[str, Sequence[tuple[int, float]]] = {t("train.chart.train"): history.losses}
    if history.held_out:
        lines[t("train.chart.held_out")] = history.held_out
    alarms = [finding for finding in findings if finding.holds is False]
    letters = cards.lettered(alarms)
    spans = {letters.get(f.check, ""): f.steps for f in alarms if f.steps is not None}
    chart = charts.curves(lines, t(axis), t("pitfall.nats"), spans=spans)
    shared.show(chart, t, "doctor.curve")
    cards.summary(t, findings)
    cards.cards(t, findings, look, letters)
