"""Predict first: the question of the stage that one is at, closed until somebody wants it."""

from __future__ import annotations

import re

import streamlit as st

from lmviz.debug.exercises.question import Question
from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Location
from lmviz.stages.stage import Stage
from lmviz.ui import state
from lmviz.ui.questions import ask, question_about
from lmviz.ui.step_through.scene_types import Picture, Place, StageStop, Words
from lmviz.ui.step_through.view import StepThroughView

OPENED = "predict"  # the key of what opens
_ELSEWHERE, _AWAITED = "predict.elsewhere", "predict.awaited"
ANSWERED = "predict.answered"  # by run and question
_TOLD_BY_SHAPES = ("tokens", "shape", "d_head", "n_logits")  # questions whose answer a shape tells
_TOLD_BY_LANES = ("tokenizer", "softmax")  # stages whose question the picture of the whole model answers


def is_open(view: StepThroughView) -> bool:
    """Whether somebody wants to predict."""
    return not view.present and bool(st.session_state.get(OPENED))


def awaited(run: Recording, view: StepThroughView, location: Location) -> Question | None:
    """The question about the stage that is open and not answered yet: what is shown would give its answer away."""
    asked = _question(run, location) if is_open(view) else None
    return None if asked is None or _key(run, asked) in state.remember(ANSWERED, {}) else asked


def ask_elsewhere(asked: Question | None, answer: str = "") -> None:
    """The course asks something, to which this is the right answer, as sentences have it; None: it asks nothing."""
    state.keep(_ELSEWHERE, None if asked is None else (asked, answer))


def of_the_course() -> Question | None:
    """What the course asks, as long as nobody has answered it, and a chapter is on the way."""
    return _of_the_course()[0]


def _of_the_course() -> tuple[Question | None, str]:
    found: tuple[Question, str] | None = state.remember(_ELSEWHERE, None)
    return found if found is not None and state.course().chapter else (None, "")


def _is_given_away(said: str) -> bool:
    """Whether a sentence tells what the course asks."""
    asked, answer = _of_the_course()
    return asked is not None and re.search(rf"(?<![\w.,]){re.escape(answer)}(?![\w]|[.,]\d)", said) is not None


def hides_heads() -> bool:
    """Whether the course asks where a head looks."""
    asked = of_the_course()
    return asked is not None and asked.about == "softmax"


def hides_lanes() -> bool:
    """Whether it is asked how many tokens there are, or where a head looks: lanes and ribbons tell it."""
    asked = of_the_course()
    return not {_awaited_about(), "" if asked is None else asked.about}.isdisjoint(_TOLD_BY_LANES)


def hides_elsewhere(asked: Question | None) -> bool:
    """Whether the rest of the page has to be drawn anew, since something is asked under the stage, or no longer."""
    before, about = _awaited_about(), "" if asked is None else asked.about
    state.keep(_AWAITED, about)
    return before != about


def _awaited_about() -> str:
    """The kind of stage under which something is asked; empty: nothing is."""
    about: str = state.remember(_AWAITED, "")
    return about


def is_asked() -> bool:
    """Whether something is asked and not answered, under the stage or by the course."""
    return bool(_awaited_about()) or of_the_course() is not None


def before_answer(run: Recording, view: StepThroughView, location: Location, drawn: Place) -> Place:
    """A scene without what would give away the answer to what is asked, under the stage or by the course."""
    stage, t = run.navigator.stage(location), view.t
    if awaited(run, view, location) is not None:
        return _before_stage(run, stage, drawn, t("exercise.first.shown"))
    asked = of_the_course()
    if asked is None:
        return drawn
    if stage.kind == asked.about:
        return _before_stage(run, stage, drawn, t("exercise.first"))
    made = set().union(*(_made(run, one) for one in run.navigator.stages if one.kind == asked.about))
    return {
        **drawn,
        "map": _without_shapes(drawn["map"]) if asked.name in _TOLD_BY_SHAPES else drawn["map"],
        "tokens": [] if asked.about == "tokenizer" else drawn["tokens"],
        "picture": _without(drawn["picture"], made) if drawn["picture"]["kind"] == "tensors" else drawn["picture"],
        "say": _unsaid(drawn["say"], t("exercise.first")) if _is_given_away(drawn["say"]["text"]) else drawn["say"],
    }


def _before_stage(run: Recording, stage: Stage, drawn: Place, instead: str) -> Place:
    """The scene of a stage without what it makes, and without each place where that is told besides."""
    return {
        **drawn,
        "map": _without_shapes(drawn["map"]),
        "tokens": [] if stage.kind == "tokenizer" else drawn["tokens"],
        "picture": _without(drawn["picture"], _made(run, stage)),
        "say": _unsaid(drawn["say"], instead),
        "inspector": None,
        "watch": [],
        "strip": [],
    }


def _made(run: Recording, stage: Stage) -> set[str]:
    return {value.address for step in run.trace[stage.first : stage.last + 1] for value in step.outputs}


def _without_shapes(stages: list[StageStop]) -> list[StageStop]:
    return [StageStop(**{**stop, "shape": "?" if stop["here"] else ""}) for stop in stages]


def _without(picture: Picture, made: set[str]) -> Picture:
    """What goes into a stage; of a table, which has its results in each row, nothing."""
    panels = picture["panels"] if picture["kind"] == "tensors" else []
    return {"kind": "tensors", "panels": [panel for panel in panels if panel["address"] not in made], "hides": True}


def _unsaid(say: Words, instead: str) -> Words:
    """The words of a place without what they tell."""
    return Words(**{**say, "text": instead, "more": "", "formula": "", "hint": ""})


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
