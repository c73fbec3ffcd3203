"""The limits of trainings, as whoever runs a server sets them."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from lmviz.cli import main
from lmviz.errors import UserError
from lmviz.train.limits import FILE, GIGABYTE, SETTINGS, Limits, limits_set
from tests.conftest import ROOT


def test_a_variable_goes_before_the_file_and_the_file_before_what_is_usual(tmp_path: Path) -> None:
    assert limits_set({}, tmp_path) == Limits()
    (tmp_path / FILE).write_text("[limits]\nhours = 1.5\ngigabytes = 2\nruns_at_once = 3\n")
    found = limits_set({"LMVIZ_HOURS": "8"}, tmp_path)
    assert (found.hours, found.n_bytes, found.at_once, found.memory) == (8.0, 2 * GIGABYTE, 3, Limits().memory)
    elsewhere = tmp_path / "other.toml"
    elsewhere.write_text("[limits]\nmemory_gigabytes = 0.5\n")
    found = limits_set({"LMVIZ_SETTINGS": str(elsewhere)}, tmp_path)
    assert (found.memory, found.hours) == (GIGABYTE // 2, Limits().hours)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[limits]\nhour = 1", r"hour is none of these"),
        ("[limits]\nhours = 0", r"hours in lmviz.toml must be a number from 0.001 to 100000; it is 0"),
        ("[limits]\nhours = 1e28", r"it is 1e\+28"),
        ("[limits]\nhours = 1e-300", r"it is 1e-300"),
        ("[limits]\nhours = -1", r"it is -1"),
        ("[limits]\nhours = ''", r"it is ''"),
        ("[limits]\nhours = " + "9" * 400, r"it is .1.0e400"),
        ("[limits]\nhours = " + "9" * 5000, r"must be TOML"),
        ("[limits]\ngigabytes = 1e308", r"must be a number from 0.001 to 1000000; it is 1e\+308"),
        ("[limits]\ngigabytes = 1e-300", r"it is 1e-300"),
        ("[limits]\nmemory_gigabytes = 1e308", r"it is 1e\+308"),
        ("[limits]\nidle_minutes = 1e28", r"from 0.01 to 1000000; it is 1e\+28"),
        ("[limits]\nruns_at_once = 1e28", r"whole number from 1 to 1000; it is 1e\+28"),
        ("[limits]\nhours = " + "[" * 5000, r"must be TOML"),
        ("a." * 5000 + "a = 1", r"must be TOML"),
        ("[limits]\nhours = true", r"it is True"),
        ("[limits]\nhours = [1]", r"it is \[1\]"),
        ("[limits]\nruns_at_once = 1.5", r"whole number from 1 to 1000; it is 1.5"),
        ('[limits]\nhours = "8"', r"must be a number from 0.001 to 100000; it is '8'"),
        ('[limits]\nruns_at_once = "8"', r"must be a whole number from 1 to 1000; it is '8'"),
        ("[limits]\nhours = nan", r"it is nan"),
        ("[limits]\nhours = inf", r"it is inf"),
        ("limits = 3", r"limits is none of these"),
        ("[limits", r"must be TOML"),
    ],
)
def test_a_wrong_setting_is_a_sentence(
    tmp_path: Path, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match=sentence):
        limits_set({}, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["--no-browser"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_variable_that_is_no_number_is_named() -> None:
    with pytest.raises(UserError, match=r"LMVIZ_HOURS must be a number from 0.001 to 100000; it is 'long'"):
        limits_set({"LMVIZ_HOURS": "long"})
    with pytest.raises(UserError, match=r"it is '9{60}'"):
        limits_set({"LMVIZ_HOURS": "9" * 5000})


@pytest.mark.parametrize("written", ["nan", "inf", "1e28", "-1", "0", "", "ten"])
def test_how_large_a_page_may_be_is_a_number_that_makes_sense(
    written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["page", "small-ever", str(tmp_path / "x.html"), f"--megabytes={written}"])
    assert end.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"a page may have 1 to 1000 megabytes, not {written!r}")


def test_every_setting_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    for name, setting in SETTINGS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` | `LMVIZ_{name.upper()}` |"))
        assert row.endswith(f"| {setting.least:,g} – {setting.most:,.0f} |".replace(",", " "))


def test_the_log_says_what_is_opened_and_a_file_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmviz.log import log_to
    from lmviz.registry.kinds import read_reference
    from lmviz.registry.models import Models
    from lmviz.registry.recording import Request

    logger = logging.getLogger("lmviz")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    file = tmp_path / "lmviz.log"
    log_to(file, verbose=False)
    Models().record(Request(read_reference("small-ever"), "Clem"))
    text = file.read_text(encoding="utf-8")
    assert "INFO lmviz.registry.models: opened small-ever in 0." in text
    assert "recorded small-ever reading 'Clem'" in text
    for handler in (*logger.handlers, *logging.getLogger("streamlit").handlers):
        handler.close()
    logging.getLogger("streamlit").handlers.clear()


def test_a_log_that_cannot_be_written_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--log-file", str(tmp_path)]) == 2
    assert "--log-file must name a file" in capsys.readouterr().err


def test_every_variable_that_is_read_is_in_the_docs() -> None:
    read = {
        name
        for path in (ROOT / "lmviz").rglob("*.py")
        for name in re.findall(r"LMVIZ_[A-Z_]+[A-Z]", path.read_text(encoding="utf-8"))
    }
    written = set(re.findall(r"LMVIZ_[A-Z_]+[A-Z]", (ROOT / "docs/server.md").read_text(encoding="utf-8")))
    assert written == read | {f"LMVIZ_{name.upper()}" for name in SETTINGS}
