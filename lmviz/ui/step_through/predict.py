"""Predict first: the question of the stage that one is at, closed until somebody wants it."""

from __future__ import annotations

import streamlit as st

from lmviz.debug.exercises.stages import questions
from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Location
from lmviz.ui import state
from lmviz.ui.questions import ask
from lmviz.ui.step_through.view import StepThroughView

ANSWERED = "predict.answered"  # by run and question


def at_stage(run: Recording, view: StepThroughView, location: Location) -> None:
    """What this run can ask about the stage; nothing in front of a room."""
    if view.present:
        return
    t, kind = view.t, run.navigator.stage(location).kind
    with st.expander(
        t("exercise.predict"), icon=":material/psychology_alt:", key="predict", on_change="rerun"
    ) as shown:
        if not shown.open:
            return
        pieces = tuple(run.piece(i) for i in range(run.config.d_vocab))
        asked = next((one for one in questions(run.trace, run.tokens, pieces) if one.about == kind), None)
        if asked is None:
            st.caption(t("exercise.none"))
            return
        key = f"{run.request.model}|{run.request.prompt}|{run.request.target}|{asked.about}"
        answered: dict[str, int] = state.remember(ANSWERED, {})
        ask(
            t,
            asked,
            run.tokens.pieces,
            f"predict.{key}",
            answered.get(key),
            lambda chosen: answered.update({key: chosen}),
        )
