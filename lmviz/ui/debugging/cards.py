"""Findings as cards: alarms first and open, what is fine and what could not be measured folded away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import streamlit as st
from babel import Locale

from lmviz.debug import sources
from lmviz.debug.doctor import CHECKS
from lmviz.debug.doctor.curves import RULES
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.sources import Source
from lmviz.services.places import FindingPlace
from lmviz.ui import shell
from lmviz.ui.debugging import words
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator

PlaceOf = Callable[["Finding"], "FindingPlace | None"]  # where a finding can be seen


def step_through_place(t: Translator, seen: FindingPlace | None) -> StepThroughView | None:
    """The step-through at a place."""
    if seen is None:
        return None
    is_stage = not seen.tensor and "." not in seen.where
    return StepThroughView(
        lang=t.language,
        model=seen.model,
        prompt=seen.prompt or None,
        step=seen.where,
        by="stage" if is_stage else "op",
        cell=(seen.tensor, seen.cell) if seen.tensor and seen.cell else None,
        grad=seen.gradient,
        b_model=seen.b_model,
        b_prompt=seen.b_prompt,
    )


def nowhere(finding: Finding) -> FindingPlace | None:
    return None


def summary(t: Translator, findings: Sequence[Finding]) -> None:
    """How many of each, in one line."""
    alarms = sum(finding.holds is False for finding in findings)
    skipped = sum(finding.holds is None for finding in findings)
    icon = ":orange[:material/notifications_active:]" if alarms else ":green[:material/check_circle:]"
    counts = {"passed": len(findings) - alarms - skipped, "alarms": alarms, "skipped": skipped}
    line = " · ".join(_counted(t, f"doctor.count.{name}", n) for name, n in counts.items())
    st.markdown(f"{icon} {line}")


def _counted(t: Translator, key: str, n: int) -> str:
    """A count in the number that the language has for it: in French none is one, too."""
    is_one = Locale.parse(t.language).plural_form(n) == "one" and t.has(f"{key}.one")
    return t(f"{key}.one" if is_one else key, n=n)


def lettered(alarms: Sequence[Finding]) -> dict[str, str]:
    """A letter for each alarm that is about a stretch of steps, if there are several."""
    found = [finding.check for finding in alarms if finding.steps is not None]
    return dict(zip(found, ascii_uppercase, strict=False)) if len(found) > 1 else {}


def cards(
    t: Translator, findings: Sequence[Finding], look: PlaceOf = nowhere, letters: Mapping[str, str] | None = None
) -> None:
    """The alarms side by side, then the rest.

    Args:
        letters: of checks, as the chart above the cards has them.
    """
    alarms = [finding for finding in findings if finding.holds is False]
    columns = st.columns(2, gap="small") if len(alarms) > 1 else [st.container()]
    for i, finding in enumerate(alarms):
        with columns[i % len(columns)]:
            seen = look(finding)
            letter = (letters or {}).get(finding.check, "")
            alarm(t, finding, step_through_place(t, seen), seen.step if seen else 0, letter)
    fine = [finding for finding in findings if finding.holds]
    skipped = [finding for finding in findings if finding.holds is None]
    if fine:
        label = t("doctor.passing", n=len(fine))
        with st.expander(label, icon=":material/check_circle:", expanded=not alarms):
            _list(t, fine, ":green[:material/check:]")
    if skipped:
        with st.expander(t("doctor.skipping", n=len(skipped)), icon=":material/help:"):
            _list(t, skipped, ":gray[:material/help:]")


def alarm(
    t: Translator, finding: Finding, place: StepThroughView | None = None, step: int = 0, letter: str = ""
) -> None:
    """One alarm: measured, what it means, how to mend it, how sure, when false, and where to look.

    Args:
        step: of a training, where `place` shows one; 0: a walk through a model.
        letter: that its steps have in a chart.
    """
    check = known(finding.check)
    with st.container(border=True):
        sure = t(f"doctor.sure.{finding.sure or check.sure}")
        st.markdown(f"**:orange[:material/error:] {words.about(t, finding, 'failed')}** :gray-badge[{sure}]")
        st.markdown(words.measured(t, finding))
        if finding.steps is not None:
            first, last = finding.steps
            shown = {"first": t.integer(first), "last": t.integer(last)}
            steps = t("doctor.steps", n=1 if first == last else 2, **shown)
            st.markdown(f"{letter and f':gray-badge[**{letter}**] '}:small[{steps}]")
        st.markdown(words.about(t, finding, "means"))
        st.markdown(t("doctor.mend", words=words.about(t, finding, "mend")))
        if false := words.about(t, finding, "alarm"):
            st.markdown(t("doctor.false_alarm", words=false))
        with st.container(horizontal=True, vertical_alignment="center"):
            if place is not None:
                label = t("doctor.look_at", step=t.integer(step)) if step else t("doctor.look")
                shell.link(label, place)
            st.caption(linked(t, check.sources))


def linked(t: Translator, found: Iterable[Source]) -> str:
    """Sources by their names, each a link to where it can be read."""
    names = " · ".join(f"[{one.name}]({one.url})" for one in found)
    return t("doctor.source", source=names)


def _list(t: Translator, findings: Sequence[Finding], sign: str) -> None:
    columns = st.columns(2, gap="large")
    half = -(-len(findings) // 2)
    for i, finding in enumerate(findings):
        columns[i // half].markdown(f"{sign} **{words.about(t, finding, 'title')}**  \n{words.measured(t, finding)}")


@dataclass(frozen=True)
class CheckBackground:
    """What is known about a check before it runs."""

    sure: str
    sources: tuple[Source, ...]


def known(name: str) -> CheckBackground:
    others = {
        "known_tokens": CheckBackground("sure", (sources.SENNRICH.at("1"),)),
        "sampling": CheckBackground("hint", (sources.HOLTZMAN.at("3"),)),
    }
    found = CHECKS.get(name) or RULES.get(name)
    return CheckBackground(found.sure, found.sources) if found is not None else others[name]
