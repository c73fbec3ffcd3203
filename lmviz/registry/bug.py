"""A model with a bug put into it, and the healthy one that it is compared with."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import ClassVar, Self

from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.catalogue import bug_named
from lmviz.debug.bugs.models import broken, healthy
from lmviz.debug.threads import one_thread
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.folder import Folder
from lmviz.registry.hub import HubModel
from lmviz.registry.reference import Reference, Registry, Title
from lmviz.registry.run import RunModel

OfWeights = Folder | HubModel | RunModel  # a model that somebody saved, from which others can be made


@dataclass(frozen=True, slots=True)
class _OfABug(Reference):
    """A model that is made for a bug from a model that can be trained."""

    bug: str
    base: Reference

    WORD: ClassVar[str] = ""

    @classmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        found = re.fullmatch(rf"{cls.WORD}/([a-z0-9_]{{1,40}})@(.+)", written, re.DOTALL)
        base = read(found[2]) if found else None
        return cls(found[1], base) if found and isinstance(base, OfWeights) else None

    def __str__(self) -> str:
        return f"{self.WORD}/{self.bug}@{self.base}"

    def version(self, registry: Registry) -> Hashable:
        return self.base.version(registry)


@dataclass(frozen=True, slots=True)
class WithBug(_OfABug):
    """A model that has the bug: in its source, or from a training loop that has it."""

    WORD: ClassVar[str] = "bug"

    def load(self, registry: Registry) -> Checkpoint:
        with one_thread():
            return broken(registry.checkpoint(self.base), bug_named(self.bug))

    def title(self, registry: Registry) -> Title:
        bug = Title(self.bug, f"bug.{self.bug}")
        return Title(str(self), "choice.with_bug", {"model": self.base.title(registry), "bug": bug})


@dataclass(frozen=True, slots=True)
class Healthy(_OfABug):
    """The model that a broken one is compared with."""

    WORD: ClassVar[str] = "cured"

    def load(self, registry: Registry) -> Checkpoint:
        with one_thread():
            return healthy(registry.checkpoint(self.base), bug_named(self.bug))

    def title(self, registry: Registry) -> Title:
        return Title(str(self), "choice.healthy", {"model": self.base.title(registry)})


def healthy_twin(bug: Bug, base: Reference) -> Reference:
    """What a broken model is compared with: the model itself, unless the bug is in how it was trained."""
    return Healthy(bug.name, base) if bug.retrain or bug.needs_dropout else base
