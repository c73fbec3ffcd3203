"""Find the bug: puzzles, and what their probes and glances show."""

from __future__ import annotations

from lmviz.debug.doctor.finding import Finding
from lmviz.debug.game import Puzzle, StageComparison, compare_stage, fair_places, probe
from lmviz.registry.folder import Folder
from lmviz.registry.models import Models
from lmviz.registry.puzzle import PuzzleModel

KEPT = 256


class Game:
    """Shared by all sessions; safe to use from several threads."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._fair, self._probes, self._glances = models.cache(KEPT), models.cache(KEPT), models.cache(KEPT)

    def puzzle(self, seed: int, level: int) -> Puzzle:
        """The puzzle of that seed and level, the same for everyone."""
        return PuzzleModel(level, seed).puzzle(self._models)

    def fair(self, asked: Puzzle) -> tuple[str, ...]:
        """The stages that are a right answer."""
        checkpoint = self._models.checkpoint(Folder(asked.model))
        return self._fair.get(asked, lambda: fair_places(checkpoint, asked))

    def probe(self, asked: Puzzle, check: str) -> Finding:
        checkpoint = self._models.checkpoint(Folder(asked.model))
        return self._probes.get((asked, check), lambda: probe(checkpoint, asked, check))

    def compare_stage(self, asked: Puzzle, stage: int) -> StageComparison:
        checkpoint = self._models.checkpoint(Folder(asked.model))
        return self._glances.get((asked, stage), lambda: compare_stage(checkpoint, asked, stage))
