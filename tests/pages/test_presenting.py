"""Presenting: one switch on every page, kept by links; what the window tells is taken as far as it makes sense."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import streamlit as st

from lmviz.ui import state
from lmviz.ui.present import present
from lmviz.ui.step_through.view import StepThroughView
from tests.pages.conftest import Open, complaints, picture, written
from tests.pages.test_links import PAGES

LARGE = re.compile(r"html \{ font-size")


def test_it_goes_with_the_reader_to_every_page_and_into_every_link(open_page: Open) -> None:
    app, links = open_page(model="names", present="true"), []
    for page in (*PAGES, "first"):
        app.switch_page(f"pages/{page}.py")
        app.run()
        assert not app.exception
        assert picture(app, "presenting")["on"] and LARGE.search(written(app)), page
        assert app.query_params["present"] == ["true"] or app.query_params["present"] == "true"
        links += [link.proto.query_string for link in app.get("page_link")]
    assert links and all("present=true" in link for link in links)


def test_a_link_without_it_is_for_a_desk(open_on: Open) -> None:
    app = open_on("tokenizer")
    assert not picture(app, "presenting")["on"] and not LARGE.search(written(app)) and not complaints(app)
    assert picture(app, "presenting")["scale"] == 1
    assert StepThroughView.parse({"present": "loud"})[1] == ("present",)


def test_a_session_hears_what_the_browser_tells_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, object] = {}
    monkeypatch.setattr(st, "session_state", kept)
    told: list[bool] = []
    monkeypatch.setattr(state, "choose_presenting", told.append)
    for event in ({"on": True, "scale": 4.8}, {"on": "yes"}, {"scale": -3}, {"scale": "x"}, [], {"address": 3}, None):
        kept["presenting"] = SimpleNamespace(event=event)
        present._on_event()
    assert told == [True] and kept["lmviz.scale"] == 4.8
    kept["presenting"] = SimpleNamespace(event={"scale": 1e9, "address": "http://here.example/"})
    present._on_event()
    assert kept["lmviz.scale"] == state.LARGEST
    assert state.take("present.code", None) == present.code("http://here.example/")


@pytest.mark.parametrize(("lang", "says"), [("en", "For the teacher"), ("fr", "Pour l’enseignant")])
def test_notes_are_those_of_a_task(open_on: Open, lang: str, says: str) -> None:
    app = open_on("course", section="notes", chapter="attention", task="1", lang=lang)
    assert not complaints(app) and picture(app, "follow_course")["at"] == "attention.1"
    assert says in written(app) or any(says in info.value for info in app.info)
    story = "quatre lignes" if lang == "fr" else "four rows"  # which the card leaves to the teacher in front of a room
    first = open_on("course", section="notes", chapter="attention", task="0", lang=lang)
    assert story in written(first) and story not in written(app)
    card = {"model": "names", "prompt": ".mar", "course": "attention.0", "lang": lang}
    assert story in written(open_on("step_through", **card))
    assert story not in written(open_on("step_through", **card, present="true"))
    none = open_on("course", section="notes", chapter="nowhere", task="3", lang=lang)
    assert not complaints(none) and picture(none, "follow_course")["at"] == ""
    past = open_on("course", section="notes", chapter="attention", task="16", lang=lang)  # behind the last task
    assert not complaints(past)
