"""What a visitor of the training page is looking at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lmviz.registry.reference import Reference
from lmviz.ui.parts import model_part
from lmviz.ui.place import Place, distinct, flag, part, whole, words
from lmviz.ui.place import cell as cell_of
from lmviz.ui.step_through.view import map_of

OWN = "own"  # texts of one's own
TWO_WORDS = "two_words"  # the smallest model, for two words of one's own
Change = tuple[str, str | int | float | bool]


def _changes(text: str) -> tuple[Change, ...]:
    """Settings by their path in a recipe, as a JSON object; what may stand there is checked by the recipe itself."""
    found = json.loads(text)
    if not isinstance(found, dict) or len(found) > 40:
        raise ValueError(text)
    return tuple((name, _plain(value)) for name, value in sorted(found.items()))


def _plain(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool) or len(str(value)) > 200:
        raise ValueError(value)
    return value


def _two(text: str) -> tuple[str, str]:
    first, second = json.loads(text)
    return str(first)[:100], str(second)[:100]


def _names(text: str) -> tuple[str, ...]:
    return distinct(json.loads(text), 8, words)


@dataclass(frozen=True)
class TrainingView(Place):
    """One visitor's place on the training page: a plan, or a run."""

    data: str = part("pokemon", str)  # texts that come with lmviz, "own", or a run whose recipe is taken up
    own: str = part("", str)  # the name that the text of one's own is kept by
    words: tuple[str, str] = part(("Clem", "Creatrice"), _two)  # the two words of one's own
    changes: tuple[Change, ...] = part((), _changes)  # of the recipe that comes with the texts
    start: Reference | None = model_part()  # the model to start from; empty: numbers drawn at random
    window: int = part(0, whole(0, 10**7))  # which window of the texts is shown
    run: str = part("", str)  # the run that is watched; empty: the plan
    beside: tuple[str, ...] = part((), _names)  # other runs on its chart
    log: bool | None = part(None, flag)  # a logarithmic axis; None: where the loss has left the others far below
    log_steps: bool | None = part(None, flag)  # the same for the steps; None: where there are many
    map: str = part("", map_of)  # the whole model in one picture, if it is open: whose attention it shows
    tab: str = part("", str)
    step: int = part(-1, whole(-1, 2**31))  # of time travel; -1: the last there is
    b_step: int = part(-1, whole(-1, 2**31))  # the other time of a comparison
    prompt: str | None = part(None, str)
    opened: int = part(0, whole(0, 2**31))  # the training step that is open; 0: none yet
    scene: int = part(1, whole(1, 5))  # of its slow motion
    look: str = part("", str)  # what of it is looked at: the address of a tensor, or a weight
    cell: tuple[str, tuple[int, ...]] | None = part(None, lambda text: cell_of(json.loads(text)))

    def query(self) -> dict[str, str]:
        query = super().query()
        if self.changes:
            query["changes"] = json.dumps(dict(self.changes), separators=(",", ":"))
        return query
