"""Texts that somebody brought and has not trained on yet: kept for a reload or a link, the oldest making room."""

from __future__ import annotations

import contextlib
import re
from hashlib import sha256
from pathlib import Path

from lmviz.errors import UserError
from lmviz.model.files import MissingFile, read_bytes, write_whole
from lmviz.train.texts import LARGEST_OWN, check_size

FOLDER = "drafts"
MOST_KEPT = 40
NAME = re.compile(r"[0-9a-f]{16}")


def keep(root: Path, text: str) -> str:
    """Keep a text; returns its name. The same text has the same name.

    Raises:
        UserError: it has more than LARGEST_OWN bytes.
    """
    content = text.encode("utf-8", "replace")
    check_size(content)
    name = _name(content)
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    write_whole(folder / name, content)
    for path in sorted((path for path in folder.iterdir() if NAME.fullmatch(path.name)), key=_age)[:-MOST_KEPT]:
        path.unlink(missing_ok=True)
    return name


def kept(root: Path, name: str) -> str:
    """The text of that name.

    Raises:
        UserError: it made room for others, or never was.
    """
    if NAME.fullmatch(name):
        with contextlib.suppress(MissingFile):
            content = read_bytes(root / FOLDER / name, LARGEST_OWN)
            if _name(content) == name:  # else the disk has damaged it
                return content.decode("utf-8", "replace")
    raise UserError("The text of this link is not kept any more: paste it again.")


def _name(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


def _age(path: Path) -> float:
    """When it was written; another session may take it away at any moment."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
