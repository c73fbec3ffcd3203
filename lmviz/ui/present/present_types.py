"""What Python sends to the browser for presenting. `browser/present.d.ts` is made from this file."""

from __future__ import annotations

from typing import TypedDict


class Code(TypedDict):
    """An address as a QR code."""

    address: str
    rows: list[str]  # from top to bottom, a 1 for each dark square, its quiet zone around it; none: it is too long


class Names(TypedDict):
    """What is heard of Streamlit's own parts, which it names in English or not at all."""

    ours: dict[str, str]  # by Streamlit's; "…" stands for anything
    at: dict[str, str]  # by the selector of what has no name that is fit to be heard


class Presenting(TypedDict):
    lang: str
    names: Names
    words: dict[str, str]
    on: bool
    scale: float  # how much larger Python takes all to be
    course: str  # the chapter that is on the way and its task, "attention.2"; empty: none
    code: Code | None  # what was asked for
