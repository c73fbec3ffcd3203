"""The recordings that a view asks for: that which is walked, and the one that it is compared with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.puzzle import PuzzleModel
from lmviz.registry.recording import Recording, Request
from lmviz.registry.run import RunModel
from lmviz.services.services import Services
from lmviz.train.store.series import spread
from lmviz.ui import choices, shell, state, widgets
from lmviz.ui.step_through import attached, top
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import code, plain, shortened, visible

log = logging.getLogger(__name__)

TIMES = 8  # checkpoints at most that a scale is taken from


@widgets.placeholder()
def opened(services: Services, view: StepThroughView) -> Recording | None:
    """The run that the view asks for, and what must be said about its input; None if there is none to show."""
    t = view.t
    try:
        run = services.models.record(request(services, view))
    except UserError as error:
        if not attached.is_told(view, error):
            st.error(t.error(error))
        if view.edits:
            st.button(t("note.no_edits"), key="no_edits", on_click=lambda: state.go(edits=()))
        return None
    shell.notes(t, run.notes)
    if run.trace.failure is not None:
        st.error(t("note.failed", error=plain(str(run.trace.failure))))
    if view.step and view.step not in run.trace and not any(s.kind == view.step for s in run.navigator.stages):
        st.info(t("note.no_step", step=code(visible(view.step))))
    if view.cell is not None and not run.has(*view.cell):
        st.info(t("note.no_cell", cell=code(f"{visible(view.cell[0])}{list(view.cell[1])}")))
    return run


@contextmanager
def as_far_as_it_makes_sense(view: StepThroughView) -> Iterator[None]:
    """Around what is drawn of a recording: one from a file may contradict itself, which is then said in its place."""
    try:
        yield
    except Exception as error:
        if view.model.live or isinstance(error, UserError):
            raise
        log.warning("%s could not be drawn at %r: %r", view.model, view.step, error)
        st.error(view.t("recorded.wrong"))
        if view.step:
            st.button(view.t("recorded.begin"), on_click=state.unbroken(lambda: state.go(step="", cell=None, trail=())))


def request(services: Services, view: StepThroughView) -> Request:
    """What the view asks to be recorded."""
    return Request(view.model, top.prompt(services, view), view.target, view.temperature, view.edits, view.grad)


def other_run(services: Services, view: StepThroughView) -> Recording | None:
    """The run to compare with: the one that was asked for, or the same without its edits.

    Raises:
        UserError: there is no such run.
    """
    if not view.compares and not view.edits:
        return None
    edits = () if view.b_plain or not view.compares else view.edits
    is_puzzle = any(isinstance(model, PuzzleModel) for model in (view.model, view.b_model))
    b_model = None if is_puzzle else view.b_model  # a healthy model would give the puzzle away
    b = replace(view, edits=edits, model=b_model or view.model, prompt=view.b_prompt or view.prompt)
    return services.models.record(request(services, b))


def over_time(services: Services, view: StepThroughView) -> tuple[Recording, ...]:
    """The same text at some checkpoints of a run, the first and the last among them: what a scale that holds over time
    must have room for. None where the model is no run's."""
    if not isinstance(view.model, RunModel):
        return ()
    found = []
    with suppress(UserError):  # a checkpoint that is gone meanwhile
        for step in spread([stop.step for stop in services.models.runs.stops(view.model.run)], TIMES):
            found.append(services.models.record(request(services, replace(view, model=RunModel(view.model.run, step)))))
    return tuple(found)


def compared(services: Services, view: StepThroughView, other: Recording | None) -> str:
    """What the other run is, in a few words; empty if there is none."""
    t = view.t
    if not view.compares or other is None:
        return ""
    if view.b_plain and not view.b_prompt and not view.b_model:
        return t("compare.with_plain")
    model, read = choices.model_name(services, t, other.request.model), other.request.prompt or other.tokens.text
    if not read:  # what a program reads need not be a text
        return t("compare.with_model", model=model)
    return t("compare.with", model=model, prompt=shortened(visible(read), 40))
