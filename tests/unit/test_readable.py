"""What is written can be read: letters stand out from their ground, columns of tables have names, files are short."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.source import tree_of

UI = ROOT / "lmviz/ui"
LEAST = 4.5  # WCAG 2.2, 1.4.3
ENDINGS = {".py", ".md", ".js", ".toml", ".yml", ".ipynb"}
SCRIPTS = ("sample_models", "docs", "lmviz", "README.md", "CONTRIBUTING.md")


def luminance(colour: str) -> float:
    """Of #rrggbb, from 0 to 1 (WCAG 2.2)."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "rule"), [("light", r"(?<!\.dark )\.code"), ("dark", r"\.dark \.code")])
def test_every_colour_of_code_can_be_read_where_the_line_is_marked(theme: str, rule: str) -> None:
    look = (UI / "step_through/browser/look.css").read_text(encoding="utf-8")
    marks = re.findall(r"--lm-mark: (#\w{6})", (UI / "browser/tensor.css").read_text(encoding="utf-8"))
    colours = dict(re.findall(rf"{rule} \.(\w+) {{ color: (#\w{{6}})", look))
    assert len(marks) == 2 and len(colours) >= 5
    mark = marks[theme == "dark"]
    assert {name: round(contrast(one, mark), 2) for name, one in colours.items() if contrast(one, mark) < LEAST} == {}


def test_every_column_of_a_table_has_a_name() -> None:
    """A card, a page of the docs or an explanation, in either language: who hears a table hears its heads."""
    found = []
    for name in SCRIPTS:
        place = ROOT / name
        for path in [place] if place.is_file() else place.rglob("*.md"):
            lines = path.read_text(encoding="utf-8").splitlines()
            for head, rule in pairwise(lines):
                if re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", rule) and not all(one.strip() for one in head.split("|")[1:-1]):
                    found.append(f"{path.relative_to(ROOT)}: {head}")
    assert not found


def test_no_file_is_longer_than_one_reads_at_a_stretch() -> None:
    n_lines = {path: path.read_text(encoding="utf-8").count("\n") for path in (ROOT / "lmviz").rglob("*.py")}
    assert {str(path.relative_to(ROOT)): n for path, n in n_lines.items() if n > 400} == {}


@pytest.mark.slow
def test_what_only_its_own_file_uses_begins_with_an_underscore() -> None:
    """Whoever reads a file sees which of its functions and constants others need."""
    words = {path: set(re.findall(r"\w+", path.read_text(encoding="utf-8"))) for path in _written()}
    used = Counter(word for found in words.values() for word in found)
    ours = (path for path in words if path.suffix == ".py" and path.is_relative_to(ROOT / "lmviz"))
    assert not [f"{path.relative_to(ROOT)}: {name}" for path in ours for name in _defined(path) if used[name] == 1]


def _written() -> Iterator[Path]:
    """All code and words of the project."""
    yield from (path for path in ROOT.iterdir() if path.suffix in ENDINGS)
    for folder in ("lmviz", "pages", "tests", "benchmarks", "tools", "docs"):
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS)


def _defined(path: Path) -> Iterator[str]:
    """The constants of a file, and its functions that nothing registers."""
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef) and not node.decorator_list and not node.name.startswith("_"):
            yield node.name
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and target.id.isupper() and not target.id.startswith("_"):
                    yield target.id


@pytest.mark.parametrize("ending", ["css", "js"])
def test_no_line_of_the_browsers_code_is_too_long_to_read(ending: str) -> None:
    files = (ROOT / "lmviz").rglob(f"*.{ending}")
    lines = (
        (path, i, line) for path in files for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    )
    assert not [f"{path.relative_to(ROOT)}:{i}" for path, i, line in lines if len(line) > 140]
