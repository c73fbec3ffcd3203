"""Predict, then reveal: a question for each stage of the walk and each pitfall, with a tick and a bar."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lmviz.debug.exercises.pitfalls import ASKED, memory_question
from lmviz.debug.exercises.question import Question
from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.registry.recording import Request
from lmviz.services.services import Services
from lmviz.ui import choices, own_text, shell, state, widgets
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.questions import ask, questions_of
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator

DONE, ANSWERED = "debug.done", "debug.answered"
TARGETS = {
    "simple-llm": "mat",
    "small-ever": "Creatrice",
    "pokemon": "a",
    "names": "y",
    "names-llama": "y",
    "sentences": " mat",
}


def section(services: Services, view: DebuggingView) -> None:
    t = view.t
    prompt = view.prompt if view.prompt is not None else services.models.first_prompt(view.model)
    target = view.target if view.target is not None else TARGETS.get(str(view.model), "")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choices.model(services, t, view.model, prompt=None, target=None)
        own_text.field(services, t, view.model, "prompt", prompt, t("exercise.text"), max_chars=100, width=280)
        st.text_input(t("exercise.target"), max_chars=30, width=widgets.px(150), **state.bound("target", shown=target))
    run = services.models.record(Request(view.model, prompt, target))
    asked = [*questions_of(run), memory_question(run.checkpoint.config, 8)]
    done: set[str] = state.remember(DONE, set())
    keys = [f"{question.name}.{question.about}" for question in asked] + [f"pitfall.{name}" for name in ASKED]
    _progress(t, sum(key in done for key in keys), len(keys))
    st.markdown(t("exercise.say"))
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(f"## {t('exercise.walk')}")
        for question in asked:
            _ask(view, question, f"{view.model}|{prompt}|{target}",
                run.tokens.pieces,
                done, StepThroughView(lang=t.language, model=view.model,
                 prompt=prompt, target=target, step=question.where))  # fmt: skip
    with right:
        st.markdown(f"## {t('exercise.pitfalls')}")
        for name in ASKED:
            _pitfall(view, name, f"pitfall.{name}" in done)


def _progress(t: Translator, done: int, all_: int) -> None:
    st.progress(done / all_, t("exercise.progress", done=done, all=all_))
    if done == all_:
        st.success(t("exercise.all_done"), icon=":material/trophy:")


def _ask(
    view: DebuggingView, question: Question, run: str, pieces: Sequence[str], done: set[str], place: StepThroughView
) -> None:
    """One question. The first answer counts; a wrong one is told, and can be tried on another text."""
    key = f"{question.name}.{question.about}"
    answered: dict[str, int] = state.remember(ANSWERED, {})
    here = f"{run}|{key}"

    def answer(chosen: int) -> None:
        answered[here] = chosen
        if question.is_right(chosen):
            done.add(key)

    with st.container(border=True):
        tick = ":green[:material/check_circle:] " if key in done else ""
        ask(view.t, question, pieces, f"ask.{here}", answered.get(here), answer, tick)
        if here in answered and question.where:
            shell.link(view.t("exercise.see"), place)


def _pitfall(view: DebuggingView, name: str, is_done: bool) -> None:
    t = view.t
    tick = ":green[:material/check_circle:]" if is_done else ":gray[:material/radio_button_unchecked:]"
    with st.container(border=True):
        st.markdown(f"{tick} **{t(f'pitfall.{name}')}** · {t(f'pitfall.{name}.ask')}")
        st.button(
            t("exercise.go_pitfall"),
            key=f"exercise.{name}",
            icon=":material/bolt:",
            on_click=lambda: state.go(
                section="pitfalls", family=PITFALLS[name].family, pitfall=name, ran=False, cured=False
            ),
        )
