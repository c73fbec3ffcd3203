"""The exercises of the lesson, each ticked where it is done."""

from __future__ import annotations

import streamlit as st

from lmviz.registry.folder import Folder
from lmviz.ui import shell, state
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator
from lmviz.ui.training.view import TrainingView

EXERCISES = ("sizes", "longer", "beginning", "temperature")
DONE = "lesson.done"


def done(*names: str) -> None:
    """Tick what was just done."""
    known: set[str] = state.remember(DONE, set())
    known.update(names)


def exercises(t: Translator, here: str, **details: str) -> None:
    """The exercises with their ticks, how many are done, and where the ideas of the lessons before are.

    Args:
        here: the page on which one is.
        details: what this page can say of one that is done, by its name.
    """
    known: set[str] = state.remember(DONE, set())
    label = t("lesson.title", done=len(known), all=len(EXERCISES))
    with st.expander(label, icon=":material/school:", key="lesson", on_change="rerun") as shown:
        if not shown.open:
            return
        st.progress(len(known) / len(EXERCISES))
        left, right = st.columns(2, gap="large")
        with left:
            for name in EXERCISES:
                _exercise(t, here, name, name in known, details.get(name, ""))
            if len(known) == len(EXERCISES):
                st.success(t("lesson.all_done"), icon=":material/trophy:")
        with right:
            st.markdown(f"**{t('lesson.before')}**")
            for idea, page, place in _ideas(t):
                shell.link(t(f"lesson.idea.{idea}"), place, page)


def _exercise(t: Translator, here: str, name: str, is_done: bool, found: str) -> None:
    tick = ":green[:material/check_circle:]" if is_done else ":gray[:material/radio_button_unchecked:]"
    st.markdown(f"{tick} {t(f'lesson.{name}')}" + (f"  \n{found}" if is_done and found else ""))
    page, place = _WHERE[name]
    if not is_done and page != here:
        shell.link(t("lesson.go"), place, page)


POKEMON = Folder("pokemon")

_WHERE: dict[str, tuple[str, state.Place]] = {
    "sizes": ("training", TrainingView()),
    "longer": ("training", TrainingView()),
    "beginning": ("generation", GenerationView(model=POKEMON)),
    "temperature": ("generation", GenerationView(model=POKEMON)),
}


def _ideas(t: Translator) -> tuple[tuple[str, str, state.Place], ...]:
    """The ideas of the lessons before, each with the view that shows it."""
    return (
        ("predict", "step_through", StepThroughView(lang=t.language, model=POKEMON, step="probabilities")),
        ("loss", "step_through", StepThroughView(lang=t.language, model=POKEMON, step="loss", grad=True)),
        ("embeddings", "embeddings", EmbeddingsView(lang=t.language, model=POKEMON)),
        ("attention", "step_through", StepThroughView(lang=t.language, model=POKEMON, step="blocks.0.attn.pattern")),
    )
