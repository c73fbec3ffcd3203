"""What a check found, as a sentence writes it: a number that is in a picture too, as the picture writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lmviz.lessons.chapter import DETAIL
from lmviz.ui.debugging.words import value_text
from lmviz.ui.generation.table import percent as percent_of_draw
from lmviz.ui.text import Translator, code, shortened, visible


@dataclass(frozen=True)
class Number:
    """A number with the decimals that its picture has."""

    value: float
    digits: int


@dataclass(frozen=True)
class Measured:
    """A number of the debugging page, which writes as many digits as tell something."""

    value: float


@dataclass(frozen=True)
class Chosen:
    """A setting of the training page."""

    value: float


@dataclass(frozen=True)
class Share:
    """A probability, in percent."""

    share: float


@dataclass(frozen=True)
class ShareOfDraw:
    """A probability in percent, as the table of the generation page has it."""

    share: float


@dataclass(frozen=True)
class Likeliest:
    """The likeliest token after a change, as a sentence: one that was so before has its chance told already."""

    token: str
    share: float
    was_before: bool


# no float: who shows it says how it is written
Detail = str | int | Number | Measured | Chosen | Share | ShareOfDraw | Likeliest
Found = Mapping[str, Detail]  # what a check has measured, by name


def written(t: Translator, detail: Detail) -> str:
    """Text as code, numbers as the language writes them."""
    match detail:
        case str():
            return _text(detail)
        case Number(value, digits):
            return t.number(value, digits)
        case Measured(value):
            return value_text(t, value)
        case Chosen(value):
            return t.exact(value)
        case Share(share):
            return t.percent(share)
        case ShareOfDraw(share):
            return percent_of_draw(share, t)
        case Likeliest(token, share, was_before):
            said = "course.still_likeliest" if was_before else "course.now_likeliest"
            return t(said, token=_text(token), share=t.percent(share))
        case _:
            return t.integer(detail)


def _text(detail: str) -> str:
    """A space at an end, which may be a token's, is marked as in the pictures; between words it stays one."""
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
