"""A recording in a file: it is looked at, and nothing in it runs again."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, Self

from lmviz.bundle import RECORDING
from lmviz.errors import UserError
from lmviz.faults import of_content
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.program import Asked, OwnRun
from lmviz.registry.reference import Reference, Registry, Title
from lmviz.trace.opened import opened

RECORDED = (
    "A recording is looked at as it was made: its model is not in the file, so nothing can be computed again. This "
    "needs a model that is here: choose one."
)
KEPT = 16  # recordings that visitors have given to the server; with one more the oldest goes
_files: dict[str, RecordingFile] = {}  # of this process, by what links call them
_changing = threading.Lock()


@dataclass(frozen=True, eq=False)
class RecordingFile:
    """One that is open."""

    path: Path
    title: str
    run: OwnRun
    is_given: bool = False  # by a visitor; else by the person who started the server


@dataclass(frozen=True, slots=True)
class Recorded(Reference):
    """A file that is open on this server. A link can name it, and no other file."""

    name: str

    reads: ClassVar[bool] = False
    live: ClassVar[bool] = False
    _WRITTEN: ClassVar = re.compile(r"recording/([\w.-]{1,80})")

    @classmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        found = cls._WRITTEN.fullmatch(written)
        return cls(found[1]) if found else None

    def __str__(self) -> str:
        return f"recording/{self.name}"

    def load(self, registry: Registry) -> Checkpoint:
        raise UserError(RECORDED)

    def version(self, registry: Registry) -> Hashable:
        return self.file()

    def own_run(self, asked: Asked) -> OwnRun:
        if asked.edits:
            raise UserError(RECORDED)
        return self.file().run

    def file(self) -> RecordingFile:
        """What is open under its name.

        Raises:
            UserError: nothing is, or not any more.
        """
        with _changing:
            found = _files.get(self.name)
        if found is None:
            raise UserError(
                "The recording {name} is not open on this server, or not any more: drop its file onto the page again.",
                name=self.name,
            )
        return found

    def first_prompt(self, registry: Registry) -> str:
        return ""

    def title(self, registry: Registry) -> Title:
        with _changing:
            found = _files.get(self.name)
        return Title(self.name if found is None else found.title)


def open_recording(path: Path) -> Recorded:
    """Open a file that the person who runs this process names.

    Raises:
        UserError: it is no recording.
    """
    found = RecordingFile(path, path.name, run_in(path))
    name = re.sub(r"[^\w.-]", "-", path.stem)[:60] or "recording"
    with _changing:
        taken = {one for one, file in _files.items() if file.path != path}
        name = next(one for one in (name, *(f"{name}-{n}" for n in range(2, len(taken) + 3))) if one not in taken)
        _files[name] = found
    return Recorded(name)


def take_recording(file: IO[bytes], title: str) -> Recorded:
    """Open a file that a visitor gives. Its link is known to nobody else; it goes when others have come.

    Raises:
        UserError: it is no recording.
    """
    folder = Path(tempfile.mkdtemp(prefix="lmviz-recording-"))
    path, told = folder / f"given{RECORDING}", hashlib.sha256()
    try:
        with path.open("wb") as copy:
            while part := file.read(2**20):
                told.update(part)
                copy.write(part)
        name = f"given-{told.hexdigest()[:32]}"
        run = run_in(path, title)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    with _changing:
        gone = [_files.pop(name, None)]
        _files[name] = RecordingFile(path, Path(title).name[:80] or name, run, is_given=True)
        given = [one for one, file in _files.items() if file.is_given]
        gone += [_files.pop(one) for one in given[:-KEPT]]
    for file_gone in filter(None, gone):
        shutil.rmtree(file_gone.path.parent, ignore_errors=True)  # whoever looks at it still has its numbers
    return Recorded(name)


def open_recordings() -> list[Recorded]:
    """Those that the person who started the server has opened."""
    with _changing:
        return [Recorded(name) for name, file in _files.items() if not file.is_given]


def run_in(path: Path, title: str = "") -> OwnRun:
    """A recording, with what its file says that its model read.

    Args:
        title: what whoever gave the file calls it; default: its name.

    Raises:
        UserError: it is no recording.
    """
    read = opened(path, title)
    try:
        return OwnRun.of(read.trace, read.more)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise UserError(
            "{file} must say what its model read; it does not: {reason}. Save it again with this version of lmviz.",
            file=title or path.name,
            reason=of_content(error),
        ) from error
