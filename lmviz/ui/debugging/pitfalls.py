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
from lmviz.ui.debugging.view import FAMILIES, View
from lmviz.ui.debugging.words import code, rate, said
from lmviz.ui.step_through.view import View as Walk
from lmviz.ui.text import Language, integer, text

PREDICTED = "debug.predicted"  # what was predicted, by pitfall


def section(services: Services, view: View) -> None:
    lang = view.lang
    family = PITFALLS[view.pitfall].family if view.pitfall in PITFALLS else view.family
    if view.pitfall and view.pitfall not in PITFALLS:
        shell.left_out(lang, "pitfall")
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.segmented_control(
            text(lang, "pitfall.pick"),
            FAMILIES,
            format_func=lambda name: text(lang, f"pitfall.family.{name}"),
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


def _family(services: Services, view: View) -> None:
    lang = view.lang
    names = [name for name, pitfall in PITFALLS.items() if pitfall.family == view.family]
    chosen = view.pitfall if view.pitfall in names else names[0]
    widgets.pills(
        text(lang, "pitfall.pick"),
        names,
        format_func=lambda name: text(lang, f"pitfall.{name}"),
        label_visibility="collapsed",
        required=True,
        **state.bound("pitfall", shown=chosen, ran=False, cured=False),
    )
    pitfall = PITFALLS[chosen]
    left, right = st.columns([2, 3], gap="large")
    with left:
        _story(view, pitfall)
        _question(view, pitfall)
        with st.container(horizontal=True):
            _buttons(view, pitfall)
    with right:
        shown = st.container()
    _shown(services, view, pitfall, left, shown)


def _story(view: View, pitfall: Pitfall) -> None:
    details: dict[str, object] = {"n_ctx": pitfall.sick.model.n_ctx, "steps": pitfall.sick.training.steps}
    details |= {"n_texts": pitfall.sick.n_texts, "d_model": pitfall.sick.model.d_model}
    details |= {"rate": rate(view.lang, pitfall.sick.training.learning_rate)}
    st.markdown(f"#### {text(view.lang, f'pitfall.{pitfall.name}')}")
    st.markdown(f"**{text(view.lang, f'pitfall.{pitfall.name}.symptom')}**")
    st.markdown(_plain(text(view.lang, f"pitfall.{pitfall.name}.why", **details)))


def _question(view: View, pitfall: Pitfall) -> None:
    """Predict before it runs. What was said stays, and is judged when it has run."""
    asked = ASKED[pitfall.name]
    predicted: dict[str, str] = state.remember(PREDICTED, {})
    if not view.ran:
        question = text(view.lang, f"pitfall.{pitfall.name}.ask")
        widgets.radio(
            text(view.lang, "pitfall.predict", question=question),
            asked.options,
            index=None,
            format_func=lambda option: text(view.lang, f"answer.{option}"),
            key=f"predict.{pitfall.name}",
            on_change=lambda: predicted.update({pitfall.name: st.session_state[f"predict.{pitfall.name}"]}),
        )


def _buttons(view: View, pitfall: Pitfall) -> None:
    st.button(
        text(view.lang, "pitfall.run_sick"),
        icon=":material/bolt:",
        type="secondary" if view.ran else "primary",
        disabled=view.ran,
        key="pitfall.sick",
        on_click=lambda: state.go(ran=True, pitfall=pitfall.name),
    )
    for name, setup in pitfall.cures:
        cure = _cure(view.lang, name, setup)
        st.button(
            text(view.lang, "pitfall.run_cure", cure=cure),
            icon=":material/healing:",
            type="primary" if view.ran and not view.cured else "secondary",
            disabled=view.cured,
            key=f"pitfall.cure.{name}",
            on_click=lambda: state.go(cured=True, pitfall=pitfall.name),
        )


def _cure(lang: Language, name: str, setup: Setup) -> str:
    return text(lang, f"cure.{name}", rate=rate(lang, setup.training.learning_rate))


def _shown(services: Services, view: View, pitfall: Pitfall, left: st.delta_generator.DeltaGenerator,
           right: st.delta_generator.DeltaGenerator) -> None:  # fmt: skip
    """What has run so far: the curves, what it writes, and what the doctor says."""
    lang = view.lang
    sick = {text(lang, "pitfall.sick"): pitfall.sick} if view.ran else {}
    cures = {_cure(lang, name, setup): setup for name, setup in pitfall.cures}
    with right:
        results = {name: _run(services, lang, setup) for name, setup in (sick | cures).items()}
        _curves(lang, pitfall, results)
        if not view.ran:
            st.caption(text(lang, "pitfall.healthy_first"))
        _tables(lang, {name: result for name, result in results.items() if name in sick or view.cured})
    with left:
        if view.ran:
            found = results[text(lang, "pitfall.sick")]
            _judged(lang, pitfall, found)
            _alarms(services, lang, pitfall, found)
        if view.ran and view.cured:
            _beside(services, lang, pitfall, results)


def _beside(services: Services, lang: Language, pitfall: Pitfall, results: dict[str, Result]) -> None:
    """The same training step of the sick and of the cured training, in the step-through."""
    step = min(result.history.last_step for result in results.values() if result.history.losses)
    a, b = (PitfallStep(step, 0, pitfall.name, cure) for cure in ("", pitfall.cures[0][0]))
    place = Walk(lang=lang, model=a, b_model=b, step="logits")
    shell.link(text(lang, "pitfall.beside", step=integer(lang, step)), place)


def _run(services: Services, lang: Language, setup: Setup) -> Result:
    """Run a training, with a bar that shows how far it is; one that ran before is there at once."""
    if services.pitfalls.has_run(setup):
        return services.pitfalls.result(setup)
    place = st.empty()
    steps = setup.training.steps

    def waiting(before: int) -> None:
        place.progress(0.0, text(lang, "pitfall.waiting", n=before))

    def watch(snapshot: Snapshot) -> None:
        if snapshot.step % max(1, steps // 25) == 0:
            done = text(lang, "pitfall.running", step=integer(lang, snapshot.step), steps=integer(lang, steps))
            place.progress(snapshot.step / steps, done)

    result = services.pitfalls.result(setup, watch, waiting)
    place.empty()
    return result


def _curves(lang: Language, pitfall: Pitfall, results: dict[str, Result]) -> None:
    levels = {}
    if pitfall.sick.vocabulary == "own":
        whole = list(results.values())[-1].baselines  # of the texts that the cured training has
        levels = {text(lang, f"pitfall.{name}"): getattr(whole, name) for name in ("uniform", "unigram", "bigram")}
    true = pitfall.name in ("not_shifted", "too_long") or pitfall.family == "poor_predictions"
    title = "pitfall.held_out" if pitfall.family == "poor_predictions" else "pitfall.true_chart"
    words = (text(lang, "pitfall.step"), text(lang, "pitfall.nats"))
    st.markdown(f"**{text(lang, 'pitfall.chart')}**")
    losses = {text(lang, "pitfall.sick"): ()} | {name: result.history.losses for name, result in results.items()}
    shared.show(charts.curves(losses, *words, levels, height=250 if true else 300), lang, "pitfall.curve")
    if true:
        st.markdown(f"**{text(lang, title)}**")
        judged = {text(lang, "pitfall.sick"): ()} | {name: result.judged for name, result in results.items()}
        shared.show(charts.curves(judged, *words, levels, height=230), lang, "pitfall.true")
    for name, result in results.items():
        if result.diverged_at is not None:
            st.warning(text(lang, "pitfall.broke", name=name, step=integer(lang, result.diverged_at)))


def _tables(lang: Language, results: dict[str, Result]) -> None:
    """Side by side: what each writes, its losses, and how much of it is copied."""
    if not results:
        return
    for column, (name, result) in zip(st.columns(len(results)), results.items(), strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{name}**")
            st.markdown(" ".join(code(sample) for sample in result.samples) or code(""))
            rows = [(text(lang, "pitfall.true_loss"), _loss(lang, result.true_loss))]
            if result.held_out_loss is not None:
                rows.append((text(lang, "pitfall.held_out"), _loss(lang, result.held_out_loss)))
            if result.endings:
                rows.append((text(lang, "pitfall.endings"), " ".join(map(code, result.endings))))
            all_samples = len(result.samples)
            rows.append((text(lang, "pitfall.copies"), text(lang, "pitfall.of", n=result.n_copied, all=all_samples)))
            if result.longest_copy:
                rows.append((text(lang, "pitfall.longest_copy"), code(result.longest_copy)))
            lines = (text(lang, "pitfall.line", label=label, value=value) for label, value in rows)
            st.markdown("\n".join(f"- {line}" for line in lines))


def _judged(lang: Language, pitfall: Pitfall, sick: Result) -> None:
    """Whether the prediction was right."""
    said_before = state.remember(PREDICTED, {}).get(pitfall.name)
    if said_before is None:
        return
    question = ASKED[pitfall.name].question(sick)
    right = str(question.options[question.answer])
    words = text(lang, f"answer.{right}")
    if said_before == right:
        st.success(text(lang, "pitfall.right", words=words), icon=":material/check:")
        state.remember("debug.done", set()).add(f"pitfall.{pitfall.name}")
    else:
        st.info(text(lang, "pitfall.wrong", words=words), icon=":material/lightbulb:")


def _alarms(services: Services, lang: Language, pitfall: Pitfall, sick: Result) -> None:
    told = [finding for finding in sick.findings if finding.holds is False]
    told.sort(key=lambda finding: finding.check not in pitfall.findings)
    st.markdown(f"**{text(lang, 'pitfall.doctor')}**")
    for finding in told[:2]:
        seen = services.doctor.seen_in_pitfall(pitfall.name, finding, sick.diverged_at or sick.history.last_step)
        cards.alarm(lang, finding, cards.walk(lang, seen), seen.step)
    if not told:
        st.markdown(text(lang, "pitfall.nothing"))


def _loss(lang: Language, loss: float) -> str:
    return said(lang, loss) if math.isfinite(loss) else "NaN"


def _plain(words: str) -> str:
    """Markdown in which <unk> is text."""
    return words.replace("<unk>", "`<unk>`")
