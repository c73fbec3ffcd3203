"""The address bar wins where the reader has moved it, and never where a message only comes late."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.ui import state
from tests.pages.conftest import Open, go

MODEL = "lmviz.ui.generation.view.model"


def opened(open_on: Open, monkeypatch: pytest.MonkeyPatch, seconds: float) -> AppTest:
    """The page after its model was chosen, and a message that comes so many seconds later with the address before."""
    clock = [100.0]
    monkeypatch.setattr(state, "monotonic", lambda: clock[0])
    app = go(open_on("generation"), model="pokemon", lang="fr")
    app.selectbox(key=MODEL).set_value("simple-llm").run()
    assert app.query_params["model"] in ("simple-llm", ["simple-llm"])
    clock[0] += seconds
    return go(app, model="pokemon", lang="fr")


def test_a_message_that_comes_late_takes_nothing_back(open_on: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(open_on, monkeypatch, seconds=0.2)
    assert app.selectbox(key=MODEL).value == "simple-llm"
    assert app.query_params["model"] in ("simple-llm", ["simple-llm"])


def test_the_back_button_goes_back(open_on: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(open_on, monkeypatch, seconds=60)
    assert app.selectbox(key=MODEL).value == "pokemon"


def test_another_link_is_followed_at_once(open_on: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(open_on, monkeypatch, seconds=0)
    assert go(app, model="names").selectbox(key=MODEL).value == "names"


@pytest.mark.parametrize(("seconds", "chosen"), [(0.2, "names"), (60, "pokemon")])
def test_what_a_widget_showed_before_is_no_choice(
    open_on: Open, monkeypatch: pytest.MonkeyPatch, seconds: float, chosen: str
) -> None:
    clock = [100.0]
    monkeypatch.setattr(state, "monotonic", lambda: clock[0])
    app = go(go(open_on("generation"), model="pokemon"), model="names")
    clock[0] += seconds
    app.selectbox(key=MODEL).set_value("pokemon").run()
    assert app.selectbox(key=MODEL).value == chosen


def test_a_press_is_not_broken_off_by_another_event() -> None:
    """As Streamlit does it: whoever touches the session while an event waits is broken off."""

    def page() -> None:
        from contextlib import suppress

        import streamlit as st
        from streamlit.runtime.scriptrunner import get_script_run_ctx
        from streamlit.runtime.scriptrunner_utils.exceptions import StopException

        from lmviz.ui import state

        context = get_script_run_ctx()
        assert context is not None

        def waits() -> None:
            raise StopException

        quiet = context.session_state._yield_callback

        def whole() -> None:
            st.session_state["whole"] = True

        object.__setattr__(context.session_state, "_yield_callback", waits)
        state.unbroken(whole)()
        with suppress(StopException):
            st.session_state["broken"] = True
        object.__setattr__(context.session_state, "_yield_callback", quiet)

    app = AppTest.from_function(page).run()
    assert "whole" in app.session_state and "broken" not in app.session_state


def test_no_two_runs_of_one_visitor_are_at_work_at_once(root: Path) -> None:
    assert tomllib.loads((root / ".streamlit/config.toml").read_text(encoding="utf-8"))["runner"]["fastReruns"] is False
