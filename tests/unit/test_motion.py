"""What moves by itself moves only for who has not asked for less motion."""

from __future__ import annotations

import re

from tests.conftest import ROOT

MOVES = re.compile(r"(?:animation|transition): [^;]*?(?<![\w.])(?:0?\.(?!0)\d|[1-9]\d*(?:\.\d+)?)s\b")
SHEETS = sorted((ROOT / "lmviz").rglob("*.css"))


def without_asking(sheet: str) -> list[str]:
    """The movements of a style sheet that nobody is asked about."""
    asked = r"@media \(prefers-reduced-motion: no-preference\) \{(?:[^{}]*\{[^{}]*\})*\s*\}"
    return MOVES.findall(re.sub(asked, "", sheet))


def test_a_style_sheet_asks_before_anything_moves() -> None:
    found = {str(path.relative_to(ROOT)): without_asking(path.read_text(encoding="utf-8")) for path in SHEETS}
    assert len(found) > 10 and not {path: moves for path, moves in found.items() if moves}


def test_a_movement_is_found() -> None:
    asked = "@media (prefers-reduced-motion: no-preference) { b { animation: c 1s; } }"
    assert without_asking(f"a {{ transition: top 0.2s; }} {asked}") == ["transition: top 0.2s"]
