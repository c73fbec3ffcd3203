"""A sample model by its name, or the folder of another."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self

from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint, load
from lmviz.registry.reference import Reference, Registry, Title

MODEL_LIMIT = 4 * 2**30  # bytes that one model may take when somebody opens it
FOLDERS = ("LMVIZ_MODELS", "LMVIZ_RUNS")  # environment variables that name folders in which models may lie


@dataclass(frozen=True, slots=True)
class Folder(Reference):
    """A model in a folder, as Hugging Face lays it out."""

    name: str  # of a sample, or the folder's path

    @classmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        return cls(written)

    def __str__(self) -> str:
        return self.name

    def load(self, registry: Registry) -> Checkpoint:
        return load(self.path(registry), memory=MODEL_LIMIT)

    def version(self, registry: Registry) -> Hashable:
        return _state_of(self.path(registry))

    def title(self, registry: Registry) -> Title:
        is_path = self.name.startswith(("/", "~", "."))
        return Title(f"…/{PurePath(self.name).name}" if is_path else self.name)

    def path(self, registry: Registry) -> Path:
        """Where the folder is.

        Raises:
            UserError: it lies where a link must not look.
        """
        return registry.samples / self.name if self.name in registry.sample_names() else confined(self.name)


def confined(folder: str) -> Path:
    """A folder of the user's own, if it lies where models may lie: a link must not look around on the machine.

    That is below the home folder, below the one that lmviz was started in, or below those that the variables of
    FOLDERS name.
    """
    variables = (os.environ.get(name, "") for name in FOLDERS)
    named = [Path(one) for paths in variables for one in paths.split(os.pathsep) if one]
    roots = [root.resolve() for root in (Path.home(), Path.cwd(), *named)]
    path = Path(os.path.expanduser(folder))
    try:
        below = any(path.resolve().is_relative_to(root) for root in roots)
    except (OSError, ValueError, RuntimeError):  # a name too long, a null character, a loop of links: no folder
        below = True
    if not below:
        raise UserError(
            "A model's folder must lie below your home folder, below the one that lmviz was started in, or below one "
            "that the environment variable LMVIZ_MODELS names; {folder} does not: move it there, or name it.",
            folder=folder[:200],
        )
    return path


def _state_of(folder: Path) -> Hashable:
    """Another value whenever a file in the folder was written: a model that was saved again is opened anew."""
    try:
        found = ((path.name, path.stat()) for path in folder.glob("*") if path.is_file())
        return tuple(sorted((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in found))
    except (OSError, ValueError):
        return ()
