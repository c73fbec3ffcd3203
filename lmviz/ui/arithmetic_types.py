"""A line of arithmetic as it is read. `browser/arithmetic.d.ts` is made from this file."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Piece(TypedDict):
    """A piece of a line: text, a number, an operand that can be followed, or a sum of terms."""

    text: NotRequired[str]
    shown: NotRequired[str]
    held: NotRequired[bool]  # whether the number stands in brackets, as in −1.87 × (−0.29)
    name: NotRequired[str]
    address: NotRequired[str]
    cell: NotRequired[list[int]]
    gradient: NotRequired[bool]
    seen: NotRequired[Seen]  # where the same number is in the picture, if it is not there by its own address
    terms: NotRequired[list[SumTerm]]
    short: NotRequired[list[int]]  # which terms are shown first
    rest: NotRequired[list[Rest]]  # of what the others come to: first, and when all that were sent are shown


class Seen(TypedDict):
    address: str
    cell: list[int]


class SumTerm(TypedDict):
    pieces: list[Piece]


class Rest(TypedDict):
    """What the terms that are not shown come to, and how many they are."""

    shown: str
    held: bool
    n: int


class Line(TypedDict):
    """What a number is, the sign, and the arithmetic."""

    value: str
    sign: str
    pieces: list[Piece]
    say: NotRequired[str]  # what it is for, in words
