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
