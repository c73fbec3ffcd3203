"""What the pictures of the tokenizer page are made of. `browser/pictures.d.ts` is made from this file."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class PieceBox(TypedDict):
    """A box around a piece of text."""

    text: str
    below: NotRequired[str]
    share: NotRequired[float]
    hue: NotRequired[int]
    key: NotRequired[int]
    marks: NotRequired[list[str]]
    sign: NotRequired[str]
    title: NotRequired[str]
    breaks: NotRequired[bool]


class Pieces(TypedDict):
    pieces: list[PieceBox]
    clicks: bool
    chosen: int | None
    height: int
    roomy: bool
    empty: str


class Kind(TypedDict):
    name: str
    title: str
    count: int


class Kinds(TypedDict):
    rows: list[Kind]
    chosen: str
    total: int


class Pair(TypedDict):
    left: str
    right: str
    count: int


class Pairs(TypedDict):
    pairs: list[Pair]
    asked: int | None


class NewPiece(TypedDict):
    text: str
    new: bool


class CutWord(TypedDict):
    pieces: list[NewPiece]
    then: NotRequired[bool]


class CutWords(TypedDict):
    text: list[CutWord]
    more: int


class VariantPiece(TypedDict):
    text: str
    id: int


class Variant(TypedDict):
    text: str
    pieces: list[VariantPiece]
    same: bool


class Variants(TypedDict):
    rows: list[Variant]
