"""Places that are sent before somebody goes there, so that a move is drawn before it is answered."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from lmviz.stages.navigation import Grain, Location
from lmviz.ui import state
from lmviz.ui.step_through.ahead import FAR, NEW, told
from tests.pages.conftest import Open, go, scene

AT = {"model": "names", "prompt": ".mar", "step": "blocks.0.attn.masked", "lang": "en"}


def place_of(bar: dict[str, Any]) -> str:
    return f"{bar['grain']}:{bar['index']}"


def sent(shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The places that were sent along, by name, as the browser puts them together."""
    return {place_of(changes["bar"]): {**shown, **changes} for changes in shown["ahead"]}


def hold(app: AppTest, frame: str, places: set[str], onward: str = "over") -> AppTest:
    """The page, to a browser that says that it holds these."""
    app.session_state["lmviz.ahead.held"] = (frame, frozenset(places), onward)
    return app.run()


@pytest.mark.parametrize("grain", ["stage", "line", "op"])
def test_what_is_sent_ahead_is_what_is_drawn_there(open_on: Open, grain: Grain) -> None:
    app = open_on("step_through", **AT, by=grain)
    run = Models().record(Request(read_reference("names"), ".mar"))
    shown = scene(app)
    moves = shown["bar"]["moves"]
    assert [*sent(shown)] == [moves["over"], moves["back"]]
    for name, expected in sent(shown).items():
        index = int(name.partition(":")[2])
        step = run.navigator.step(Location(grain, index))
        assert step is not None
        inside = run.navigator.outwards(Location("line", index)) if grain == "line" else -1
        there = scene(go(app, **(AT | {"by": grain, "step": step.address, "line": str(inside)})))
        assert place_of(there["bar"]) == name and there["frame"] == shown["frame"]
        for part in ("map", "tokens", "source", "picture", "say", "strip", "bar", "inspector", "watch"):
            assert there[part] == expected[part], part


def test_a_browser_is_sent_what_it_lacks_further_on_where_one_is_going(open_on: Open) -> None:
    app = open_on("step_through", **AT)
    shown = scene(app)
    frame, here = shown["frame"], shown["bar"]["index"]
    held = {f"stage:{here}"}
    for _ in range(FAR):
        new = {*sent(scene(hold(app, frame, held)))}
        assert len(new) <= NEW and not new & held
        held |= new
    assert held == {f"stage:{index}" for index in range(here - 1, here + FAR + 1)}
    assert {*sent(scene(hold(app, frame, held, "back")))} == {f"stage:{here - 2}", f"stage:{here - 3}"}
    assert len(sent(scene(hold(app, "another", held)))) == NEW


@pytest.mark.parametrize("change", [{"head": "1"}, {"focus": "0"}, {"digits": "4"}, {"lang": "fr"}, {"prompt": ".em"}])
def test_nothing_is_kept_of_what_is_drawn_otherwise_now(open_on: Open, change: dict[str, str]) -> None:
    app = open_on("step_through", **AT)
    before = scene(app)
    assert scene(app.run())["frame"] == before["frame"]
    assert scene(go(app, **(AT | change)))["frame"] not in ("", before["frame"])


STRANGE: list[Any] = [[1], {}, "x" * 10_000, None]
HOSTILE: list[Any] = [None, 3, [], {}, {"frame": 1, "places": ["stage:1"]}, {"frame": "a", "places": 4}]


@pytest.mark.parametrize("held", [*HOSTILE, {"frame": "a", "places": [*(STRANGE * 50), "stage:1"]}])
def test_what_no_browser_of_ours_says_is_not_believed(held: Any) -> None:
    told({"type": "move", "move": "over", "held": held})
    _, places, onward = state.take("ahead.held", ("", frozenset(), "over"))
    assert places == frozenset() and onward == "over"
