"""What the command `lmviz` is given: read without importing anything that takes long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lmviz.bundle import RECORDING, SAMPLES
from lmviz.errors import UserError
from lmviz.model.hub import NAME as HUB_NAME

_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class CodeTarget:
    """A file of one's own, or a function of a package."""

    folder: Path  # that the file lies in, or from which the package is imported
    file: Path | None = None
    factory: str = ""  # "package.module:function"

    @property
    def title(self) -> str:
        return self.file.name if self.file is not None else self.factory

    @property
    def name(self) -> str:
        """What links call it."""
        plain = self.file.stem if self.file is not None else self.factory.replace(":", ".")
        return re.sub(r"[^\w.-]", "-", plain)[:80] or "model"


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """A model that the app opens by a name or by a folder; `folder` is None for a sample or a name."""

    reference: str
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class RecordingTarget:
    """A recording in a file."""

    path: Path


Target = CodeTarget | ModelTarget | RecordingTarget


def read_target(written: str, here: Path | None = None) -> Target:
    """What somebody means by a word on the command line.

    Raises:
        UserError: it is nothing that can be opened.
    """
    here = here or Path.cwd()
    try:
        found = _known(written, here)
    except UserError:
        raise
    except (OSError, ValueError, RuntimeError):  # a name too long, a null character, no such home folder
        found = None
    if found is not None:
        return found
    raise UserError(
        "lmviz opens a sample model by its name ({samples}), the folder of a model, a name of the Hugging Face Hub as "
        "org/name, a recording (.lmviz), a Python file, or a function as package.module:function; {found} is none of "
        "these.",
        samples=", ".join(sorted(one.parent.name for one in SAMPLES.glob("*/config.json"))),
        found=written[:200] or '""',
    )


def _known(written: str, here: Path) -> Target | None:
    if not written:
        return None
    path = (here / Path(written).expanduser()).resolve()
    if not _is_path(written) and (SAMPLES / written / "config.json").is_file():
        return ModelTarget(written)
    if path.is_dir():
        return _folder(written, path)
    if path.is_file() and path.suffix == ".py":
        return CodeTarget(path.parent, path)
    if path.is_file() and path.suffix == RECORDING:
        return RecordingTarget(path)
    if HUB_NAME.fullmatch(written) and not path.exists():
        return ModelTarget(written)
    return CodeTarget(here, factory=written) if _FACTORY.fullmatch(written) else None


def _is_path(written: str) -> bool:
    return written.startswith((".", "/", "~"))


def _folder(written: str, path: Path) -> ModelTarget:
    if not (path / "config.json").is_file():
        raise UserError(
            "The folder of a model has a config.json, as Hugging Face lays it out; {folder} has none.", folder=written
        )
    return ModelTarget(str(path), path)
