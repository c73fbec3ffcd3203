"""A run as it goes on: its curve, how far it is, what it writes, and what can be done with it."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.services.services import Services
from lmviz.train.store.run_table import TrainingRun
from lmviz.train.store.series import spread
from lmviz.ui import replay, shell, state, widgets
from lmviz.ui.course import bar
from lmviz.ui.text import code, shortened, visible
from lmviz.ui.training import curves, manage, one_step, owner, past, whole, words
from lmviz.ui.training.view import TrainingView

_LARGEST_LOSS = 30.0  # nats of which a perplexity still says something
REDRAW_SECONDS = 0.46  # seconds between two looks at a run: twice a second, and no more than that costs the run
SILENT = 5.0  # seconds after which it is said that a run's process is not heard
_EVENTS_SHOWN = 3
_SAMPLES_SHOWN = 5  # steps whose samples are shown
TABS = ("", "curves", "time", "step", "compare", "export")
_WITH_CHART = ("", "compare")


def watch(services: Services, view: TrainingView, row: st.delta_generator.DeltaGenerator) -> None:
    """What can be done with the run, what there is to look at, the live part, and what was chosen."""
    t = view.t
    run = services.models.runs.get(view.run)
    state.keep("train.drawn", _drawn(services, view, run))
    every = replay.pace("train", REDRAW_SECONDS) if run.is_active else None
    with row:
        manage.buttons(services, view, run)
    failure_notice(view, run)
    history(services, view, run)
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.segmented_control(
            t("train.tabs"),
            TABS,
            format_func=lambda tab: t(f"train.tab.{tab or 'loss'}"),
            label_visibility="collapsed",
            required=True,
            **state.bound("tab"),
        )
        if view.tab in _WITH_CHART:
            st.space("stretch")
            for name, shown in (
                ("log", curves.is_log(services, view, run)),
                ("log_steps", curves.is_log_steps(view, run)),
            ):
                st.toggle(t(f"train.{name}"), help=t(f"train.{name}.help"), **state.bound(name, shown=shown))
    st.fragment(live, run_every=every)(services)
    if view.tab in whole.TABS:
        st.fragment(whole.picture, run_every=whole.REDRAW_SECONDS if run.is_active else None)(services)
    below(services, view, run, every)


def _drawn(services: Services, view: TrainingView, run: TrainingRun) -> tuple[object, ...]:
    """What the whole page hangs on: where it changes, the live part alone is not enough."""
    return view.run, view.tab, view.opened, run.name, run.wanted, run.is_active, curves.is_log(services, view, run)


def below(services: Services, view: TrainingView, run: TrainingRun, every: float | None) -> None:
    """What belongs to the chosen tab."""
    try:
        if view.tab == "curves":
            st.fragment(curves.all_curves, run_every=every and 2 * every)(services)
        elif view.tab == "time":
            past.time_travel(services, view, run)
        elif view.tab == "step":
            one_step.one_step(services, view, run)
        elif view.tab == "compare":
            manage.compare(services, view, run)
        elif view.tab == "export":
            manage.export(services, view, run)
    except UserError as error:
        st.error(view.t.error(error))


def live(services: Services) -> None:
    """Drawn anew a few times a second while the run goes on."""
    view = state.view(TrainingView)
    with replay.look("train"):
        try:
            _live(services, view)
        except UserError as error:  # deleted meanwhile, perhaps from another window; or the store is locked
            st.error(view.t.error(error))
    bar.follow()


def _live(services: Services, view: TrainingView) -> None:
    if not view.run:
        st.rerun()
    run = services.models.runs.get(view.run)
    if _drawn(services, view, run) != state.remember("train.drawn", ()):
        st.rerun()
    services.models.runs.warm()  # who waits in the queue goes on, whatever became of the process before
    _silence_notice(services, view, run)
    if run.state == "queued":
        st.caption(":material/hourglass_top: " + view.t("train.queued", place=run.queue_place))
    if view.tab in _WITH_CHART:
        chart, side = st.columns([0.68, 0.32], gap="medium")
        with chart:
            curves.jump(services, view, run)
            curves.loss(services, view, run)
            progress(view, run)
        side.html(facts(services, view, run) + samples(services, view, run))
    elif run.is_active:  # in little room: something else is looked at
        left, right = st.columns([0.25, 0.75], vertical_alignment="center")
        left.html(facts(services, view, run))
        with right:
            progress(view, run)


def facts(services: Services, view: TrainingView, run: TrainingRun) -> str:
    """The loss, and on which texts: of the whole batch where that is all of them, else what was measured beside it; the
    loss of a few windows says little."""
    t = view.t
    step = f"{t.integer(run.step)} / {t.integer(run.steps)}"
    batch = "–" if run.loss is None else t.number(run.loss, 3)
    whole = not curves.is_in_batches(run)
    named = [(t("train.loss" if whole else "train.loss.batch"), batch), (t("train.step"), step)]
    loss, measured = run.loss, run.step
    for metric in () if whole else ("held_out_loss", "measured_loss"):
        found = curves.series(services, run, metric, curves.MEASURED_POINTS)
        if len(found):
            loss, measured = float(found.numbers[-1]), int(found.steps[-1])
            named.insert(0, (_at(view, run, f"train.loss.{metric}", measured), t.number(loss, 3)))
    if loss is not None and loss < _LARGEST_LOSS:
        named.append((_at(view, run, "train.perplexity", measured), t.number(math.exp(loss), 2)))
    right = curves.series(services, run, "accuracy", curves.MEASURED_POINTS)
    if len(right):
        named.append((_at(view, run, "train.accuracy", int(right.steps[-1])), t.percent(float(right.numbers[-1]))))
    return words.facts(named)


def _at(view: TrainingView, run: TrainingRun, key: str, step: int) -> str:
    """What a number is called; with the step at which it was measured, if the run has gone on since."""
    t = view.t
    name = t(key)
    return name if step == run.step else t("train.measured_at", name=name, step=t.integer(step))


def failure_notice(view: TrainingView, run: TrainingRun) -> None:
    """Why the run stopped, and the door to the step that could not be made."""
    t = view.t
    if run.why is None:
        return
    st.error(t.error(run.why))
    if "grad_norm" in run.details and view.tab != "step":
        step = run.details["step"]
        st.button(
            t("train.open_bad", step=t.integer(step)),
            icon=":material/bug_report:",
            key="open_bad",
            on_click=lambda: state.go(tab="step", opened=step, scene=2, cell=None),
        )


def history(services: Services, view: TrainingView, run: TrainingRun) -> None:
    """What happened to its files: checkpoints that gave way, or were damaged; numbers that the disk lost."""
    told = [
        event.why for event in services.models.runs.events(run.id) if event.kind in ("damaged", "thinned") and event.why
    ]
    for why in told[-_EVENTS_SHOWN:]:
        shell.note(view.t.error(why))
    if lost := services.models.runs.damaged(run.id):
        shell.note(view.t("train.damaged", metrics=code(", ".join(sorted(lost)))))


def _silence_notice(services: Services, view: TrainingView, run: TrainingRun) -> None:
    """That its process is not heard any more, and the way to end it."""
    if run.state != "running" or (seconds := services.models.runs.seconds_silent(run.id)) < SILENT:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        from lmviz.train.store.liveness import SILENT as ENDED_AFTER

        st.warning(view.t("train.silent", n=round(seconds), limit=round(ENDED_AFTER)))
        if owner.has_confirmed(run) and run.wanted is None:  # else the way to end it stands above
            end = view.t("train.do.end")
            st.button(end, key="end_silent", icon=":material/dangerous:",
                      on_click=lambda: manage.attempt(lambda: services.models.runs.end(run.id)))  # fmt: skip


def progress(view: TrainingView, run: TrainingRun) -> None:
    """A bar, the time that is left, tokens a second."""
    t = view.t
    if run.state == "running" and run.seconds_left is not None:
        words_left = t("train.left", time=clock(run.seconds_left), pace=t.integer(round(run.pace or 0)))
    elif run.state == "running":
        words_left = t("train.starting")
    else:
        words_left = t(f"train.state.{run.state}", time=clock(run.seconds))
    st.progress(min(1.0, run.step / run.steps), text=words_left)


def samples(services: Services, view: TrainingView, run: TrainingRun) -> str:
    """What the model writes, the newest first, spread over the whole run, as HTML."""
    t = view.t
    found = services.models.runs.samples(run.id)
    by_step: dict[int, list[Any]] = {}
    for one in found:
        by_step.setdefault(one.step, []).append(one)
    if not by_step:
        return ""
    shown = spread(sorted(by_step, reverse=True), _SAMPLES_SHOWN)
    lines = "".join(
        f"<b>{t.integer(step)}</b><span>"
        + "".join(f"<em>{words.escaped(visible(shortened(one.text)))}</em>" for one in by_step[step])
        + "</span>"
        for step in shown
    )
    prompt = f"<code>{words.escaped(visible(found[0].prompt))}</code>"
    said = words.escaped(t("train.samples", prompt="{}")).replace("{}", prompt)
    return f'<p class="lt-said">{said}</p><div class="lt-samples">{lines}</div>'


def clock(seconds: float) -> str:
    """
    >>> clock(75)
    '1:15'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
