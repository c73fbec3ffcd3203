"""The recipes of docs/extend.md, carried out as they stand there, in a copy of lmviz; and the picture of its parts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/extend.md").read_text(encoding="utf-8")
RECIPES: dict[str, str] = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r'^```(\w+) title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
TRY = "try it"


def carry_out(recipe: str, folder: Path) -> str:
    """Do what a recipe says in a copy of lmviz; returns what there is to try."""
    for kind, title, content in BLOCK.findall(recipe):
        path = folder / title
        if title == TRY:
            return str(content)
        if kind == "diff":
            path.write_text(patched(path.read_text(encoding="utf-8"), content), encoding="utf-8")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    raise AssertionError("a recipe ends with something to try")


def patched(text: str, diff: str) -> str:
    """Every line with a + is added after the line above it, which must be there once."""
    above = ""
    for line in diff.splitlines():
        if line.startswith("+"):
            assert text.count(f"{above}\n") == 1, above
            text = text.replace(f"{above}\n", f"{above}\n{line[1:]}\n")
        above = line[1:]
    return text


@pytest.mark.sampled(3)
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_does_what_it_says(title: str, tmp_path: Path) -> None:
    for name in ("lmviz", "pages", "sample_models", ".streamlit"):
        shutil.copytree(ROOT / name, tmp_path / name)  # with what is compiled already
    shutil.copy(ROOT / "streamlit_app.py", tmp_path)
    tried = carry_out(RECIPES[title], tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", tried],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "LMVIZ_RUNS": str(tmp_path / "runs")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_picture_of_the_parts_is_that_of_the_code() -> None:
    done = subprocess.run([sys.executable, "docs/parts.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
