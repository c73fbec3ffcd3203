"""A file of one's own that is attached: what it is doing, and, once it was saved and run again, what has changed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import streamlit as st

from lmviz.debug.bugs.difference import Difference, first_difference
from lmviz.errors import UserError
from lmviz.registry.attached import Attached
from lmviz.registry.program import Asked, Program
from lmviz.trace.step import Trace
from lmviz.ui import state, widgets
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import plain

_BEAT = 1.0  # seconds between two looks at the file


@widgets.placeholder()
def status(view: StepThroughView) -> None:
    """What the attached file is doing; nothing for other models. It goes on looking whether the file was saved."""
    if not isinstance(view.model, Attached) or view.model.run:
        return
    try:
        program = view.model.program()
    except UserError:  # the debugger says so
        return
    state.remember(_key(program), program.latest)
    _look(program)


def is_told(view: StepThroughView, error: UserError) -> bool:
    """Whether `status` says it already, of a file that has given no recording yet."""
    if not isinstance(view.model, Attached) or view.model.run:
        return False
    with suppress(UserError):
        return view.model.program().wrong() is error
    return False


@st.fragment(run_every=_BEAT)
def _look(program: Program) -> None:
    t, doing, shown = state.translator(), program.look(), state.remember(_key(program), program.latest)
    if program.latest != shown:
        state.keep(_key(program), program.latest)
        _to_the_first_difference(program, shown)
        st.rerun()
    wrong = program.wrong()
    if doing == "running":
        st.info(t("attach.running", name=plain(program.title)), icon=":material/autorenew:")
    elif isinstance(wrong, UserError):
        st.error(t.error(wrong))
        if program.latest:
            st.caption(t("attach.before"))
    elif said := state.remember(f"{_key(program)} said", ""):
        st.success(t(said, name=plain(program.title)), icon=":material/difference:")


def _key(program: Program) -> str:
    return f"attached {program.name}"


def _to_the_first_difference(program: Program, before: int) -> None:
    """Move the view to the first number that is not as it was, with what was there beside it; if the model raised now,
    to the step that did."""
    reference, now = Attached(program.name), program.record(0, Asked()).trace
    said, changes = "attach.again" if before else "", _failed(now)  # the first run is none again
    if not changes and before:
        try:
            found = first_difference(now, program.record(before, Asked()).trace)
        except UserError:  # that run was too long ago
            found = None
        said, changes = _changes(found, Attached(program.name, before), now)
    state.keep(f"{_key(program)} said", said)
    state.go(model=reference, **changes)


def _failed(trace: Trace) -> dict[str, Any]:
    failure = trace.failure
    if failure is None or failure.step is None:
        return {}
    return {"step": trace[failure.step].address, "by": "op", "cell": None, "trail": (), "b_model": None}


def _changes(found: Difference | None, before: Attached, now: Trace) -> tuple[str, dict[str, Any]]:
    if found is None:
        return "attach.same", {"b_model": None}
    if found.address not in now:  # a step that is gone: what is left is seen at its own place
        return "attach.gone", {"b_model": before}
    changes = {"step": found.address, "by": "op", "line": -1, "trail": (), "b_model": before}
    cell = (found.address, found.cell) if found.how == "value" else None
    return f"attach.{found.how}", {**changes, "cell": cell}
