"""What the pictures of the generation page are made of. `browser/pictures.d.ts` is made from this file."""

from __future__ import annotations

from typing import Literal, TypedDict

Shown = Literal["scores", "shares"]


class Measure(TypedDict):
    """A share from 0 to 1 with a word on what it counts."""

    title: str
    help: str
    counts: str
    share: float | None
    figure: str


class Measures(TypedDict):
    rows: list[Measure]
    brief: bool


class WrittenText(TypedDict):
    given: str
    new: str
    log_prob: float
    final: float | None
    same_as: int  # the first text with the same new tokens
    stopped: bool


class WrittenTexts(TypedDict):
    rows: list[WrittenText]
    clicks: bool


class Node(TypedDict):
    """A text of a beam search."""

    index: int
    parent: int | None
    step: int
    rank: int
    text: str
    score: str
    fate: str
    title: str


class Tree(TypedDict):
    nodes: list[Node]
    path: list[int]
    looked: int | None
    prompt: str
    height: int


class Share(TypedDict):
    """A token's part of the bar from 0 to 1."""

    id: int
    text: str
    start: float
    end: float


class DrawBar(TypedDict):
    shares: list[Share]
    number: float | None  # the random number; None: not drawn yet
    chosen: int | None
    reached: float
    others: int


class FilterColumn(TypedDict):
    name: str
    title: str
    on: bool
    cut: int
    why: str


class TokenRow(TypedDict):
    id: int
    text: str
    scores: list[float | None]  # by column; None: cut
    shares: list[float | None]


class TokenStep(TypedDict):
    """One step of writing: the bar, and a page of the table."""

    columns: list[FilterColumn]
    rows: list[TokenRow]
    total: int
    start: int
    size: int
    chosen: int | None
    row: int | None
    column: str
    shown: Shown
    bar: DrawBar
