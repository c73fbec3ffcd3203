"""The page about one's own code: every example on it runs as it stands, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import ROOT

BLOCKS = dict(re.findall(r'```python title="([\w.]+)"\n(.*?)```', (ROOT / "docs/own.md").read_text(), re.DOTALL))
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "BROWSER": "true"}  # "true" opens nothing, and says that it did


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("own")
    for title, code in BLOCKS.items():
        name = title if title.endswith(".py") else f"example_{title}.py"
        (found / name).write_text(code)
    return found


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_all_examples_are_tried() -> None:
    assert BLOCKS.keys() == {"model.py", "show", "watch", "check", "page", "test_model.py"}


@pytest.mark.nightly
def test_a_training_loop_is_watched(folder: Path) -> None:
    assert "(0, 10, 20, 30) (1, 6, 16)" in run(folder, "example_watch.py")


@pytest.mark.nightly
def test_a_model_is_checked_from_python_and_in_a_test(folder: Path) -> None:
    assert "positions" in run(folder, "example_check.py")
    assert "1 passed" in run(folder, "-m", "pytest", "-q", "-p", "lmviz.pytest_plugin", "test_model.py")


@pytest.mark.nightly
def test_a_recording_becomes_a_page_from_python_and_from_the_shell(folder: Path) -> None:
    assert "without the model" in run(folder, "example_page.py")
    assert "Written: walk.html" in run(folder, "-m", "lmviz", "page", "model.py", "walk.html")
    assert (folder / "walk.html").read_text("ascii").startswith("<!doctype html>")


@pytest.mark.nightly
def test_a_script_goes_on_serving_what_it_has_shown(folder: Path) -> None:
    command = [sys.executable, "-u", "example_show.py"]
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = ""
        while "until you press" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert "(1, 6, 16)" in said
        link = re.search(r"lmviz: (http\S+)", said)
        assert link is not None
        with urllib.request.urlopen(link[1], timeout=20) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
