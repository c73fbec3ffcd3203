"""The bug lab: one small edit, what it breaks first, and whether the doctor sees it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from lmviz.ui import charts as shared
from lmviz.ui import choices, shell, state
from lmviz.ui.debugging import cards, charts
from lmviz.ui.debugging.doctor import look
from lmviz.ui.debugging.view import View
from lmviz.ui.debugging.words import code, said
from lmviz.ui.step_through.view import View as Walk
from lmviz.ui.text import text

if TYPE_CHECKING:
    from lmviz.debug.bugs.bug import Bug
    from lmviz.workbench import Workbench

CLASSES = {"-": "gone", "+": "new", " ": "same", "…": "gap"}


def section(bench: Workbench, view: View) -> None:
    from lmviz.debug.bugs.catalogue import BUGS, bug_named

    lang = view.lang
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            text(lang, "lab.bug"),
            list(BUGS) if view.bug in BUGS else [view.bug, *BUGS],
            format_func=lambda name: _label(lang, BUGS[name]) if name in BUGS else name,
            width=430,
            label_visibility="collapsed",
            **state.bound("bug", prompt=None),
        )
        choices.model(bench, lang, view.model, prompt=None, target=None)
    bug = bug_named(view.bug)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"#### {text(lang, f'bug.{bug.name}')}")
        st.markdown(f"**{text(lang, 'lab.tell')}:** {text(lang, f'bug.{bug.name}.tell')}")
        show_diff(bench, view, bug, view.model)
        st.caption(cards.linked(lang, (bug.source,)))
    if why := bench.debugging.why_not(bug, view.model):
        with right:
            st.info(text(lang, f"lab.{why}"))
        return
    with right, st.spinner(text(lang, "lab.breaking")):
        if not bug.in_loop:
            _first_difference(bench, view, bug)
        if bug.retrain:
            _race(bench, view, bug)
        _verdict(bench, view, bug)


def _label(lang: str, bug: Bug) -> str:
    return f"{place_name(lang, bug)} · {text(lang, f'bug.{bug.name}')}"


def place_name(lang: str, bug: Bug) -> str:
    """The stage that a bug breaks."""
    key = "debug.training_stage" if bug.place == "training" else f"stage.{bug.place}.title"
    return text(lang, key)


def show_diff(bench: Workbench, view: View, bug: Bug, model: str) -> None:
    """The edit: lines that go, lines that come, with their sign and their numbers."""
    from lmviz.debug.bugs.models import architecture
    from lmviz.debug.bugs.source import diff_of

    own = architecture(bench.checkpoint(model))
    source = own if own in bug.edits else next(iter(bug.edits))
    st.markdown(text(view.lang, "lab.source", file=code(f"{source}.py")))
    found = diff_of(bug, source)
    indent = min(len(line.text) - len(line.text.lstrip()) for line in found if line.text.strip())
    lines = "".join(
        f'<div class="{CLASSES[line.mark]}"><i>{line.number or ""}</i>{escape(line.mark)} {escape(line.text[indent:])}'
        "</div>"
        for line in found
    )
    st.html(f'<div class="lm-diff">{lines}</div>')


def _first_difference(bench: Workbench, view: View, bug: Bug) -> None:
    """Where healthy and broken part, in words, and the link that opens both there."""
    from lmviz.benches.debugging import bug_name, healthy_name

    lang, prompt = view.lang, view.prompt if view.prompt is not None else bench.first_prompt(view.model)
    st.text_input(text(lang, "top.prompt"), max_chars=300, **state.bound("prompt", shown=prompt))
    found = bench.debugging.difference(bug, view.model, prompt)
    if bug.retrain:
        from lmviz.debug.bugs.models import STEPS

        st.markdown(text(lang, "lab.trained", steps=STEPS))
    if found is None:
        st.info(text(lang, "lab.same"))
        return
    if found.gone:
        st.markdown(text(lang, "lab.gone", address=code(found.gone)))
    if found.how in ("value", "shape"):
        key = "lab.first" if found.how == "value" else "lab.shape"
        st.markdown(text(lang, key, address=code(found.address), largest=said(lang, found.largest)))
    place = Walk(
        lang=lang,
        model=healthy_name(bug, view.model),
        prompt=prompt,
        step=found.address,
        by="line",
        b_model=bug_name(bug.name, view.model),
        cell=(found.address, found.cell) if found.how == "value" and found.cell else None,
    )
    shell.link(text(lang, "lab.open"), place)


def _race(bench: Workbench, view: View, bug: Bug) -> None:
    """Both trained from the same weights: the curves, and the step at which they part."""
    lang = view.lang
    found = bench.debugging.race(bug, view.model)
    lines = {
        text(lang, "lab.broken"): tuple(enumerate(found.broken, start=1)),
        text(lang, "lab.healthy"): tuple(enumerate(found.healthy, start=1)),
    }
    chart = charts.curves(lines, text(lang, "pitfall.step"), text(lang, "pitfall.nats"), height=200)
    shared.show(chart, "lab.race")
    if found.parting is None:
        st.markdown(text(lang, "lab.part.none", steps=len(found.broken)))
        return
    parting = found.parting
    details = {"where": code(parting.where), "largest": said(lang, parting.largest), "n": said(lang, parting.largest)}
    st.markdown(text(lang, f"lab.part.{parting.what}", step=parting.step, **details))


def _verdict(bench: Workbench, view: View, bug: Bug) -> None:
    from lmviz.benches.debugging import bug_name

    lang = view.lang
    st.markdown(f"#### {text(lang, 'lab.verdict')}")
    findings = bench.debugging.verdict(bug, view.model)
    if not findings:
        st.info(text(lang, "lab.unseen" if bug.seen_by else "lab.invisible"), icon=":material/visibility_off:")
        return
    prompt = bench.first_prompt(view.model)
    for finding in sorted(findings, key=lambda f: f.check not in bug.seen_by):
        model = view.model if bug.in_loop else bug_name(bug.name, view.model)
        cards.alarm(lang, finding, None if bug.in_loop else look(lang, model, prompt, finding))
