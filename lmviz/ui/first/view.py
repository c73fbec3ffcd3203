"""The sentence that a visitor of the first page is writing."""

from __future__ import annotations

from dataclasses import dataclass

from lmviz.ui.place import Place, part, whole

LONGEST = 300  # characters


def _text(written: str) -> str:
    if len(written) > LONGEST:
        raise ValueError(written)
    return written


@dataclass(frozen=True)
class FirstView(Place):
    """One visitor's sentence, as far as it is written."""

    text: str = part("", _text)  # empty: the question that greets everybody
    given: int = part(0, whole(0, LONGEST))  # how many of its characters the visitor has not chosen
