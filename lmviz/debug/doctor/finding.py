"""What a check returns: what was measured, where, and whether it is as it must be. Numbers and names, no sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lmviz.debug.lesson import Lesson
from lmviz.debug.sources import Source
from lmviz.debug.subject import Subject
from lmviz.trace.step import Cell

Sure = Literal["sure", "likely", "hint"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Pages have, for each check, a title and sentences with these details in them: what was measured, what that means,
    how to mend it, and when it would be a false alarm.
    """

    check: str
    holds: bool | None  # None: could not be measured here, for the reason in `why_not`
    measured: float = 0.0
    limit: float = 0.0  # what `measured` is compared with
    where: str = ""  # an address in the walk, or the path of a weight
    cell: Cell | None = None
    steps: tuple[int, int] | None = None  # of a training: from the first to the last step that it is about
    step: int = 0  # of a training: the one in which it is seen best; 0: `where` is in a walk through the model
    gradient: bool = False  # whether it is about the gradient at `where`
    ids: tuple[int, ...] = ()  # what the model read; empty: the subject's own text
    beside: tuple[int, ...] = ()  # the other text with which that was compared
    details: Mapping[str, object] = field(default_factory=dict)  # further numbers and names
    why_not: str = ""  # "too_large", "no_attention", ...
    sure: Sure | None = None  # how sure one can be of this one; None: as of its check


@dataclass(frozen=True, slots=True)
class Check:
    """A check and what is known about it before it runs."""

    name: str
    run: Callable[[Subject], Finding]
    sure: Sure  # how sure one can be of what it finds
    sources: tuple[Source, ...]  # where the rule comes from
    lesson: Lesson | None = None  # the training whose steps it looks at
    trains: bool = False  # whether it makes steps of it, which takes a moment
    is_fine: bool = False  # whether the rounding of a quantised model can hide what it looks for, or look like it


def not_measured(check: str, why: str) -> Finding:
    return Finding(check, None, why_not=why)
