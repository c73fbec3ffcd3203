"""Where chapters lie: those that come with lmviz, and those of a folder that the environment names.

`04_attention.md` is the chapter "attention" in English, `04_attention.fr.md` the same in French. A chapter of the
folder that has the name of one of ours takes its place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lmviz.errors import UserError
from lmviz.lessons.chapter import NAME
from lmviz.model.files import read_bytes

FOLDER = "LMVIZ_LESSONS"  # the environment variable that names a teacher's folder
OURS = Path(__file__).parent / "chapters"
DEFAULT = "en"
_MOST_FILES = 200
LARGEST = 60_000  # bytes
FILE = re.compile(r"(?:\d+[_-])?(?P<name>[^.]+)(?:\.(?P<lang>[a-z]{2}))?\.md")


@dataclass
class Found:
    """The files of a chapter by language, or why there are none."""

    name: str
    files: dict[str, Path] = field(default_factory=dict)

    def of(self, language: str) -> Path:
        """The file in a language; in English where there is none, else in what there is."""
        return self.files.get(language) or self.files.get(DEFAULT) or next(iter(self.files.values()))


def found() -> tuple[tuple[Found, ...], tuple[UserError, ...]]:
    """All chapters in their order, ours first, and what is wrong with the folder."""
    own = os.environ.get(FOLDER, "")
    known: dict[str, Found] = {}
    errors: list[UserError] = []
    for folder in (OURS, *([Path(own)] if own else [])):
        try:
            for name, chapter in _in(folder, errors.append).items():
                known[name] = chapter
        except OSError:
            errors.append(UserError("The folder of chapters {folder} cannot be read.", folder=str(folder)))
    return tuple(known.values()), tuple(errors)


def _in(folder: Path, tell: Callable[[UserError], None]) -> dict[str, Found]:
    chapters: dict[str, Found] = {}
    for path in sorted(_files(folder), key=lambda path: path.name)[:_MOST_FILES]:
        parts = FILE.fullmatch(path.name)
        if parts is None or not NAME.fullmatch(parts["name"]):
            tell(UserError("A chapter’s file is called 04_attention.md or 04_attention.fr.md, in small letters; this "
                           "one is called {file}.", file=path.name))  # fmt: skip
            continue
        chapters.setdefault(parts["name"], Found(parts["name"])).files[parts["lang"] or DEFAULT] = path
    return chapters


def _files(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.name.endswith(".md") and not entry.name.startswith((".", "README")):
            yield Path(entry.path)


def read_text(path: Path) -> str:
    """The text of a chapter's file.

    Raises:
        UserError: it is no ordinary file of the folder, is too large, or is no text in UTF-8.
    """
    content = read_bytes(path, LARGEST)
    try:
        text = content.decode("utf-8-sig")
        at = next((i for i, c in enumerate(text) if ord(c) < 32 and c not in "\n\r\t"), None)
        line = None if at is None else text.count("\n", 0, at) + 1
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    if line is not None:
        raise UserError("{file}, line {line}: this is no text in UTF-8.", file=path.name, line=line)
    return text
