"""What is installed from a wheel has all that the app is made of, and works from any folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, SAMPLES
from tests.waiting import until

pytestmark = pytest.mark.slow

SHIPPED = {"pages": ".py", "lmviz/locale": ".po .md", "lmviz/ui": ".js .css .html .png .py", "sample_models": ""}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q", "-w", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("lmviz-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing in it but lmviz; what lmviz needs comes from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", str(wheel), "--no-deps", "-q", "--target", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python, in an empty folder, with the installed lmviz and without this checkout."""
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=installed.parent,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_has_every_file_that_the_app_is_made_of(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, kinds in SHIPPED.items():
        inside = folder if folder.startswith("lmviz") else f"lmviz/bundled/{folder}"
        for path in (ROOT / folder).rglob("*"):
            wanted = path.is_file() and "__pycache__" not in path.parts and (not kinds or path.suffix in kinds.split())
            assert not wanted or f"{inside}/{path.relative_to(ROOT / folder).as_posix()}" in names, path
    assert {"lmviz/bundled/streamlit_app.py", "lmviz/bundled/.streamlit/config.toml"} <= names


def test_a_sample_opens_by_its_name_from_anywhere(installed: Path) -> None:
    code = "import lmviz, sys; c = lmviz.load(sys.argv[1]); print(lmviz.__file__, len(list(c.model.parameters())))"
    for sample in SAMPLES:
        done = run(installed, "-c", code, sample)
        assert done.stdout.startswith(str(installed)), done.stderr


def test_the_command_says_what_it_does_and_refuses_what_it_cannot(installed: Path) -> None:
    assert "--port PORT" in run(installed, "-m", "lmviz", "--help").stdout
    wrong = run(installed, "-m", "lmviz", "--port", "70000")
    assert wrong.returncode == 2 and "from 1 to 65535" in wrong.stderr
    script = run(installed, str(installed / "bin/lmviz"), "--version")
    assert script.stdout == "lmviz 0.1.0\n" and script.returncode == 0


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


@pytest.fixture
def answering(installed: Path, free_port: int) -> Iterator[str]:
    """The app, started by its command in an empty folder."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lmviz", "--port", str(free_port), "--no-browser"],
        cwd=installed.parent,
        env=os.environ | {"PYTHONPATH": str(installed)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{free_port}"
    process.terminate()
    process.wait()


def test_the_command_opens_the_app_and_a_taken_port_is_a_sentence(
    installed: Path, answering: str, free_port: int
) -> None:
    def is_up() -> bool:
        try:
            with urllib.request.urlopen(f"{answering}/_stcore/health", timeout=2) as answer:
                return bool(answer.read() == b"ok")
        except OSError:
            return False

    until(is_up)
    with socket.socket() as elsewhere:  # another address of this machine: who listens on all has it too
        elsewhere.settimeout(2)
        assert elsewhere.connect_ex(("127.0.0.2", free_port)) != 0
    second = run(installed, "-m", "lmviz", "--port", str(free_port), "--no-browser")
    assert second.returncode == 1 and "is taken" in second.stderr


def test_the_two_lists_of_what_lmviz_needs_are_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert project["dependencies"] == [line for line in lines if line and not line.startswith("#")]
