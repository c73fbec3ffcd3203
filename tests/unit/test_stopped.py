"""A command that is stopped says so in a sentence and leaves nothing half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmviz.cli import main
from lmviz.site import build
from lmviz.site.__main__ import main as make_site
from lmviz.stopped import CUT_SHORT, NOT_READ
from lmviz.ui.offline import page
from lmviz.whole_file import save_whole
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _hears_signals() -> Iterator[None]:
    """Also where what runs the tests ignores Ctrl-C, as a shell's `&` does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_page_that_is_stopped_leaves_the_one_that_was_there(
    by: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def half(place: Path) -> None:
        place.write_text("half")
        os.kill(os.getpid(), by)

    monkeypatch.setattr(page, "save_whole", lambda place, _: save_whole(place, half))
    path = tmp_path / "un été 🌟.html"
    path.write_text("before")
    before = signal.getsignal(signal.SIGTERM)
    assert main(["page", "small-ever", str(path)]) == CUT_SHORT
    assert capsys.readouterr().err.startswith("Stopped.")
    assert [one.name for one in tmp_path.iterdir()] == [path.name] and path.read_text() == "before"
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_reads_no_further_is_not_told_of_it() -> None:
    code = "import sys; from lmviz.stopped import stoppable; sys.exit(stoppable(lambda: print('found') or 0))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert (process.wait(), said) == (NOT_READ, "")


def test_a_site_that_is_stopped_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(folder: Path, *_: object) -> None:
        (folder / "index.html").write_text("half")
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(build, "_write", stop)
    assert make_site([str(tmp_path / "site"), "--quick"]) == CUT_SHORT
    assert capsys.readouterr().err.count("\n") == 1 and not [*tmp_path.iterdir()]
