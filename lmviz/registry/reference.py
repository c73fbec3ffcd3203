"""What a model is asked for by: a frozen value, which a link writes as text, and what it gives to whoever asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, Self, TypeVar

from torch import Tensor

from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.program import Asked, OwnRun
from lmviz.trace.step import Trace
from lmviz.train.data import Windows
from lmviz.train.runs import Runs

T = TypeVar("T")

Changes = Mapping[str, Callable[[Tensor], Tensor]]  # what is put in the place of a tensor, by its address


@dataclass(frozen=True, slots=True)
class Title:
    """What a model is called on screen.

    Args:
        plain: the title in every language, where there is no sentence for it.
        sentence: the key of a sentence of the locale.
        details: what stands in the sentence; a `Title` there is put into words in its turn.
    """

    plain: str
    sentence: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TrainingStep:
    """One step of a training: a batch that a model learns from, where other models read a prompt."""

    batch: Windows
    row: int  # which of its texts is followed
    record: Callable[[Changes], Trace]  # makes the step, to the loss and back, with some numbers changed


class Registry(Protocol):
    """What a reference may ask for when it is opened: other models, the trainings of this machine, and a place to keep
    what took long to make."""

    @property
    def samples(self) -> Path:
        """The folder of the sample models."""

    @property
    def runs(self) -> Runs:
        """The trainings of this machine."""

    def sample_names(self) -> list[str]:
        """The samples, the smallest first."""

    def checkpoint(self, reference: Reference) -> Checkpoint:
        """Another model."""

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made once, made now if it is not there."""


class Reference(ABC):
    """One kind of model. A kind is a subclass in a file of its own, and one line in `kinds.KINDS`.

    Subclasses are frozen dataclasses of plain values. What opens something raises a UserError where there is no such
    model.
    """

    trains: ClassVar[bool] = False  # whether it is a step of a training, which brings its own texts
    reads: ClassVar[bool] = True  # whether it reads a prompt; what is attached brings its own inputs
    live: ClassVar[bool] = True  # whether it can run again, with some numbers changed; what lies in a file cannot

    @classmethod
    @abstractmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        """The reference that a link writes so; None if it is none of this kind.

        Args:
            read: reads a reference that stands inside this one.
        """

    @abstractmethod
    def __str__(self) -> str:
        """As a link writes it: `read` reads it back."""

    @abstractmethod
    def load(self, registry: Registry) -> Checkpoint:
        """The model, ready to run."""

    @abstractmethod
    def version(self, registry: Registry) -> Hashable:
        """Another value whenever `load` would give another model."""

    def first_prompt(self, registry: Registry) -> str:
        """A text for whoever has typed none."""
        prompts = registry.checkpoint(self).card.prompts
        return prompts[0] if prompts else "Hello"

    def training_step(self, registry: Registry) -> TrainingStep | None:
        """The step of a training that it is; None if it reads prompts."""
        return None

    def own_run(self, asked: Asked) -> OwnRun | None:
        """The recording that it brings itself; None if one is made of its model, by reading a prompt."""
        return None

    def title(self, registry: Registry) -> Title:
        """What it is called on screen. Raises nothing: what can't be found is called as a link writes it."""
        return Title(str(self))
