"""All heads of a block at once: what Python sends. `browser/heads.d.ts` is made from this file."""

from __future__ import annotations

from typing import Literal, TypedDict

from lmviz.ui.panel_types import ColourScale


class HeadPicture(TypedDict):
    """One head. The texts are what its picture shows, for who cannot see it."""

    head: int
    cells: str  # float32 in base64, [query, key]
    best: str  # which token the followed one gives most to
    share: str  # how much
    without: str  # the probability of the answer without the head; empty if it was not measured
    change: float  # how far that is from what it is with the head, as a share of the largest such change


class Heads(TypedDict):
    heads: list[HeadPicture]  # those that change the answer most come first
    tokens: list[str]  # of both axes
    focus: int | None  # the row that is followed
    chosen: int
    scale: ColourScale
    peak: float
    said: str  # what was measured


class OnHead(TypedDict):
    type: Literal["head"]
    head: int
