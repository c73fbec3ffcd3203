"""The browser's code: its own tests, and the one text that each component is given of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lmviz.ui.scripts import bundle, modules
from tests.conftest import ROOT

LONGEST = 140  # characters of a line
SCRIPTS = [path for path in (ROOT / "lmviz/ui").rglob("*.js") if "node_modules" not in path.parts]
ENTRIES = [path for path in SCRIPTS if "export default" in path.read_text(encoding="utf-8")]
DECLARED = re.compile(r"^(?:export )?(?:const|let|function|class) \[?(\w+)", re.MULTILINE)


@pytest.fixture(scope="session")
def node() -> str:
    """Node, which only those need who work on the browser's code."""
    found = shutil.which("node")
    if found is None:
        reason = "there is no node: install nodejs to run the tests of the browser's code"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.mark.slow
def test_the_browsers_code_keeps_its_own_promises(node: str) -> None:
    files = sorted(map(str, (ROOT / "tests/browser_code").glob("*.test.js")))
    assert files
    done = subprocess.run([node, "--test", *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: path.stem)
def test_a_component_is_given_one_module(node: str, entry: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.mjs"
    whole.write_text(bundle(entry), encoding="utf-8")
    done = subprocess.run([node, "--check", str(whole)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: path.stem)
def test_no_name_of_a_component_stands_for_two_things(entry: Path) -> None:
    names = [name for path in modules(entry) for name in DECLARED.findall(path.read_text(encoding="utf-8"))]
    assert sorted(set(names)) == sorted(names)
    assert "import " not in re.sub(r"/\*.*?\*/", "", bundle(entry))


def test_every_script_is_some_components() -> None:
    assert {path for entry in ENTRIES for path in modules(entry)} == set(SCRIPTS)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_checked_and_its_lines_can_be_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "// @ts-check" in text
    assert max(map(len, text.splitlines())) <= LONGEST
