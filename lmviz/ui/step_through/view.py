"""What a visitor of the step-through is looking at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lmviz.ui.state import Place, choice, distinct, flag, part, real, whole, words
from lmviz.ui.state import cell as cell_of

GRAINS = ("stage", "line", "op")

Edit = tuple[str, tuple[int, ...], float]  # address, cell, value; a cell of one number is a head that is switched off


def _edit(found: Any) -> Edit:
    address, index, value = found
    cell = cell_of((address, index))
    return cell[0], cell[1], real(-3e38, 3e38)(value)  # what a float32 holds


@dataclass(frozen=True)
class View(Place):
    """One visitor's place in the step-through."""

    model: str = part("small-ever", str)
    prompt: str | None = part(None, str)  # None: the model's own first prompt
    step: str = part("", str)  # the address of a step; empty: the tokenizer
    by: str = part("stage", choice(*GRAINS))
    line: int = part(-1, whole(-1, 1000))  # by line: which of the lines that end with that step, from the innermost out
    focus: int = part(-1, whole(-1, 100_000))  # position of the focus token; negative: from the end
    head: int = part(0, whole(0, 10_000))
    cell: tuple[str, tuple[int, ...]] | None = part(None, lambda text: cell_of(json.loads(text)))  # the pinned cell
    trail: tuple[tuple[str, tuple[int, ...]], ...] = part(
        (), lambda text: tuple(cell_of(one) for one in json.loads(text)[:50])
    )  # the cells from which one walked back to the pinned one
    target: str = part("", str)
    temperature: float = part(1.0, real(0.01, 10))
    grad: bool = part(False, flag)
    digits: int = part(2, lambda text: {"2": 2, "4": 4}[text])
    edits: tuple[Edit, ...] = part((), lambda text: distinct(json.loads(text), 50, _edit))
    stops: tuple[str, ...] = part((), lambda text: distinct(json.loads(text), 20, words))  # breakpoints
    watch: tuple[tuple[str, tuple[int, ...]], ...] = part((), lambda text: distinct(json.loads(text), 8, cell_of))
    b_model: str = part("", str)  # the other run that this one is compared with: where it differs
    b_prompt: str = part("", str)
    b_plain: bool = part(False, flag)  # without the edits
    present: bool = part(False, flag)

    @property
    def compares(self) -> bool:
        return bool(self.b_model or self.b_prompt or self.b_plain)
