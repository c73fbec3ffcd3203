"""Training steps that belong to no run: of a check of the doctor, of a bug's race, of a pitfall."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import ClassVar, Self

from lmviz.debug.bugs.catalogue import bug_named
from lmviz.debug.bugs.models import loop_of, why_not
from lmviz.debug.bugs.training import paired_step
from lmviz.debug.doctor import CHECKS
from lmviz.debug.lesson_step import LessonStep
from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.debug.pitfalls.run import step_of_setup
from lmviz.debug.subject import Subject, subject_of
from lmviz.debug.threads import one_thread
from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.bug import Healthy, OfWeights, WithBug
from lmviz.registry.reference import Reference, Registry, Title, TrainingStep
from lmviz.registry.tokens import tokens_of_row
from lmviz.train.data import Windows

_WRITTEN = re.compile(r"moment/([a-z_]{1,40})!(\d{1,6})(?:\.(\d{1,6}))?@(.+)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class _Opened:
    """A training step, and its model as a checkpoint."""

    step: LessonStep
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class _Step(Reference):
    """A training step, with the text of its batch that is followed."""

    step: int
    row: int

    trains: ClassVar[bool] = True

    @classmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        found = _WRITTEN.fullmatch(written)
        if found is None:
            return None
        return cls._of(found[1], found[4], int(found[2]), int(found[3] or 0), read)

    @classmethod
    @abstractmethod
    def _of(cls, lesson: str, of: str, step: int, row: int, read: Callable[[str], Reference]) -> Self | None: ...

    @abstractmethod
    def _made(self, registry: Registry) -> _Opened: ...

    @abstractmethod
    def _lesson(self) -> Hashable:
        """What it is a step of, in plain values."""

    def _written(self, lesson: str, of: object) -> str:
        return f"moment/{lesson}!{self.step}.{self.row}@{of}"

    def _opened(self, registry: Registry) -> _Opened:
        def made() -> _Opened:
            with one_thread():
                return self._made(registry)

        return registry.kept((type(self), self._lesson(), self.step, self.version(registry)), made)

    def load(self, registry: Registry) -> Checkpoint:
        return self._opened(registry).checkpoint

    def version(self, registry: Registry) -> Hashable:
        return ()

    def batch(self, registry: Registry) -> Windows:
        """The texts that the step learns from."""
        made = self._opened(registry).step
        return Windows(made.inputs, made.targets)

    def first_prompt(self, registry: Registry) -> str:
        opened = self._opened(registry)
        return tokens_of_row(opened.checkpoint, opened.step.inputs, self.row).text

    def training_step(self, registry: Registry) -> TrainingStep:
        return TrainingStep(self.batch(registry), self.row, self._opened(registry).step.record)

    def _titled(self, of: Title) -> Title:
        return Title(str(self), "choice.moment", {"model": of, "step": self.step})


@dataclass(frozen=True, slots=True)
class PairedStep(_Step):
    """Of the two trainings that a bug's race compares, the one with the bug or the one without it."""

    trained: WithBug | Healthy

    WORD: ClassVar[str] = "race"

    @classmethod
    def _of(cls, lesson: str, of: str, step: int, row: int, read: Callable[[str], Reference]) -> Self | None:
        trained = read(of) if lesson == cls.WORD else None
        return cls(step, row, trained) if isinstance(trained, WithBug | Healthy) else None

    def __str__(self) -> str:
        return self._written(self.WORD, self.trained)

    def version(self, registry: Registry) -> Hashable:
        return self.trained.version(registry)

    def title(self, registry: Registry) -> Title:
        return self._titled(self.trained.title(registry))

    def _lesson(self) -> Hashable:
        return self.trained

    def _made(self, registry: Registry) -> _Opened:
        base, bug = registry.checkpoint(self.trained.base), bug_named(self.trained.bug)
        if why_not(bug, base):
            raise UserError("There is no folder {folder}.", folder=str(self))
        return _opened(paired_step(base, bug if isinstance(self.trained, WithBug) else None, self.step), base)


@dataclass(frozen=True, slots=True)
class PitfallStep(_Step):
    """Of a pitfall's training, as it goes wrong or with one of its cures."""

    pitfall: str
    cure: str = ""  # empty: none

    WORD: ClassVar[str] = "pitfall"

    @classmethod
    def _of(cls, lesson: str, of: str, step: int, row: int, read: Callable[[str], Reference]) -> Self | None:
        pitfall, _, cure = of.partition("/")
        return cls(step, row, pitfall, cure) if lesson == cls.WORD else None

    def __str__(self) -> str:
        return self._written(self.WORD, f"{self.pitfall}/{self.cure}" if self.cure else self.pitfall)

    def title(self, registry: Registry) -> Title:
        return self._titled(Title(self.pitfall, f"pitfall.{self.pitfall}"))

    def _lesson(self) -> Hashable:
        return self.pitfall, self.cure

    def _made(self, registry: Registry) -> _Opened:
        found = PITFALLS.get(self.pitfall)
        setups = {"": found.faulty, **dict(found.cures)} if found is not None else {}
        if self.cure not in setups:
            name = f"{self.pitfall}/{self.cure}" if self.cure else self.pitfall
            raise UserError(
                "There is no pitfall called {name}; there are {known}.", name=name, known=", ".join(PITFALLS)
            )
        made, tokenizer, card = step_of_setup(setups[self.cure], self.step)
        return _Opened(made, Checkpoint(made.model, tokenizer, made.model.cfg, card))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class CheckStep(_Step):
    """Of the short training in which a check of the doctor looks for something."""

    check: str
    model: Reference

    @classmethod
    def _of(cls, lesson: str, of: str, step: int, row: int, read: Callable[[str], Reference]) -> Self | None:
        model = read(of) if lesson not in (PairedStep.WORD, PitfallStep.WORD) else None
        return cls(step, row, lesson, model) if isinstance(model, OfWeights | WithBug | Healthy) else None

    def __str__(self) -> str:
        return self._written(self.check, self.model)

    def version(self, registry: Registry) -> Hashable:
        return self.model.version(registry)

    def title(self, registry: Registry) -> Title:
        return self._titled(self.model.title(registry))

    def _lesson(self) -> Hashable:
        return self.check, self.model

    def _made(self, registry: Registry) -> _Opened:
        check = CHECKS.get(self.check)
        if check is None or check.lesson is None:
            raise UserError("There is no folder {folder}.", folder=str(self))
        made = check.lesson.step(examined(self.model, registry), self.step)
        return _opened(made, registry.checkpoint(self.model))


def examined(model: Reference, registry: Registry) -> Subject:
    """A model as the doctor sees it, with the training loop that it has."""
    bug = bug_named(model.bug) if isinstance(model, WithBug) else None
    return subject_of(registry.checkpoint(model), loop=loop_of(bug))


def _opened(step: LessonStep, base: Checkpoint) -> _Opened:
    return _Opened(step, Checkpoint(step.model, base.tokenizer, base.config, base.card))
