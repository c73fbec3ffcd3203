"""What is chosen in the same moment as a button is pressed counts: leaving a field and pressing are one message."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.train.runs import Runs
from tests.pages.conftest import Open, errors, in_bar, settled
from tests.source import nodes_of

PLACES = {"view", "now", "planned"}  # what a page was drawn from, and may no longer be


def sent(app: AppTest) -> AppTest:
    """What has been set is sent in one message; a press comes last in it, as a browser does."""
    states = app._tree.get_widget_states()
    known = sorted(states.widgets, key=lambda one: one.WhichOneof("value") == "trigger_value")
    del states.widgets[:]
    states.widgets.extend(known)
    return app._run(states)


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    runs = Runs()
    yield runs
    runs.close()


@pytest.mark.nightly
def test_a_training_has_the_size_that_was_chosen_last(open_on: Open, runs: Runs) -> None:
    app = open_on("training", changes='{"training.steps": 3}')
    app.select_slider(key="recipe model.d_model").set_value(32)
    app.button(key="go").click()
    sent(app)
    assert not errors(app) and runs.get(in_bar(app, "run")).recipe.model.d_model == 32


@pytest.mark.nightly
def test_a_message_that_is_being_written_is_answered_as_it_is(open_on: Open, chat_folder: Path) -> None:
    app = open_on("chat", model=str(chat_folder), messages='[["user", "one"]]')
    app.text_area(key="chat.content.0").set_value("two")
    app.button(key="chat.answer").click()
    sent(app)
    assert json.loads(in_bar(app, "messages"))[0][1] == "two"


def test_a_message_that_is_being_written_stays_when_another_is_added(open_on: Open) -> None:
    app = open_on("chat", messages='[["user", "one"]]')
    app.text_area(key="chat.content.0").set_value("two")
    app.button(key="chat.add").click()
    sent(app)
    assert json.loads(in_bar(app, "messages")) == [["user", "two", ""], ["assistant", "", ""]]


def test_settings_are_kept_as_they_are_when_one_presses(open_on: Open) -> None:
    app = settled(open_on("generation", way="compare", temperature="2"))
    app.number_input(key="lmviz.ui.generation.view.temperature").set_value(0.5)
    app.button(key="generation.keep").click()
    sent(app)
    assert json.loads(in_bar(app, "kept"))[0][0] == 0.5


@pytest.mark.nightly
def test_memory_is_tried_with_the_batch_that_was_chosen_last(open_on: Open) -> None:
    app = open_on("debugging", family="memory", batch="1", d_model="16", length="8", layers="1")
    app.select_slider(key="lmviz.ui.debugging.view.batch").set_value("2")
    app.button(key="memory.measure").click()
    sent(app)
    assert not errors(app) and len(app.success) == 1


def acts(file: Path) -> Iterator[ast.AST]:
    """What widgets do when they are used."""
    for call in nodes_of(file):
        if isinstance(call, ast.Call):
            yield from (one.value for one in call.keywords if one.arg in ("on_click", "on_change", "on_submit"))


@pytest.mark.nightly
def test_what_a_press_does_is_read_when_it_comes(root: Path) -> None:
    found = list((root / "lmviz" / "ui").rglob("*.py"))
    assert sum(len(list(acts(file))) for file in found) > 60
    for file in found:
        for act in acts(file):
            for one in ast.walk(act):
                is_old = isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id in PLACES
                assert not is_old or ast.unparse(one) in ("view.t", "now.ask"), f"{file.name}: {ast.unparse(act)}"
