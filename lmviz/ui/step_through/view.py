"""What a visitor of the step-through is looking at."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lmviz.registry.edits import Edit
from lmviz.registry.reference import Reference
from lmviz.ui.depth import shows
from lmviz.ui.parts import edits_part, model_part
from lmviz.ui.place import Place, choice, distinct, flag, part, real, whole, words
from lmviz.ui.place import cell as cell_of

GRAINS = ("stage", "line", "op")
MEAN_OF_HEADS, ALL_HEADS = "mean", "all"  # else the number of a head


def map_of(text: str) -> str:
    return text if text in (MEAN_OF_HEADS, ALL_HEADS) else str(whole(0, 10_000)(text))


@dataclass(frozen=True)
class StepThroughView(Place):
    """One visitor's place in the step-through."""

    model: Reference = model_part("small-ever")
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
    edits: tuple[Edit, ...] = edits_part()
    stops: tuple[str, ...] = part((), lambda text: distinct(json.loads(text), 20, words))  # breakpoints
    watch: tuple[tuple[str, tuple[int, ...]], ...] = part((), lambda text: distinct(json.loads(text), 8, cell_of))
    b_model: Reference | None = model_part()  # the other run that this one is compared with: where it differs
    b_prompt: str = part("", str)
    b_plain: bool = part(False, flag)  # without the edits
    map: str = part("", map_of)  # the whole model in one picture, if it is open: whose attention it shows

    @property
    def grain(self) -> str:
        """What one steps by: stages alone, where nothing smaller is shown."""
        return self.by if shows(self.depth, "lines") else "stage"

    @property
    def compares(self) -> bool:
        return bool(self.b_model or self.b_prompt or self.b_plain)
