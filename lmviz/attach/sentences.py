"""What the doctor says, in plain text for a terminal and for a report of tests."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from lmviz.debug.doctor import how_sure, is_alarm
from lmviz.debug.doctor.finding import Finding
from lmviz.trace.plain_data import encoded
from lmviz.ui.debugging.words import about, measured
from lmviz.ui.text import DEFAULT, Language, Translator

FINE, ALARM, HINT, SKIPPED = "✓", "✗", "?", "–"
_MARKS = re.compile(r"\*\*|`|(?<=[\s(])[*_](?=\S)|(?<=\S)[*_](?=[\s).,;:])")  # of Markdown


def line_of(finding: Finding, lang: Language = DEFAULT) -> str:
    """One finding on one line: what was looked at, what was measured."""
    what = (
        about(Translator(lang), finding, "failed")
        if finding.holds is False
        else about(Translator(lang), finding, "title")
    )
    return f"{sign_of(finding)} {finding.check}: {plain(what)}. {plain(why(finding, lang))}".replace("..", ".")


def sign_of(finding: Finding) -> str:
    """Fine, an alarm, a hint, or not measured."""
    if finding.holds is False:
        return ALARM if is_alarm(finding) else HINT
    return FINE if finding.holds else SKIPPED


def advice_of(finding: Finding, lang: Language = DEFAULT) -> Iterator[str]:
    """What an alarm means, and how to mend it."""
    for part in ("means", "mend"):
        if said := about(Translator(lang), finding, part):
            yield plain(said)


def why(finding: Finding, lang: Language = DEFAULT) -> str:
    """What was measured, or why nothing was."""
    error = finding.details.get("error") if finding.holds is None else None
    return measured(Translator(lang), finding) + (f" ({error})" if error else "")


def plain(markdown: str) -> str:
    """The same words without the marks of Markdown."""
    return _MARKS.sub("", markdown)


def as_json(finding: Finding, lang: Language = DEFAULT) -> dict[str, Any]:
    """A finding for other programs."""
    return {
        "check": finding.check,
        "holds": finding.holds,
        "sure": how_sure(finding),
        "measured": _number(finding.measured),
        "limit": _number(finding.limit),
        "where": finding.where,
        "cell": None if finding.cell is None else list(finding.cell),
        "why_not": finding.why_not,
        "says": plain(why(finding, lang)),
    }


def _number(value: float) -> float | str:
    """JSON has no infinity."""
    return value if math.isfinite(value) else str(value)


def packed(finding: Finding) -> dict[str, Any]:
    """All of a finding as plain data, for another process."""
    found = {name: getattr(finding, name) for name in Finding.__dataclass_fields__}
    packed_whole: dict[str, Any] = encoded({**found, "details": dict(finding.details)})
    return packed_whole
