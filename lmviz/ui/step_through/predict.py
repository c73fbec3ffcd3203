"""Predict first: the question of the stage that one is at, closed until somebody wants it."""

from __future__ import annotations

import re

import streamlit as st

from lmviz.debug.exercises.question import Question
from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Location
from lmviz.ui import state
from lmviz.ui.questions import ask, question_about
from lmviz.ui.step_through.scene_types import Picture, Place, StageStop, Words
from lmviz.ui.step_through.view import StepThroughView

OPENED = "predict"  # the key of what opens
_ELSEWHERE = "predict.elsewhere"
ANSWERED = "predict.answered"  # by run and question


def is_open(view: StepThroughView) -> bool:
    """Whether somebody wants to predict."""
    return not view.present and bool(st.session_state.get(OPENED))


def awaited(run: Recording, view: StepThroughView, location: Location) -> Question | None:
    """The question about the stage that is open and not answered yet: what is shown would give its answer away."""
    asked = _question(run, location) if is_open(view) else None
    return None if asked is None or _key(run, asked) in state.remember(ANSWERED, {}) else asked


def before_answer(run: Recording, view: StepThroughView, location: Location, drawn: Place, asked: Question) -> Place:
    """A scene without what the stage makes, and without each place where the answer is told besides."""
    stage = run.navigator.stage(location)
    made = {value.address for step in run.trace[stage.first : stage.last + 1] for value in step.outputs} | {asked.where}
    return {
        **drawn,
        "map": [StageStop(**{**stop, "shape": "?" if stop["here"] else ""}) for stop in drawn["map"]],
        "tokens": [] if stage.kind == "tokenizer" else drawn["tokens"],
        "picture": _without(drawn["picture"], made),
        "say": unsaid(drawn["say"], view.t("exercise.first.shown")),
        "inspector": None,
        "watch": [],
        "strip": [],
    }


def _without(picture: Picture, made: set[str]) -> Picture:
    """What goes into a stage; of a table, which has its results in each row, nothing."""
    panels = picture["panels"] if picture["kind"] == "tensors" else []
    return {"kind": "tensors", "panels": [panel for panel in panels if panel["address"] not in made], "hides": True}


def unsaid(say: Words, instead: str) -> Words:
    """The words of a place without what they tell."""
    return Words(**{**say, "text": instead, "more": "", "formula": "", "hint": ""})


def ask_elsewhere(answer: str) -> None:
    """The course asks something, to which this is the right answer; empty: it asks nothing."""
    state.keep(_ELSEWHERE, answer)


def asked_elsewhere() -> str:
    """The right answer to what the course asks; empty if it asks nothing."""
    return str(state.remember(_ELSEWHERE, "")) if state.course().chapter else ""


def is_given_away(said: str) -> bool:
    """Whether a sentence tells what the course asks, while a chapter is on the way."""
    answer = asked_elsewhere()
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
