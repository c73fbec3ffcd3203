"""What a chapter of the course is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
DETAIL = re.compile(r"\{([a-z_]+)\}")  # the place of a number in an answer


@dataclass(frozen=True)
class Link:
    """A view of a page: "step_through?model=names"."""

    page: str
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One thing to do on a page, which a check detects."""

    do: str  # Markdown
    answer: str  # Markdown with {details} of what the check found
    check: str
    argument: str = ""
    view: Link | None = None  # where it begins; None: where one is


@dataclass(frozen=True)
class Chapter:
    """A goal, and the way to it."""

    name: str
    title: str
    goal: str
    minutes: int
    story: str  # Markdown
    tasks: tuple[Task, ...]
    understood: str  # what one can say at its end
    notes: str = ""  # for the teacher, Markdown


@dataclass(frozen=True)
class Known:
    """What a chapter may speak of."""

    checks: Mapping[
        str, Callable[[str], frozenset[str] | None]
    ]  # by name: the details it finds, None: no such argument
    senseless: Callable[[Link], tuple[str, ...] | None]  # the parts of a link that make no sense; None: no such page
