"""The guide's pitfalls: predict, let it go wrong, cure it. All of it really runs."""

from __future__ import annotations

import math
from dataclasses import replace

import streamlit as st

from lmviz.debug.exercises.pitfalls import ASKED
from lmviz.debug.pitfalls.catalogue import PITFALLS, Pitfall
from lmviz.debug.pitfalls.run import Result
from lmviz.debug.pitfalls.setup import Setup
from lmviz.registry.lesson_step import PitfallStep
from lmviz.services.services import Services
from lmviz.train.loop import Snapshot
from lmviz.ui import charts as shared
from lmviz.ui import shell, state, widgets
from lmviz.ui.debugging import cards, charts, memory, tips
from lmviz.ui.debugging.view import FAMILIES, DebuggingView
from lmviz.ui.debugging.words import code, rate, value_text
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator

_PREDICTED = "debug.predicted"  # what was predicted, by pitfall


def section(services: Services, view: DebuggingView) -> None:
    t = view.t
    family = PITFALLS[view.pitfall].family if view.pitfall in PITFALLS else view.family
    if view.pitfall and view.pitfall not in PITFALLS:
        shell.left_out(t, "pitfall")
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.segmented_control(
            t("pitfall.pick"),
            FAMILIES,
            format_func=lambda name: t(f"pitfall.family.{name}"),
            label_visibility="collapsed",
            required=True,
            **state.bound("family", shown=family, pitfall="", ran=False, cured=False),
        )
    if family == "memory":
        memory.section(services, view)
    elif family == "tips":
        tips.section(services, view)
    else:
        _family(services, replace(view, family=family))


def _family(services: Services, view: DebuggingView) -> None:
    t = view.t
    names = [name for name, pitfall in PITFALLS.items() if pitfall.family == view.family]
    chosen = view.pitfall if view.pitfall in names else names[0]
    widgets.pills(
        t("pitfall.pick"),
        names,
        format_func=lambda name: t(f"pitfall.{name}"),
        label_visibility="collapsed",
        required=True,
        **state.bound("pitfall", shown=chosen, ran=False, cured=False),
    )
    pitfall = PITFALLS[chosen]
    left, right = st.columns([2, 3], gap="large")
    with left:
        _description(view, pitfall)
        _question(view, pitfall)
        with st.container(horizontal=True):
            _buttons(view, pitfall)
    with right:
        shown = st.container()
    _shown(services, view, pitfall, left, shown)


def _description(view: DebuggingView, pitfall: Pitfall) -> None:
    """What is done; what comes of it, and why, once it has run."""
    t = view.t
    details: dict[str, object] = {"n_ctx": pitfall.faulty.model.n_ctx, "steps": pitfall.faulty.training.steps}
    details |= {"n_texts": pitfall.faulty.n_texts, "d_model": pitfall.faulty.model.d_model}
    details |= {"rate": rate(t, pitfall.faulty.training.learning_rate)}
    st.markdown(f"## {t(f'pitfall.{pitfall.name}')}")
    if not (view.ran or view.cured):  # what comes of it is what is asked
        st.markdown(t(f"pitfall.{pitfall.name}.setup", **details))
        return
    st.markdown(f"**{_plain(t(f'pitfall.{pitfall.name}.symptom'))}**")
    st.markdown(_plain(t(f"pitfall.{pitfall.name}.why", **details)))


def _question(view: DebuggingView, pitfall: Pitfall) -> None:
    """Predict before it runs. What was said stays, and is judged when it has run."""
    t = view.t
    asked = ASKED[pitfall.name]
    predicted: dict[str, str] = state.remember(_PREDICTED, {})
    if not (view.ran or view.cured):
        question = t(f"pitfall.{pitfall.name}.ask")
        widgets.radio(
            t("pitfall.predict", question=question),
            asked.options,
            index=None,
            format_func=lambda option: t(f"answer.{option}"),
            key=f"predict.{pitfall.name}",
            on_change=lambda: predicted.update({pitfall.name: st.session_state[f"predict.{pitfall.name}"]}),
        )


def _buttons(view: DebuggingView, pitfall: Pitfall) -> None:
    t = view.t
    st.button(
        t("pitfall.run_sick"),
        icon=":material/bolt:",
        type="secondary" if view.ran else "primary",
        disabled=view.ran,
        key="pitfall.sick",
        on_click=lambda: state.go(ran=True, pitfall=pitfall.name),
    )
    for name, setup in pitfall.cures:
        cure = _cure(t, name, setup)
        st.button(
            t("pitfall.run_cure", cure=cure),
            icon=":material/healing:",
            type="primary" if view.ran and not view.cured else "secondary",
            disabled=view.cured or not view.ran,
            key=f"pitfall.cure.{name}",
            on_click=lambda: state.go(cured=True, pitfall=pitfall.name),
        )


def _cure(t: Translator, name: str, setup: Setup) -> str:
    return t(f"cure.{name}", rate=rate(t, setup.training.learning_rate))


def _shown(services: Services, view: DebuggingView, pitfall: Pitfall, left: st.delta_generator.DeltaGenerator,
           right: st.delta_generator.DeltaGenerator) -> None:  # fmt: skip
    """What has run so far: the curves, what it writes, and what the doctor says."""
    t = view.t
    faulty = {t("pitfall.sick"): pitfall.faulty} if view.ran else {}
    cures = {_cure(t, name, setup): setup for name, setup in pitfall.cures if view.cured}
    with right:
        if not faulty and not cures:
            st.caption(t("pitfall.not_run"))
            return
        results = {name: _run(services, t, setup) for name, setup in (faulty | cures).items()}
        _curves(t, pitfall, results)
        _tables(t, results)
    with left:
        if view.ran:
            found = results[t("pitfall.sick")]
            _judged(t, pitfall, found)
            _alarms(services, t, pitfall, found)
        if view.ran and view.cured:
            _beside(services, t, pitfall, results)


