"""A bug: a small, named edit of a source file, old text to new text."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lmviz.debug.sources import Source
from lmviz.model.architectures import ARCHITECTURES
from lmviz.model.source_edits import Edit
from lmviz.stages.stage import Kind

Place = Kind | Literal["training"]
LOOP = "plain_loop"  # the source of the training loop
Mark = Literal[" ", "-", "+", "…"]


@dataclass(frozen=True, slots=True)
class Bug:
    """One mistake that people make: in a model, where the record of an architecture says how, or in the training loop.

    `seen_by` names the checks of the doctor that find it in a model that is otherwise healthy; empty: the doctor cannot
    see it, and says so.
    """

    name: str
    place: Place  # the stage that it breaks; "training": the loop
    seen_by: tuple[str, ...]
    source: Source  # who met it, or which equation it breaks
    level: int = 1  # of the game: 1 easy to see, 3 hard
    least_heads: int = 1  # with fewer it changes nothing
    least_layers: int = 1
    needs_dropout: float = 0.0  # the healthy model must have it too
    needs_tie: bool = False
    needs_sharing: bool = False  # several keys, each of which several heads read
    retrain: bool = False  # its effect is on the weights: both models are trained anew, from the same seed
    loop: tuple[Edit, ...] = ()  # of the source of the training loop

    @property
    def in_loop(self) -> bool:
        return bool(self.loop)

    @property
    def edits(self) -> Mapping[str, tuple[Edit, ...]]:
        """By source: the name of an architecture, or LOOP."""
        if self.loop:
            return {LOOP: self.loop}
        return {name: record.edits[self.name] for name, record in ARCHITECTURES.items() if self.name in record.edits}


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a diff; `number` counts the lines of the file that the line stands in."""

    mark: Mark
    number: int
    text: str = field(default="")


def apply(edits: tuple[Edit, ...], source: str) -> str:
    """The source with the bug in it.

    Raises:
        ValueError: the source is not the one that the edits were written for.
    """
    for edit in edits:
        if source.count(edit.old) != edit.times:
            raise ValueError(f"expected {edit.times} of {edit.old!r} in the source; found {source.count(edit.old)}.")
        source = source.replace(edit.old, edit.new)
    return source


def diff(before: str, after: str, around: int = 2) -> tuple[DiffLine, ...]:
    """What changed, with some lines around it; "…" stands where lines are left out."""
    old, new = before.splitlines(), after.splitlines()
    groups = difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(around)
    return tuple(line for i, group in enumerate(groups) for line in _lines(group, old, new, i > 0))


def _lines(
    group: list[tuple[str, int, int, int, int]], old: list[str], new: list[str], gap: bool
) -> Iterator[DiffLine]:
    if gap:
        yield DiffLine("…", 0)
    for tag, old_from, old_to, new_from, new_to in group:
        if tag == "equal":
            yield from (DiffLine(" ", i + 1, new[i]) for i in range(new_from, new_to))
            continue
        yield from (DiffLine("-", i + 1, old[i]) for i in range(old_from, old_to))
        yield from (DiffLine("+", i + 1, new[i]) for i in range(new_from, new_to))
