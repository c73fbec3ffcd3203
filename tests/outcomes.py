"""What settings make of a prompt, all at once: the app does it bit by bit."""

from __future__ import annotations

from collections.abc import Sequence

from lmviz.generate.beam import beam_search
from lmviz.generate.generation import generate_all
from lmviz.generate.settings import Settings
from lmviz.generate.side_by_side import Outcome, of_generations, of_search
from lmviz.model.checkpoint import Checkpoint


def outcome(checkpoint: Checkpoint, prompt: Sequence[int], settings: Settings) -> Outcome:
    if settings.strategy == "beam":
        return of_search(checkpoint, beam_search(checkpoint, prompt, settings))
    return of_generations(checkpoint, generate_all(checkpoint, prompt, settings))
