"""Runs on the training page: whose they are, what happened to them, and what cannot be read."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.train.store import liveness
from lmviz.train.store.liveness import hold, lock_of
from lmviz.ui.text import LANGUAGES, Translator
from lmviz.ui.training import owner
from tests.pages.conftest import Open, errors, go, picture
from tests.pages.test_training import run_of
from tests.unit.test_runs import RECIPE, Here
from tests.unit.test_store_damage import flip

SHORT = replace(RECIPE, training=replace(RECIPE.training, steps=9))
STRANGER = "f" * 32


@pytest.fixture
def runs(runs_folder: Path) -> Iterator[Here]:
    runs = Here(runs_folder)
    yield runs
    for run in runs.all():
        runs.delete(run.id)
    for one in runs.unreadable():
        runs.delete(one.id)
    runs.die()


@pytest.fixture
def theirs(runs: Here) -> str:
    """A paused run that another browser started."""
    run = runs.start_resting(SHORT, "not mine", owner=STRANGER)
    runs.work_on(run, until=4)
    return run


def training(open_page: Open, **query: str) -> AppTest:
    app = open_page()
    app.switch_page("pages/training.py")
    return go(app, **query)


def is_disabled(app: AppTest, *keys: str) -> list[bool]:
    return [app.button(key=key).disabled for key in keys]


CHANGING = ("do resume", "do single", "do delete")


@pytest.mark.parametrize("language", LANGUAGES)
def test_somebody_elses_run_is_changed_only_by_who_says_that_they_mean_it(
    open_page: Open, runs: Here, theirs: str, language: str
) -> None:
    app = training(open_page, run=theirs, lang=language)
    assert not errors(app)
    assert is_disabled(app, *CHANGING, "do duplicate") == [True, True, True, False]
    assert app.text_input(key="run_name").disabled
    (say,) = [one.value for one in app.markdown if "not mine" in one.value]
    assert say == Translator(language)("train.theirs.say", name="not mine")
    app.checkbox(key=f"theirs {theirs}").check().run()
    assert is_disabled(app, *CHANGING) == [False, False, True]
    app.checkbox(key=f"sure {theirs}").check().run()
    app.checkbox(key=f"theirs {theirs}").uncheck().run()
    assert is_disabled(app, *CHANGING) == [True, True, True]
    app.checkbox(key=f"theirs {theirs}").check().run()
    app.button(key="do delete").click().run()
    assert theirs not in {run.id for run in runs.all()}


def test_somebody_elses_run_can_be_watched_compared_and_started_from(open_page: Open, runs: Here, theirs: str) -> None:
    mine = runs.start_resting(SHORT, "mine")
    for tab in ("", "curves", "time", "compare", "export"):
        app = training(open_page, run=theirs, tab=tab, beside=f'["{mine}"]')
        assert not errors(app)
    app.button(key="start_here").click().run()
    assert f"runs/{theirs}@4" in app.query_params["start"]
    assert not errors(app)


def test_a_run_belongs_to_the_browser_that_started_it_and_stays_so_after_a_reload(open_page: Open, runs: Here) -> None:
    app = training(open_page)
    app.button(key="go").click().run()
    run = run_of(app)
    assert not app.button(key="do pause").disabled
    own = picture(app, "owner_of_runs")["fresh"]
    assert runs.get(run).owner == own
    again = training(open_page, run=run)  # another visit, which does not know yet who it is
    assert again.button(key="do pause").disabled
    shown = picture(again, "owner_of_runs")
    assert shown["fresh"] != own and own not in shown["known"]
    again.session_state["lmviz." + owner._TOKENS] = (shown["fresh"], own)  # what the browser tells
    again.run()
    assert not again.button(key="do pause").disabled
    again.button(key="do stop").click().run()


def test_a_run_of_nobody_is_everybodys(open_page: Open, runs: Here) -> None:
    run = runs.start_resting(SHORT, "from the command line")
    app = training(open_page, run=run)
    assert is_disabled(app, "do resume", "do single") == [False, False]


def test_the_list_says_whose_a_run_is(open_page: Open, runs: Here, theirs: str) -> None:
    runs.start_resting(SHORT, "nobody's")
    app = training(open_page)
    (table,) = [one.value for one in app.dataframe if "Started" in one.value]
    assert dict(zip(table["Name"], table["Started"], strict=True)) == {
        "not mine": "by someone else",
        "nobody's": "here",
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_happened_to_the_files_of_a_run_is_told(open_page: Open, runs: Here, theirs: str, language: str) -> None:
    (path,) = (runs.folder / theirs / "checkpoints").glob("step-000000004.*")
    flip(path, 0.9)
    runs.work_on(theirs, until=5)
    with runs._database.writing() as db:
        db.execute("UPDATE chunks SET numbers = zeroblob(8) WHERE run = ? AND metric = 'grad_norm'", (theirs,))
    app = training(open_page, run=theirs, lang=language)
    said = " ".join(one.value for one in app.caption)
    assert ("step 4 is damaged" in said) == (language == "en")
    assert ("l’itération 4 est abîmée" in said) == (language == "fr")
    assert "grad_norm" in said
    assert not errors(app)


def test_an_entry_that_cannot_be_read_is_named_and_can_be_deleted(open_page: Open, runs: Here) -> None:
    good, bad = runs.start_resting(SHORT, "good"), runs.start_resting(SHORT, "bad")
    with runs._database.writing() as db:
        db.execute("UPDATE runs SET recipe = '{' WHERE id = ?", (bad,))
    app = training(open_page)
    assert [bad in one.value for one in app.warning] == [True]
    assert "good" in set(app.dataframe[0].value["Name"])
    app.button(key=f"delete {bad}").click().run()
    assert not app.warning
    assert runs.unreadable() == ()
    assert runs.get(good)


def test_a_process_that_is_not_heard_is_said_and_can_be_ended(
    open_page: Open, runs: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "SILENT", 10**6)
    run = runs.start_resting(SHORT, "silent")
    with hold(lock_of(runs.folder, "mute")):
        with runs._database.writing() as db:
            db.execute("INSERT INTO workers (id, pid, run) VALUES ('mute', 0, ?)", (run,))
            db.execute("UPDATE runs SET state = 'running', worker = 'mute', wanted = 'pause' WHERE id = ?", (run,))
        os.utime(lock_of(runs.folder, "mute"), (5, 5))
        app = training(open_page, run=run)
        assert not app.warning
        assert not app.button(key="do end").disabled  # it was told to pause, and has not yet done so
        with runs._database.writing() as db:
            db.execute("UPDATE runs SET wanted = NULL WHERE id = ?", (run,))
        real = time.monotonic
        monkeypatch.setattr(liveness.time, "monotonic", lambda: real() + 12)
        app.run()
        assert ["has not answered for 1" in one.value for one in app.warning] == [True]
        assert app.button(key="end_silent")
        monkeypatch.undo()
    app.run()
    assert runs.get(run).state == "interrupted"
