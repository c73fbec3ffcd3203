"""Small text files that a user brings, read with a limit and errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmviz.errors import UserError

MEGABYTE = 2**20


def read_text(path: Path, limit: int = MEGABYTE) -> str:
    """The text of a UTF-8 file of at most `limit` bytes, or a UserError that names it."""
    try:
        size = path.stat().st_size
        if size > limit:
            raise UserError(
                "{file} must be at most {limit} bytes; it has {size}.", file=path.name, limit=limit, size=size
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError("There is no file {file} in {folder}.", file=path.name, folder=path.parent) from None
    except UnicodeDecodeError as error:
        raise UserError(
            "{file} must be text in UTF-8; byte {position} is not.", file=path.name, position=error.start
        ) from None
    except OSError as error:
        raise UserError("{file} cannot be read: {reason}.", file=path.name, reason=error.strerror) from None


def read_json_object(path: Path, limit: int = MEGABYTE) -> dict[str, Any]:
    """The JSON object in a file, or a UserError that says where it stops being one."""
    text = read_text(path, limit)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError("{file} must be JSON; it is not: {reason}.", file=path.name, reason=error) from None
    if not isinstance(found, dict):
        raise UserError(
            "{file} must hold a JSON object, {{...}}; it holds a {kind}.", file=path.name, kind=type(found).__name__
        )
    return found
