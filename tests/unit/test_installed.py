"""What is installed from a wheel has all that the app is made of, and works from any folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import lmviz
from tests.conftest import ROOT, SAMPLES
from tests.waiting import until

pytestmark = pytest.mark.slow

SHIPPED = {
    "pages": ".py",
    "lmviz/lessons": ".py .md",
    "lmviz/locale": ".po .md",
    "lmviz/ui": ".js .css .html .png .py",
    "sample_models": "",
}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a container is built from: what `.dockerignore` lets in, and nothing else of this checkout."""
    folder = tmp_path_factory.mktemp("context")
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        source = ROOT / line.removeprefix("!")
        if line.startswith("!") and source.is_dir():
            shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif line.startswith("!"):
            shutil.copy(source, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q", "-w", str(folder)]
    subprocess.run(command, cwd=context, check=True, capture_output=True)
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
    code = "import lmviz, sys; [print(name, len(list(lmviz.load(name).model.parameters()))) for name in sys.argv[1:]]"
    done = run(installed, "-c", code + "; print(lmviz.__file__)", *SAMPLES)
    *opened, file = done.stdout.splitlines()
    assert [line.split()[0] for line in opened] == list(SAMPLES), done.stderr
    assert file.startswith(str(installed))


def test_the_command_says_what_it_does_and_refuses_what_it_cannot(installed: Path) -> None:
    assert "--port PORT" in run(installed, "-m", "lmviz", "--help").stdout
    wrong = run(installed, "-m", "lmviz", "--port", "70000")
    assert wrong.returncode == 2 and "from 1 to 65535" in wrong.stderr
    script = run(installed, str(installed / "bin/lmviz"), "--version")
    assert script.stdout == f"lmviz {lmviz.__version__}\n" and script.returncode == 0


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


def is_up(server: str) -> bool:
    try:
        with urllib.request.urlopen(f"{server}/_stcore/health", timeout=2) as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False


def test_the_command_opens_the_app_and_a_taken_port_is_a_sentence(
    installed: Path, answering: str, free_port: int
) -> None:
    until(lambda: is_up(answering))
    with socket.socket() as elsewhere:  # another address of this machine: who listens on all has it too
        elsewhere.settimeout(2)
        assert elsewhere.connect_ex(("127.0.0.2", free_port)) != 0
    second = run(installed, "-m", "lmviz", "--port", str(free_port), "--no-browser")
    assert second.returncode == 1 and "is taken" in second.stderr


def steps_of_dockerfile() -> list[tuple[str, str]]:
    """Each instruction with what follows it."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line and not line.startswith("#")]


def test_the_steps_of_the_dockerfile_end_in_a_healthy_server(installed: Path, free_port: int, tmp_path: Path) -> None:
    """Where no Docker runs: the image's command in the image's environment, and its health check."""
    steps = steps_of_dockerfile()
    said = dict(text.split("=", 1) for name, text in steps if name == "ENV")
    (command,) = (json.loads(text) for name, text in steps if name == "CMD")
    (check,) = (text.split(" CMD ", 1)[1] for name, text in steps if name == "HEALTHCHECK")
    runs = tmp_path / "runs"
    runs.mkdir()
    (link,) = (text for name, text in steps if name == "EXPOSE")
    assert said["LMVIZ_RUNS"] == "/runs" and ("VOLUME", "/runs") in steps
    assert link == command[command.index("--port") + 1] and f":{link}/" in check
    environment = os.environ | said | {"PYTHONPATH": str(installed), "LMVIZ_RUNS": str(runs), "HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-P", str(installed / "bin" / command[0]), "--port", str(free_port), command[-1]],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    words = check.replace("python ", f"{sys.executable} ", 1).replace(f":{link}/", f":{free_port}/")
    try:
        until(lambda: subprocess.run(words, shell=True, capture_output=True, check=False).returncode == 0)
        assert is_up(f"http://127.0.0.2:{free_port}"), "a container must answer to others than itself"
    finally:
        process.terminate()
        process.wait()
    assert subprocess.run(words, shell=True, capture_output=True, check=False).returncode == 1


def test_the_one_list_of_what_lmviz_needs_lies_within_the_ranges_of_the_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    (of_extras, *for_work) = map(Requirement, extras["dev"])
    for_work += [Requirement(line) for name in of_extras.extras for line in extras[name]]
    for file, ranges in (
        ("requirements.txt", [Requirement(line) for line in project["dependencies"]]),
        ("requirements-dev.txt", for_work),
    ):
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        chosen = {one.name: one for line in lines if line[:1] not in "#-" for one in [Requirement(line)]}
        assert {one.name for one in ranges} == {*chosen}
        for needed in ranges:
            (exact,) = chosen[needed.name].specifier
            assert exact.operator == "==" and exact.version in needed.specifier, needed.name
            assert {one.operator for one in needed.specifier} == {">=", "<"}, needed.name


def test_the_version_stands_in_one_place() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dynamic"] == ["version"]
    assert Version(lmviz.__version__) > Version("0")
