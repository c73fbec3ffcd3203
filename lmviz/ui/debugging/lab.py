"""The bug lab: one small edit, what it breaks first, and whether the doctor sees it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.catalogue import BUGS
from lmviz.debug.bugs.models import architecture
from lmviz.debug.bugs.source import diff_of
from lmviz.registry.bug import WithBug, healthy_twin
from lmviz.registry.recording import Request
from lmviz.registry.reference import Reference
from lmviz.services.services import Services
from lmviz.trace.step import Array, Cell
from lmviz.ui import charts as shared
from lmviz.ui import choices, matrices, own_text, shell, state, widgets
from lmviz.ui.debugging import cards, charts
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.debugging.words import code, value_text
from lmviz.ui.pictures import TEXT_AXES
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator

_CLASSES = {"-": "gone", "+": "new", " ": "same", "…": "gap"}


def section(services: Services, view: DebuggingView) -> None:
    t, bug = view.t, BUGS[view.bug if view.bug in BUGS else DebuggingView().bug]
    if view.bug not in BUGS:
        shell.left_out(t, "bug")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        widgets.selectbox(
            t("lab.bug"),
            list(BUGS),
            format_func=lambda name: _label(t, BUGS[name]),
            width=430,
            label_visibility="collapsed",
            **state.bound("bug", shown=bug.name, prompt=None),
        )
        choices.model(services, t, view.model, prompt=None, target=None)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(t("lab.say"))
        st.markdown(f"## {t(f'bug.{bug.name}')}")
        st.markdown(t("lab.tell", words=t(f"bug.{bug.name}.tell")))
        show_diff(services, view, bug, view.model)
        st.caption(cards.linked(t, (bug.source,)))
    if why := services.bugs.why_not(bug, view.model):
        with right:
            st.info(t(f"lab.{why}"))
        return
    with right, st.spinner(t("lab.breaking")):
        (_train_pair if bug.retrain else _first_difference)(services, view, bug)
    with left, st.spinner(t("doctor.examining")):
        _verdict(services, view, bug)


def _label(t: Translator, bug: Bug) -> str:
    return f"{_place_name(t, bug)} · {t(f'bug.{bug.name}')}"


def _place_name(t: Translator, bug: Bug) -> str:
    """The stage that a bug breaks."""
    key = "debug.training_stage" if bug.place == "training" else f"stage.{bug.place}.title"
    return t(key)


def show_diff(services: Services, view: DebuggingView, bug: Bug, model: Reference) -> None:
    """The edit: lines that go, lines that come, with their sign and their numbers."""
    own = architecture(services.models.checkpoint(model))
    source = own if own in bug.edits else next(iter(bug.edits))
    st.markdown(view.t("lab.source", file=code(f"{source}.py")))
    found = diff_of(bug, source)
    indent = min(len(line.text) - len(line.text.lstrip()) for line in found if line.text.strip())
    lines = "".join(
        f'<div class="{_CLASSES[line.mark]}"><i>{line.number or ""}</i>{escape(line.mark)} {escape(line.text[indent:])}'
        "</div>"
        for line in found
    )
    st.html(f'<div class="lm-diff" tabindex="0">{lines}</div>')


def _first_difference(services: Services, view: DebuggingView, bug: Bug) -> None:
    """Where healthy and broken part on the same weights: in words, as a picture, and the link that opens both there."""
    t, prompt = view.t, view.prompt if view.prompt is not None else services.models.first_prompt(view.model)
    own_text.field(services, t, view.model, "prompt", prompt, t("top.prompt"), max_chars=300)
    found = services.bugs.difference(bug, view.model, prompt)
    if found is None:
        st.info(t("lab.same"))
        return
    two = healthy_twin(bug, view.model), WithBug(bug.name, view.model)
    key = {"value": "lab.first", "shape": "lab.shape"}.get(found.how, "lab.gone")
    st.markdown(t(key, address=code(found.address), largest=value_text(t, found.largest)))
    if found.how == "value":
        ours, theirs = (services.models.record(Request(model, prompt)) for model in two)
        value, other = ours.trace.value(found.address), theirs.trace.value(found.address)
        assert value is not None and other is not None
        pieces = ours.tokens.pieces
        axes = ("", *value.axes)[-2:]
        rows, cols = (pieces if axis in TEXT_AXES else () for axis in ("", "", *value.axes)[-2:])
        three(view, value.array, other.array, found.cell, axes, (rows, cols))
    cell = (found.address, found.cell) if found.how == "value" and found.cell else None
    shell.link(
        t("lab.open"),
        StepThroughView(
            lang=t.language, model=two[0], prompt=prompt, step=found.address, by="line", b_model=two[1], cell=cell
        ),
    )


def three(
    view: DebuggingView,
    a: Array,
    b: Array,
    cell: Cell,
    axes: tuple[str, ...] = ("", ""),
    labels: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> None:
    """A, B and A − B on one scale, around the cell where they differ most."""
    a, b = (np.atleast_2d(array[cell[:-2]] if array.ndim > 2 else array) for array in (a, b))
    names = [view.t(f"lab.{name}") for name in ("healthy", "broken", "difference")]
    drawn = matrices.three((a, b), names, axes, labels, peak=1e-6, apart=1e-6, pinned=cell[-2:])
    matrices.show(drawn, view.t, key="lab.three", height=230, together=True)


def _train_pair(services: Services, view: DebuggingView, bug: Bug) -> None:
    """Both trained from the same weights: the curves, the step at which they part, and the link that opens it."""
    t = view.t
    found = services.bugs.train_pair(bug, view.model)
    lines = {
        t("lab.broken"): tuple(enumerate(found.broken, start=1)),
        t("lab.healthy"): tuple(enumerate(found.healthy, start=1)),
    }
    st.markdown(t("lab.trained", steps=len(found.broken)))
    chart = charts.curves(lines, t("pitfall.step"), t("pitfall.nats"), height=190)
    shared.show(chart, t, "lab.race")
    difference = found.difference
    if difference is None:
        st.markdown(t("lab.part.none", steps=len(found.broken)))
        return
    details = {
        "where": code(difference.where),
        "largest": value_text(t, difference.largest),
        "n": value_text(t, difference.largest),
    }
    st.markdown(t(f"lab.part.{difference.what}", step=difference.step, **details))
    if difference.cell:
        three(view, difference.ours, difference.theirs, difference.cell)
    place = cards.step_through_place(t, seen := services.bugs.first_training_difference(bug, view.model))
    if place is not None and seen is not None:
        shell.link(t("lab.open_step", step=t.integer(seen.step)), place)


def _verdict(services: Services, view: DebuggingView, bug: Bug) -> None:
    t = view.t
    st.markdown(f"## {t('lab.verdict')}")
    findings = services.bugs.verdict(bug, view.model)
    if not findings:
        st.info(t("lab.unseen" if bug.seen_by else "lab.invisible"), icon=":material/visibility_off:")
        return
    broken, prompt = WithBug(bug.name, view.model), services.models.first_prompt(view.model)
    for finding in sorted(findings, key=lambda f: f.check not in bug.seen_by):
        seen = services.doctor.place_of(broken, prompt, finding)
        cards.alarm(t, finding, cards.step_through_place(t, seen), seen.step if seen else 0)
