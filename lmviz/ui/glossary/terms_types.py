"""What Python sends to the browser of the glossary. `browser/terms.d.ts` is made from this file."""

from __future__ import annotations

from typing import TypedDict


class Term(TypedDict):
    """A term and what it means."""

    forms: list[str]  # the term, then the other words that stand for it
    says: str


class Terms(TypedDict):
    lang: str
    words: dict[str, str]
    terms: list[Term]
