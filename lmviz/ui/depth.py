"""How deep a reader wants to look: the story alone, its numbers, its formulas, or all. What each shows is said here.

A part of a page asks `depth.shows(view.depth, "formula")`; the browser is told the parts, and its styles hide the rest.
"""

from __future__ import annotations

from typing import Literal, get_args

Depth = Literal["story", "numbers", "formula", "code"]
Part = Literal[
    "ids",
    "shapes",
    "arithmetic",
    "logits",
    "checks",
    "lines",
    "tensors",
    "formula",
    "segments",
    "source",
    "stops",
    "powers",
]

DEPTHS: tuple[Depth, ...] = get_args(Depth)
STORY: Depth = "story"  # where the course begins
CODE: Depth = "code"  # what a link without a word about it opens
WHERE_SHOWN: dict[Part, Depth] = {  # from which depth on
    "ids": "numbers",  # of tokens, and the indices of cells
    "shapes": "numbers",
    "arithmetic": "numbers",
    "logits": "numbers",  # beside the chances that come of them
    "checks": "numbers",  # what must hold, with what was measured
    "lines": "numbers",  # steps smaller than a stage, which arithmetic leads to
    "tensors": "numbers",  # the list of them all
    "formula": "formula",
    "segments": "formula",  # the second text that BERT reads
    "source": "code",
    "stops": "code",  # breakpoints
    "powers": "code",  # numbers such as 3.7e−4
}


def shows(depth: Depth, part: Part) -> bool:
    """Whether a part of a page is shown at a depth.

    >>> shows("story", "formula"), shows("formula", "formula"), shows("code", "formula")
    (False, True, True)
    """
    return DEPTHS.index(depth) >= DEPTHS.index(WHERE_SHOWN[part])


def parts(depth: Depth) -> list[str]:
    """All that is shown at a depth.

    >>> parts("story"), parts("code") == list(WHERE_SHOWN)
    ([], True)
    """
    return [part for part in WHERE_SHOWN if shows(depth, part)]
