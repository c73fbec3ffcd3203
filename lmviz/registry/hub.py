"""A model of the Hugging Face Hub by its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lmviz.errors import UserError
from lmviz.model import hub
from lmviz.model.checkpoint import Checkpoint, load
from lmviz.registry.folder import MODEL_LIMIT
from lmviz.registry.reference import Reference, Registry


class NotDownloaded(UserError):
    """The model is on the Hub, perhaps, but not on this machine."""


_OTHER_KINDS = (
    "runs",
    "bug",
    "cured",
    "puzzle",
    "moment",
    "attached",
    "recording",
)  # of models, which links write with a slash


@dataclass(frozen=True, slots=True)
class HubModel(Reference):
    """A model by the name that the Hub has for it, `org/name`, at a revision if one is given, `org/name@revision`.

    A link opens what the cache on this machine holds; it never downloads.
    """

    repo: str
    revision: str = ""  # a branch, a tag or a commit; empty: the main branch

    @classmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        found = hub.NAME.fullmatch(written)
        if found is None or written.partition("/")[0] in _OTHER_KINDS:
            return None
        if os.path.isdir(written):  # a folder below the one that lmviz was started in
            return None
        return cls(found["repo"], found["revision"] or "")

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}" if self.revision else self.repo

    def load(self, registry: Registry) -> Checkpoint:
        folder = self._folder()
        if folder is None:
            raise NotDownloaded(
                "{name} is neither a folder below the one that lmviz was started in, nor a model of the Hub that is on "
                "this machine yet.",
                name=str(self),
            )
        return load(folder, memory=MODEL_LIMIT)

    def version(self, registry: Registry) -> Hashable:
        return self._folder()  # named after its commit

    def _folder(self) -> Path | None:
        return hub.cached(self.repo, self.revision)
