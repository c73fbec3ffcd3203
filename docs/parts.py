"""The picture of the parts in docs/architecture.md, made from the import statements.

    python docs/parts.py            prints it
    python docs/parts.py --write    puts it into the page

An arrow means "imports". Only arrows that no way through other parts replaces are drawn; a test compares.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- parts: made by docs/parts.py -->\n", "<!-- parts end -->"
GROUND = frozenset(
    ("errors", "digits", "bundle", "log", "random_state", "stopped", "whole_file")
)  # that everybody may import: not drawn
FACES = frozenset(("__init__", "__main__", "__version__"))


def part_of(path: Path) -> str:
    """The part that a file belongs to: the first name below `lmviz`, or at the top."""
    names = path.relative_to(ROOT).with_suffix("").parts
    return names[1] if names[0] == "lmviz" else names[0]


def imported(path: Path) -> Iterator[str]:
    """The parts that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lmviz."):
            yield (node.module or "").split(".")[1]
        elif isinstance(node, ast.ImportFrom) and node.module == "lmviz":
            yield from (alias.name for alias in node.names)


def arrows() -> dict[str, set[str]]:
    """The parts that each part imports."""
    files = [*(ROOT / "lmviz").rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "streamlit_app.py"]
    found: dict[str, set[str]] = {}
    for path in files:
        part = part_of(path)
        if part not in GROUND | FACES:
            found.setdefault(part, set()).update(set(imported(path)) - GROUND - FACES - {part})
    return found


def needed(found: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that no longer way replaces."""

    def reached(start: str) -> set[str]:
        return {end for one in found.get(start, ()) for end in {one, *reached(one)}}

    return sorted(
        (part, used)
        for part, uses in found.items()
        for used in uses
        if not any(used in reached(other) for other in uses - {used})
    )


def picture() -> str:
    """The parts as a Mermaid diagram."""
    lines = [f"    {part} --> {used}" for part, used in needed(arrows())]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```", ""])


def page() -> str:
    """The page with the picture as it is now."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}{picture()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(picture())
