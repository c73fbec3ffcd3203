"""What the pictures of the training page are made of. `browser/pictures.d.ts` is made from this file."""

from __future__ import annotations

from typing import TypedDict


class Owner(TypedDict):
    """The numbers by which a visitor's runs are known, and the one that is given to new runs."""

    fresh: str
    known: list[str]


Shapes = list[list[int]]  # of each part: so many tensors of one shape, [3, 16, 16]


class Sizes(TypedDict):
    names: list[str]
    colours: list[str]
    parts: Shapes
    options: dict[str, list[Shapes]]  # by the name of a size, for every place of its slider


class UpdateLine(TypedDict):
    """One line of an update, as it is written. `x_y` is written with a small y below, `x^y` with one above."""

    symbol: str
    say: str  # what it is
    formula: str  # in symbols; empty for what is given
    numbers: str  # the same with numbers
    sign: str  # = or ≈
    value: str
    uses: list[str]  # the symbols in its formula


class UpdateSum(TypedDict):
    """The way of one weight through one step, line by line."""

    of: str  # tells one weight and step from another
    lines: list[UpdateLine]