def _beside(services: Services, t: Translator, pitfall: Pitfall, results: dict[str, Result]) -> None:
    """The same training step of the sick and of the cured training, in the step-through."""
    step = min(result.history.last_step for result in results.values() if result.history.losses)
    a, b = (PitfallStep(step, 0, pitfall.name, cure) for cure in ("", pitfall.cures[0][0]))
    place = StepThroughView(lang=t.language, model=a, b_model=b, step="logits")
    shell.link(t("pitfall.beside", step=t.integer(step)), place)


def _run(services: Services, t: Translator, setup: Setup) -> Result:
    """Run a training, with a bar that shows how far it is; one that ran before is there at once."""
    if services.pitfalls.has_run(setup):
        return services.pitfalls.result(setup)
    place = st.empty()
    steps = setup.training.steps

    def waiting(before: int) -> None:
        place.progress(0.0, t("pitfall.waiting", n=before))

    def watch(snapshot: Snapshot) -> None:
        if snapshot.step % max(1, steps // 25) == 0:
            done = t("pitfall.running", step=t.integer(snapshot.step), steps=t.integer(steps))
            place.progress(snapshot.step / steps, done)

    result = services.pitfalls.result(setup, watch, waiting)
    place.empty()
    return result


def _curves(t: Translator, pitfall: Pitfall, results: dict[str, Result]) -> None:
    levels = {}
    if pitfall.faulty.vocabulary == "own":
        whole = list(results.values())[-1].baselines  # of the cured training's texts, once it has run
        levels = {t(f"pitfall.{name}"): getattr(whole, name) for name in ("uniform", "unigram", "bigram")}
    true = pitfall.name in ("not_shifted", "too_long") or pitfall.family == "poor_predictions"
    title = "pitfall.held_out" if pitfall.family == "poor_predictions" else "pitfall.true_chart"
    words = (t("pitfall.step"), t("pitfall.nats"))
    losses = {t("pitfall.sick"): ()} | {name: result.history.losses for name, result in results.items()}
    judged = {t("pitfall.sick"): ()} | {name: result.judged for name, result in results.items()}
    shown = [("pitfall.chart", losses, "pitfall.curve"), *([(title, judged, "pitfall.true")] if true else [])]
    if pitfall.family == "poor_predictions":  # which are told by new texts
        shown.reverse()
    for i, (heading, curves, key) in enumerate(shown):
        st.markdown(f"**{t(heading)}**")
        height = 300 if not true else 230 if i else 250
        shared.show(charts.curves(curves, *words, levels, height=height), t, key)
    for name, result in results.items():
        if result.diverged_at is not None:
            st.warning(t("pitfall.broke", name=name, step=t.integer(result.diverged_at)))


def _tables(t: Translator, results: dict[str, Result]) -> None:
    """Side by side: what each writes, its losses, and how much of it is copied."""
    if not results:
        return
    for column, (name, result) in zip(st.columns(len(results)), results.items(), strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{name}**")
            st.markdown(" ".join(code(sample) for sample in result.samples) or code(""))
            rows = [(t("pitfall.true_loss"), _loss(t, result.true_loss))]
            if result.held_out_loss is not None:
                rows.append((t("pitfall.held_out"), _loss(t, result.held_out_loss)))
            if result.endings:
                rows.append((t("pitfall.endings"), " ".join(map(code, result.endings))))
            all_samples = len(result.samples)
            rows.append((t("pitfall.copies"), t("pitfall.of", n=result.n_copied, all=all_samples)))
            if result.longest_copy:
                rows.append((t("pitfall.longest_copy"), code(result.longest_copy)))
            lines = (t("pitfall.line", label=label, value=value) for label, value in rows)
            st.markdown("\n".join(f"- {line}" for line in lines))


def _judged(t: Translator, pitfall: Pitfall, faulty: Result) -> None:
    """Whether the prediction was right."""
    said_before = state.remember(_PREDICTED, {}).get(pitfall.name)
    if said_before is None:
        return
    question = ASKED[pitfall.name].question(faulty)
    right = str(question.options[question.answer])
    words = t(f"answer.{right}")
    if said_before == right:
        st.success(t("pitfall.right", words=words), icon=":material/check:")
        state.remember("debug.done", set()).add(f"pitfall.{pitfall.name}")
    else:
        st.info(t("pitfall.wrong", words=words), icon=":material/lightbulb:")


def _alarms(services: Services, t: Translator, pitfall: Pitfall, faulty: Result) -> None:
    told = [finding for finding in faulty.findings if finding.holds is False]
    told.sort(key=lambda finding: finding.check not in pitfall.findings)
    st.markdown(f"**{t('pitfall.doctor')}**")
    for finding in told[:2]:
        seen = services.doctor.place_in_pitfall(pitfall.name, finding, faulty.diverged_at or faulty.history.last_step)
        cards.alarm(t, finding, cards.step_through_place(t, seen), seen.step)
    if not told:
        st.markdown(t("pitfall.nothing"))


def _loss(t: Translator, loss: float) -> str:
    return value_text(t, loss) if math.isfinite(loss) else "NaN"


def _plain(words: str) -> str:
    """Markdown in which <unk> is text."""
    return words.replace("<unk>", "`<unk>`")
