"""The browser's code as one text: a component of Streamlit takes one module, and ours are many.

A module imports others by `import { a, b } from "./x.js";` and nothing else, so that they are joined by cutting these
lines out, and with them the comments that have lines of their own: Streamlit sends the code with each answer. Names
that are not within a function are one component's own: no two of its modules have the same.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[^"]+)";\n', re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?://.*|/\*\*(?:[^*]|\*(?!/))*\*/)\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default )", re.MULTILINE)


@cache
def bundle(entry: Path) -> str:
    """A module and those that it imports, each once and after what it needs, as one module."""
    return "\n".join(_without_borders(path) for path in modules(entry))


def expression(entry: Path) -> str:
    """The same as an expression that is what the module exports, for a page that has several side by side."""
    return f"(() => {{\n{bundle(entry).replace('export default ', 'return ')}\n}})()"


def modules(entry: Path) -> list[Path]:
    """A module and those that it imports, those that are needed first."""
    found: list[Path] = []

    def add(path: Path) -> None:
        if path in seen:
            return
        seen.add(path)
        for imported in _IMPORT.findall(path.read_text(encoding="utf-8")):
            add((path.parent / imported).resolve())
        found.append(path)

    seen: set[Path] = set()
    add(entry.resolve())
    return found


def _without_borders(path: Path) -> str:
    text = _COMMENT.sub("", path.read_text(encoding="utf-8"))
    return _EXPORT.sub("", _IMPORT.sub("", text))
