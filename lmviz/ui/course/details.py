"""What a check found, as a sentence writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lmviz.lessons.chapter import DETAIL
from lmviz.ui.debugging.words import value_text
from lmviz.ui.text import Translator, code, shortened, visible


@dataclass(frozen=True)
class Share:
    """A probability, which is written in percent."""

    share: float


Detail = str | int | float | Share
Found = Mapping[str, Detail]  # what a check has measured, by name


def written(t: Translator, detail: Detail) -> str:
    """Text as code, numbers as the language writes them. A space at an end, which may be a token's, is marked as in the
    pictures; between words it stays one."""
    if isinstance(detail, Share):
        return t.percent(detail.share)
    if not isinstance(detail, str):
        return value_text(t, detail)
    inside = detail.strip(" ")
    if not inside:
        return code(shortened(visible(detail)))
    words = " ".join(visible(word) for word in inside.split(" ") if word)
    before, _, after = detail.partition(inside)
    return code(shortened("·" * len(before) + words + "·" * len(after)))


def filled(t: Translator, answer: str, found: Found) -> str:
    """An answer with what was found in its places; only names have a place, so that nothing else is ever looked up.

    >>> from lmviz.ui.text import DEFAULT
    >>> filled(Translator(DEFAULT), "{token} has {share}, {self.x}", {"token": "a", "share": Share(0.25)})
    '`` a `` has 25.0%, {self.x}'
    """
    return DETAIL.sub(lambda place: written(t, found[place[1]]) if place[1] in found else "–", answer)
