"""Which part may import which: read off the import statements, so that an arrow that is crossed is named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MODEL = {"errors", "random_state", "digits", "bundle"}
ENGINE = MODEL | {"model", "trace", "explain", "stages", "generate", "tokens", "embed", "quantise", "train"}
ALLOWED: dict[str, set[str]] = {
    "errors": {"digits"},
    "random_state": set(),
    "digits": set(),
    "bundle": set(),
    "model": {"errors", "bundle", "model"},
    "trace": {"errors", "random_state", "trace"},
    "explain": {"errors", "digits", "trace", "explain"},
    "stages": {"errors", "trace", "stages"},
    "generate": {"errors", "model", "generate"},
    "tokens": {"errors", "model", "tokens"},
    "embed": {"errors", "random_state", "model", "embed"},
    "train": {"errors", "random_state", "bundle", "model", "quantise", "train"},
    "quantise": {"errors", "model", "quantise"},
    "debug": ENGINE | {"debug"},
    "registry": ENGINE | {"debug", "registry"},
    "services": ENGINE | {"debug", "registry", "services"},
    "ui": ENGINE | {"debug", "registry", "services", "ui"},
    "cli": {"bundle"},
    "__main__": {"cli"},
    "pages": {"ui"},
    "streamlit_app": {"ui"},
}
SHOWS = {"ui", "pages", "streamlit_app"}  # the only parts that know Streamlit and Altair


def part_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return (
        relative.parts[1].removesuffix(".py") if relative.parts[0] == "lmviz" else relative.parts[0].removesuffix(".py")
    )


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, inside functions too, but not for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = sorted([*(ROOT / "lmviz").rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "streamlit_app.py"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_part_imports_only_parts_below_it(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":  # the public API
        return
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("lmviz.") and name.count(".") >= 1}
    assert ours <= ALLOWED[part], f"{part} must not import {sorted(ours - ALLOWED[part])}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_parts_that_show_things_know_streamlit(path: Path) -> None:
    if part_of(path) not in SHOWS:
        outside = {name.split(".")[0] for name in imported(path)}
        assert not outside & {"streamlit", "altair"}


def test_no_two_files_import_each_other() -> None:
    """Not by way of others either: the files stand one above the other."""
    modules = {_module(path): path for path in FILES}
    arrows = {name: {m for used in imported(path) if (m := _within(used, modules))} for name, path in modules.items()}
    left = dict(arrows)
    while ready := {name for name, used in left.items() if not (used - {name}) & left.keys()}:
        left = {name: used for name, used in left.items() if name not in ready}
    assert not left, {name: sorted((used - {name}) & left.keys()) for name, used in left.items()}


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _within(name: str, modules: dict[str, Path]) -> str:
    """The file that an import names: a module, or what a module defines."""
    home = name.rpartition(".")[0]
    return name if name in modules else home if home in modules else ""


def test_relative_imports_are_not_used() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


def test_importing_lmviz_does_not_import_torch() -> None:
    import subprocess
    import sys

    code = "import sys, lmviz; sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
