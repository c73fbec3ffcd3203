"""Predict first: the question of the stage that one is at, closed until somebody wants it."""

from __future__ import annotations

import re

import streamlit as st

from lmviz.debug.exercises.question import Question
from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Location
from lmviz.ui import state
from lmviz.ui.questions import ask, question_about
from lmviz.ui.step_through.view import StepThroughView

OPENED = "predict"  # the key of what opens
_ELSEWHERE = "predict.elsewhere"
ANSWERED = "predict.answered"  # by run and question


def is_open(view: StepThroughView) -> bool:
    """Whether somebody wants to predict."""
    return not view.present and bool(st.session_state.get(OPENED))


def awaits(run: Recording, view: StepThroughView, location: Location) -> bool:
    """Whether a question about the stage is open and not answered yet: what is said would give its answer away."""
    asked = _question(run, location) if is_open(view) else None
    return asked is not None and _key(run, asked) not in state.remember(ANSWERED, {})


def ask_elsewhere(answer: str) -> None:
    """The course asks something, to which this is the right answer; empty: it asks nothing."""
    state.keep(_ELSEWHERE, answer)


def is_given_away(said: str) -> bool:
    """Whether a sentence tells what the course asks, while a chapter is on the way."""
    answer = state.remember(_ELSEWHERE, "") if state.course().chapter else ""
    return answer != "" and re.search(rf"(?<![\w.,]){re.escape(answer)}(?![\w]|[.,]\d)", said) is not None


def at_stage(run: Recording, view: StepThroughView, location: Location) -> None:
    """What this run can ask about the stage; nothing in front of a room."""
    if view.present:
        return
    t = view.t
    with st.expander(t("exercise.predict"), icon=":material/psychology_alt:", key=OPENED, on_change="rerun") as shown:
        if not shown.open:
            return
        asked = _question(run, location)
        if asked is None:
            st.caption(t("exercise.none"))
            return
        key, answered = _key(run, asked), state.remember(ANSWERED, {})

        def answer(chosen: int) -> None:
            answered[key] = chosen

        ask(t, asked, run.tokens.pieces, f"predict.{key}", answered.get(key), answer)


def _question(run: Recording, location: Location) -> Question | None:
    return question_about(run, run.navigator.stage(location).kind)


def _key(run: Recording, asked: Question) -> str:
    return f"{run.request.model}|{run.request.prompt}|{run.request.target}|{asked.about}"
