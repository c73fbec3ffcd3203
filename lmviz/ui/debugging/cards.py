"""Findings as cards: alarms first and open, what is fine and what could not be measured folded away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from lmviz.ui import shell
from lmviz.ui.debugging import words
from lmviz.ui.step_through.view import View as Walk
from lmviz.ui.text import text

if TYPE_CHECKING:
    from lmviz.debug.doctor.finding import Finding

Look = Callable[["Finding"], "Walk | None"]  # where a finding can be seen


def nowhere(finding: Finding) -> Walk | None:
    return None


def summary(lang: str, findings: Sequence[Finding]) -> None:
    """How many of each, in one line."""
    alarms = sum(finding.holds is False for finding in findings)
    skipped = sum(finding.holds is None for finding in findings)
    icon = ":orange[:material/notifications_active:]" if alarms else ":green[:material/check_circle:]"
    line = text(lang, "doctor.summary", n=alarms, passed=len(findings) - alarms - skipped, skipped=skipped)
    st.markdown(f"{icon} {line}")


def cards(lang: str, findings: Sequence[Finding], look: Look = nowhere) -> None:
    """The alarms side by side, then the rest."""
    alarms = [finding for finding in findings if finding.holds is False]
    columns = st.columns(2, gap="small") if len(alarms) > 1 else [st.container()]
    for i, finding in enumerate(alarms):
        with columns[i % len(columns)]:
            alarm(lang, finding, look(finding))
    fine = [finding for finding in findings if finding.holds]
    skipped = [finding for finding in findings if finding.holds is None]
    if fine:
        label = text(lang, "doctor.passing", n=len(fine))
        with st.expander(label, icon=":material/check_circle:", expanded=not alarms):
            _list(lang, fine, ":green[:material/check:]")
    if skipped:
        with st.expander(text(lang, "doctor.skipping", n=len(skipped)), icon=":material/help:"):
            _list(lang, skipped, ":gray[:material/help:]")


def alarm(lang: str, finding: Finding, place: Walk | None = None) -> None:
    """One alarm: measured, what it means, how to mend it, how sure, when false, and where to look."""
    check = known(finding.check)
    with st.container(border=True):
        sure = text(lang, f"doctor.sure.{check.sure}")
        st.markdown(f"**:orange[:material/error:] {words.about(lang, finding, 'failed')}** :gray-badge[{sure}]")
        st.markdown(words.measured(lang, finding))
        if finding.steps is not None:
            first, last = finding.steps
            st.caption(text(lang, "doctor.steps", first=first, last=last))
        st.markdown(words.about(lang, finding, "means"))
        st.markdown(text(lang, "doctor.mend", words=words.about(lang, finding, "mend")))
        if false := words.about(lang, finding, "alarm"):
            st.markdown(text(lang, "doctor.false_alarm", words=false))
        with st.container(horizontal=True, vertical_alignment="center"):
            if place is not None:
                shell.link(text(lang, "doctor.look"), place)
            st.caption(text(lang, "doctor.source", source=check.source))


def _list(lang: str, findings: Sequence[Finding], sign: str) -> None:
    columns = st.columns(2, gap="large")
    half = -(-len(findings) // 2)
    for i, finding in enumerate(findings):
        columns[i // half].markdown(
            f"{sign} **{words.about(lang, finding, 'title')}**  \n{words.measured(lang, finding)}"
        )


class _Known:
    """What is known about a check before it runs."""

    def __init__(self, sure: str, source: str) -> None:
        self.sure, self.source = sure, source


def known(name: str) -> _Known:
    from lmviz.debug.doctor import CHECKS
    from lmviz.debug.doctor.curves import RULES

    found = CHECKS.get(name) or RULES.get(name)
    return _Known(found.sure, found.source) if found is not None else _Known(*_OTHERS[name])


_OTHERS = {
    "known_tokens": ("sure", "Small Language Models for Dummies, 4"),
    "beats_counting": ("likely", "Shannon 1948, 3"),
    "sampling": ("hint", "Holtzman et al. 2020, 3"),
}
