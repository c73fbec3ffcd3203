"""Which part may import which: read off the import statements, so that an arrow that is crossed is named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.source import PACKAGE, PAGES, module_of, nodes_of

ROOT = Path(__file__).parents[2]

MODEL = {"devices", "errors", "faults", "random_state", "digits", "bundle", "whole_file"}
ENGINE = MODEL | {"model", "trace", "explain", "stages", "generate", "tokens", "embed", "quantise", "train"}
ALLOWED: dict[str, set[str]] = {
    "errors": {"digits"},
    "faults": {"errors"},
    "random_state": set(),
    "devices": {"errors"},
    "digits": set(),
    "bundle": set(),
    "log": set(),
    "whole_file": {"errors", "faults"},
    "stopped": set(),
    "model": {"devices", "errors", "faults", "bundle", "model"},
    "trace": {"devices", "errors", "faults", "random_state", "whole_file", "trace"},
    "explain": {"errors", "digits", "trace", "explain"},
    "stages": {"errors", "trace", "stages"},
    "generate": {"errors", "model", "generate"},
    "tokens": {"errors", "faults", "model", "tokens"},
    "embed": {"errors", "random_state", "model", "embed"},
    "train": {"errors", "faults", "random_state", "bundle", "stopped", "model", "quantise", "train"},
    "quantise": {"errors", "model", "quantise"},
    "debug": ENGINE | {"debug"},
    "registry": ENGINE | {"debug", "log", "registry"},
    "services": ENGINE | {"debug", "registry", "services"},
    "lessons": {"errors", "model", "lessons"},
    "ui": ENGINE | {"debug", "registry", "services", "lessons", "ui"},
    "attach": ENGINE | {"stopped", "debug", "registry", "services", "ui", "attach"},  # of ui little: see below
    "site": ENGINE | {"stopped", "debug", "registry", "services", "lessons", "ui", "site"},
    "pytest_plugin": {"attach"},
    "cli": {"__version__", "errors", "log", "stopped"},
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


@cache
def imported(path: Path) -> tuple[str, ...]:
    """The modules that a file imports, inside functions too, but not for type checkers alone."""
    return tuple(_imported(nodes_of(path)))


def _imported(nodes: tuple[ast.AST, ...]) -> Iterator[str]:
    skipped = {
        id(inner)
        for node in nodes
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = [*PACKAGE, *PAGES, ROOT / "streamlit_app.py"]


def test_a_part_imports_only_parts_below_it() -> None:
    crossed = {}
    for path in FILES:
        part = part_of(path)
        ours = {name.split(".")[1] for name in imported(path) if name.startswith("lmviz.") and name.count(".") >= 1}
        if part != "__init__" and not ours <= ALLOWED[part]:  # that one is the public API
            crossed[str(path.relative_to(ROOT))] = sorted(ours - ALLOWED[part])
    assert not crossed


def test_only_the_parts_that_show_things_know_streamlit() -> None:
    others = [path for path in FILES if part_of(path) not in SHOWS]
    outside = {path: {name.split(".")[0] for name in imported(path)} for path in others}
    assert [str(path) for path in others if outside[path] & {"streamlit", "altair"}] == []


def test_what_attaches_to_code_takes_words_alone_from_the_pages_and_what_makes_files() -> None:
    words = {"lmviz.ui.text", "lmviz.ui.debugging.words"}
    files = {"lmviz.ui.offline.page", "lmviz.ui.offline.training", "lmviz.ui.picture_file", "lmviz.ui.pictures"}
    for path in (ROOT / "lmviz/attach").glob("*.py"):
        used = {name.rpartition(".")[0] for name in imported(path) if name.startswith("lmviz.ui")}
        assert used <= words | files, path


def test_no_two_files_import_each_other() -> None:
    """Not by way of others either: the files stand one above the other."""
    modules = {module_of(path): path for path in FILES}
    arrows = {name: {m for used in imported(path) if (m := _within(used, modules))} for name, path in modules.items()}
    left = dict(arrows)
    while ready := {name for name, used in left.items() if not (used - {name}) & left.keys()}:
        left = {name: used for name, used in left.items() if name not in ready}
    assert not left, {name: sorted((used - {name}) & left.keys()) for name, used in left.items()}


def _within(name: str, modules: dict[str, Path]) -> str:
    """The file that an import names: a module, or what a module defines."""
    home = name.rpartition(".")[0]
    return name if name in modules else home if home in modules else ""


def test_relative_imports_are_not_used() -> None:
    for path in FILES:
        for node in nodes_of(path):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


def test_importing_lmviz_does_not_import_torch() -> None:
    import subprocess
    import sys

    code = "import sys, lmviz; sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


_TORCH = {"torch", "nn", "F", "Tensor"}
_PRIVATE_OF_TENSORS = {"_version", "_schema", "_fix_weakref", "_modules", "_parameters", "_buffers"}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _private_to_torch(path: Path) -> Iterator[str]:
    """The private names of torch that a file uses: imported, or read from a module, a class or a tensor of torch."""
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            yield from (f"{node.module}.{n.name}" for n in node.names if any(map(_is_private, node.module.split("."))))
            yield from (f"{node.module}.{n.name}" for n in node.names if _is_private(n.name))
        elif isinstance(node, ast.Import):
            yield from (n.name for n in node.names if n.name.startswith("torch._"))
        elif isinstance(node, ast.Attribute):
            whole = ast.unparse(node)
            of_torch = whole.split(".")[0] in _TORCH and "(" not in whole and any(map(_is_private, whole.split(".")))
            if of_torch or node.attr in _PRIVATE_OF_TENSORS:
                yield whole
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("torch._"):
            yield node.value


@pytest.mark.parametrize("part", ["trace", "explain", "stages"])
def test_what_is_private_to_torch_is_in_one_file(part: str) -> None:
    """So that a new version of torch is one file's work."""
    found = {
        str(path.relative_to(ROOT)): sorted(names)
        for path in (ROOT / "lmviz" / part).rglob("*.py")
        if (names := set(_private_to_torch(path)))
    }
    assert found.keys() <= {"lmviz/trace/torch_private.py"}, found
    assert part != "trace" or found
