"""What Python sends to the browser is declared once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.browser_types import declarations, sources, target


@pytest.mark.parametrize("source", sources(), ids=lambda path: path.name)
def test_the_browsers_declarations_are_those_of_python(source: Path) -> None:
    assert target(source).read_text(encoding="utf-8") == declarations(source), "run `python -m tools.browser_types`"


def test_there_are_declarations_to_compare() -> None:
    assert "scene_types.py" in [source.name for source in sources()]
