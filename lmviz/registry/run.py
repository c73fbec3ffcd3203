"""A model of a training: as a checkpoint holds it, or as it makes one of its steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Self

from lmviz.errors import UserError
from lmviz.generate.readout import NextTokenLoss
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.reference import Changes, Reference, Registry, Title, TrainingStep
from lmviz.registry.tokens import tokens_of_row
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace
from lmviz.train.time_travel import BeforeStep


@dataclass(frozen=True, slots=True)
class RunModel(Reference):
    """The model of a run after one of its steps."""

    run: str
    step: int

    _WRITTEN: ClassVar = re.compile(r"runs/([0-9a-f]+)@(\d{1,9})")

    @classmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        found = cls._WRITTEN.fullmatch(written)
        return cls(found[1], int(found[2])) if found else None

    def __str__(self) -> str:
        return f"runs/{self.run}@{self.step}"

    def load(self, registry: Registry) -> Checkpoint:
        return registry.runs.model_at(self.run, self.step)

    def version(self, registry: Registry) -> Hashable:
        return registry.runs.get(self.run).name  # which its card bears

    def title(self, registry: Registry) -> Title:
        return _titled("time.model", self, registry)


@dataclass(frozen=True, slots=True)
class RunStep(Reference):
    """The model of a run as it makes a step, seen with one text of the batch."""

    run: str
    step: int
    row: int = 0

    trains: ClassVar[bool] = True
    _WRITTEN: ClassVar = re.compile(r"runs/([0-9a-f]+)!(\d{1,9})(?:\.(\d{1,7}))?")

    @classmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        found = cls._WRITTEN.fullmatch(written)
        return cls(found[1], int(found[2]), int(found[3] or 0)) if found else None

    def __str__(self) -> str:
        return f"runs/{self.run}!{self.step}.{self.row}"

    def load(self, registry: Registry) -> Checkpoint:
        last = registry.checkpoint(RunModel(self.run, registry.runs.ends(self.run)[0]))
        return Checkpoint(self.before(registry).model, last.tokenizer, last.config, last.card)

    def version(self, registry: Registry) -> Hashable:
        return registry.runs.get(self.run).name

    def first_prompt(self, registry: Registry) -> str:
        return tokens_of_row(registry.checkpoint(self), self.before(registry).batch.inputs, self.row).text

    def training_step(self, registry: Registry) -> TrainingStep:
        """All texts of the batch, to the loss and back, with the step's own dropout."""
        before = self.before(registry)

        def made(changes: Changes) -> Trace:
            loss = NextTokenLoss(before.batch.targets)
            return record(before.model, before.batch.inputs, edits=changes, backward=loss, seed=before.seed)

        return TrainingStep(before.batch, self.row, made)

    def before(self, registry: Registry) -> BeforeStep:
        """The run just before it makes the step."""
        return registry.kept((RunStep, self.run, self.step), lambda: registry.runs.before_step(self.run, self.step))

    def title(self, registry: Registry) -> Title:
        return _titled("time.training_step", self, registry)


def _titled(sentence: str, reference: RunModel | RunStep, registry: Registry) -> Title:
    """By the run's name and the step."""
    with suppress(UserError):
        details = {"name": registry.runs.get(reference.run).name, "step": reference.step}
        return Title(str(reference), sentence, details)
    return Title(str(reference))
