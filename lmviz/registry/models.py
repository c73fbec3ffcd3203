"""All models that can be asked for, each opened once, and what they read, each recorded once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

from lmviz.bundle import SAMPLES
from lmviz.log import timed
from lmviz.model import hub
from lmviz.model.card import Card, read_card
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.cache import Budget, Cache
from lmviz.registry.holdings import holdings
from lmviz.registry.recording import Recording, Request, record_request
from lmviz.registry.reference import Reference, Title
from lmviz.train.runs import Runs

T = TypeVar("T")
log = logging.getLogger(__name__)

ORDER = (
    "small-ever",
    "pokemon",
    "simple-llm",
    "names",
    "names-llama",
    "sentences",
)  # of the samples, from small to large
KEPT = 128  # models, recordings, training steps, puzzles
_LOGGED = 80  # characters of a text
_BYTES_KEPT = 2 * 2**30  # of weights and activations, in all caches together


class Models:
    """Shared by all sessions; safe to use from several threads."""

    def __init__(self, samples: Path = SAMPLES, open_runs: Callable[[], Runs] = Runs) -> None:
        """
        Args:
            samples: the folder of the sample models.
            open_runs: opens the trainings, when they are first asked for.
        """
        self.samples = samples
        self._open_runs = open_runs
        self._budget = Budget(_BYTES_KEPT, holdings)
        self._runs, self._kept = self.cache(1), self.cache(KEPT)

    def cache(self, size: int) -> Cache:
        """A cache of some things that are made of models, within the limit that all share."""
        return self._budget.cache(size)

    @property
    def runs(self) -> Runs:
        """The trainings of the folder that LMVIZ_RUNS names.

        Raises:
            UserError: the folder cannot be used.
        """
        return self._runs.get("runs", self._open_runs)

    def sample_names(self) -> list[str]:
        """The samples, the smallest first; others by their names after them."""
        found = [path.parent.name for path in self.samples.glob("*/config.json")]
        return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))

    def folder_names(self) -> list[str]:
        """The folders of models right below those that the environment names, then what the Hub's cache holds."""
        named = os.environ.get("LMVIZ_MODELS", "").split(os.pathsep)
        found = [str(path.parent) for one in named if one for path in sorted(Path(one).glob("*/config.json"))]
        return [*found, *hub.cached_names()]

    def checkpoint(self, reference: Reference) -> Checkpoint:
        """The model that is asked for, as it is now.

        Raises:
            UserError: there is no such model, or it can't be opened.
        """
        return self.kept((reference, reference.version(self)), lambda: self._load(reference))

    def record(self, request: Request) -> Recording:
        """The model reading the text, from the cache if it did so before.

        Raises:
            UserError: the model can't be opened, or there is no text that it can read.
        """
        return self.kept((request, request.model.version(self)), lambda: self._record(request))

    def _load(self, reference: Reference) -> Checkpoint:
        with timed(log, logging.INFO, "opened %s", reference):
            return reference.load(self)

    def _record(self, request: Request) -> Recording:
        with timed(log, logging.DEBUG, "recorded %s reading %r", request.model, request.prompt[:_LOGGED]):
            return record_request(request, self)

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made once, made now if it is not there. All weights and activations share one limit."""
        return self._kept.get(key, make)

    def first_prompt(self, reference: Reference) -> str:
        """A text for whoever has typed none."""
        return reference.first_prompt(self)

    def title(self, reference: Reference) -> Title:
        """What a model is called."""
        return reference.title(self)

    def card(self, checkpoint: Checkpoint, language: str) -> Card:
        """What a model is: the `README.fr.md` of its folder for French, say, or else its `README.md`."""
        translated = None if checkpoint.folder is None else checkpoint.folder / f"README.{language}.md"
        return read_card(translated) if translated is not None and _is_there(translated) else checkpoint.card


def _is_there(path: Path) -> bool:
    """Whether a name stands in a folder, if only as a link that leads nowhere: reading it then says so."""
    return path.is_symlink() or path.exists()
