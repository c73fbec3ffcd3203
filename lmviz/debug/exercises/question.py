"""A question with a few answers to choose from, one of which was measured."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lmviz.trace.step import Cell

Kind = Literal[
    "number", "token", "position", "shape", "word"
]  # how the options are written; a word is a key of a sentence
Option = int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """The sentence of `name` asks it, with `details` in its places."""

    name: str
    about: str  # a stage of the walk, or a pitfall
    kind: Kind
    options: tuple[Option, ...]
    answer: int  # index into the options
    where: str = ""  # the address in the walk where the answer can be seen
    cell: Cell | None = None
    details: Mapping[str, object] = field(default_factory=dict)

    def is_right(self, chosen: int) -> bool:
        return chosen == self.answer


def mixed(right: Option, others: Sequence[Option], seed: str, most: int = 4) -> tuple[tuple[Option, ...], int]:
    """The right option among some others, in an order drawn by the seed; no two are equal."""
    wrong = [option for option in dict.fromkeys(others) if option != right]
    drawn = random.Random(seed)
    chosen = [right, *wrong[: most - 1]]
    drawn.shuffle(chosen)
    return tuple(chosen), chosen.index(right)


def numbers_near(right: int, least: int = 0) -> list[int]:
    """Whole numbers that one could take for the right one."""
    near = [right + 1, right * 2, right - 1, right // 2, right + 2, right + 5]
    return [number for number in near if number >= least and number != right]
