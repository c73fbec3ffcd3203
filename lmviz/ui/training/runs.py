"""The runs of this machine: which one is looked at, or the plan of a new one."""

from __future__ import annotations

import streamlit as st

from lmviz.services.services import Services
from lmviz.train.store.run_table import TrainingRun
from lmviz.ui import state, widgets
from lmviz.ui.choices import one_of
from lmviz.ui.text import Translator
from lmviz.ui.training.view import TrainingView

MARKS = {
    "queued": "…",
    "running": "▶",
    "paused": "⏸",
    "done": "✓",
    "stopped": "■",
    "interrupted": "⚠",
    "failed": "✕",
}


def chosen(services: Services, view: TrainingView) -> TrainingRun | None:
    """A choice among the runs; the one that the view is of, None for the plan of a new one."""
    found = services.models.runs.all()
    services.models.runs.warm()
    _choice(found, view)
    return next((run for run in found if run.id == view.run), None)


@widgets.placeholder()
def gone(view: TrainingView) -> None:
    """Say that the run of the view is no more."""
    if view.run:
        st.info(view.t("train.gone"))


def _choice(found: tuple[TrainingRun, ...], view: TrainingView) -> None:
    """The plan of a new training, or one of the runs."""
    t = view.t
    names = {"": t("train.new")} | {run.id: _label(run, t) for run in found}
    bound = state.bound("run", tab="", step=-1, b_step=-1, opened=0, beside=(), cell=None)
    one_of(t("train.choose"), names, view.run, bound, label_visibility="collapsed", width=320)


def _label(run: TrainingRun, t: Translator) -> str:
    """State and name, and the step at which it stands still: while it moves, the list is not drawn anew."""
    label = f"{MARKS[run.state]} {run.name}"
    return label if run.is_active else f"{label} · {t.integer(run.step)}"
