"""The arithmetic of an explanation, piece by piece as it is read: the same in the inspector and on pages of widgets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lmviz.explain import line as lines
from lmviz.trace.operations.explanation import TERMS, Explanation, Operand, Piece
from lmviz.ui import arithmetic_types as read
from lmviz.ui.text import Translator

_SIGN = re.compile(r"[+−×÷/*^-]\s*$")


def is_held(before: str, shown: str, after: str) -> bool:
    """Whether a number stands in brackets: a negative one that follows a sign, or is squared: −1.87 × (−0.29).

    >>> is_held(" × ", "−0.29", ""), is_held("exp(", "−0.29", ")"), is_held("", "−3", "²")
    (True, False, True)
    """
    return shown.startswith("−") and (_SIGN.search(before) is not None or after.startswith("²"))


def line(why: Explanation, t: Translator, digits: int, n_shown: int, n_sent: int) -> read.Line:
    """One line, true as it is written.

    Args:
        n_shown: terms of a longer sum that are shown at first, the largest.
        n_sent: terms that are sent, which are shown when they are asked for.
    """
    choices = lines.shortest(why, n_shown), lines.shortest(why, n_sent)
    found = lines.explained(why, digits, choices, t.plain)
    pieces = _Writer(why, t, found.digits, *choices).pieces(why.written)
    return {"value": t.localised(found.result), "sign": found.sign, "pieces": pieces}


@dataclass(frozen=True)
class _Writer:
    """Writes the pieces of one line."""

    why: Explanation
    t: Translator
    digits: int
    short: list[int]
    sent: list[int]

    def number(self, value: complex) -> str:
        return self.t.localised(lines.written(value, self.digits, self.t.plain))

    def pieces(self, given: Sequence[Piece], before: str = "") -> list[read.Piece]:
        """`before` is what stands on the left of the first."""
        around = [before, *(piece if isinstance(piece, str) else "" for piece in given), ""]
        return [self.piece(piece, around[i], around[i + 2]) for i, piece in enumerate(given)]

    def piece(self, one: Piece, before: str, after: str) -> read.Piece:
        if isinstance(one, str):
            return {"text": one}
        if one is TERMS:
            return self.total(before)
        value = one.value if isinstance(one, Operand) else one
        assert isinstance(value, float | int | complex)
        shown = self.number(value)
        number: read.Piece = {"shown": shown}
        if is_held(before, shown, after):
            number["held"] = True
        if isinstance(one, Operand):
            number["name"], number["address"] = one.name, one.address
            number["cell"], number["gradient"] = list(one.cell), one.gradient
        return number

    def total(self, before: str) -> read.Piece:
        """The sum of the terms, and what those that are not shown come to."""
        terms = [
            read.SumTerm(pieces=self.pieces(self.why.terms[index].pieces, " + " if place else before))
            for place, index in enumerate(self.sent)
        ]
        rest = [self.rest(chosen) for chosen in (self.short, self.sent)]
        return {"terms": terms, "short": [self.sent.index(i) for i in self.short], "rest": rest}

    def rest(self, chosen: list[int]) -> read.Rest:
        shown = self.number(lines.rest_of(self.why, chosen))
        return {"shown": shown, "held": is_held(" + ", shown, ""), "n": len(self.why.terms) - len(chosen)}
