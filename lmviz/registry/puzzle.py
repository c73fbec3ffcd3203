"""The broken model of a puzzle, whose bug is to be found."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import ClassVar, Self

from lmviz.debug.game import Puzzle, puzzle
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.bug import WithBug
from lmviz.registry.folder import Folder
from lmviz.registry.reference import Reference, Registry

_LATER = frozenset(
    ("names-llama", "sentences")
)  # samples that came after links to puzzles: a seed goes on giving what it gave


@dataclass(frozen=True, slots=True)
class PuzzleModel(Reference):
    """The same level and seed give everyone the same."""

    level: int
    seed: int

    _WRITTEN: ClassVar = re.compile(r"puzzle/(\d)-(\d{1,6})")

    @classmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        found = cls._WRITTEN.fullmatch(written)
        return cls(int(found[1]), int(found[2])) if found else None

    def __str__(self) -> str:
        return f"puzzle/{self.level}-{self.seed}"

    def puzzle(self, registry: Registry) -> Puzzle:
        """Which bug is in which model, and what is asked."""

        def made() -> Puzzle:
            names = [name for name in registry.sample_names() if name not in _LATER]
            models = {name: registry.checkpoint(Folder(name)) for name in names}
            return puzzle(self.seed, self.level, models)

        return registry.kept(self, made)

    def load(self, registry: Registry) -> Checkpoint:
        return registry.checkpoint(self._hidden(registry))

    def version(self, registry: Registry) -> Hashable:
        return self._hidden(registry).version(registry)

    def first_prompt(self, registry: Registry) -> str:
        return self.puzzle(registry).prompt

    def _hidden(self, registry: Registry) -> WithBug:
        found = self.puzzle(registry)
        return WithBug(found.bug, Folder(found.model))
