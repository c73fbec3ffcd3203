"""The field in which a model is chosen: what does not open leaves the one that worked, and a sentence says why."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT
from tests.hub import empty_cache, lay_out, stand_in
from tests.pages.conftest import Open, errors

POKEMON = ROOT / "sample_models" / "pokemon"
PAGES = ("step_through", "generation", "chat", "embeddings", "quantisation", "debugging")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_cache(tmp_path, monkeypatch)


def field(app: AppTest) -> Any:
    (found,) = [box for box in app.selectbox if box.label in ("Model", "Modèle")]
    return found


def type_in(app: AppTest, typed: str) -> None:
    """What a browser sends for a text that is on no list; AppTest has no way to."""
    box = field(app)
    sent = WidgetState(id=box.id, string_value=typed)
    box.__class__ = type("Typed", (type(box),), {"_widget_state": property(lambda _: sent)})
    app.run()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_model_that_does_not_open_leaves_the_one_that_worked(open_on: Open, page: str, lang: str) -> None:
    more = {"debugging": {"section": "lab"}, "embeddings": {"section": "look_up"}}.get(page, {})
    model = "simple-llm" if page == "embeddings" else "pokemon"  # the default of a page is in no link
    app = open_on(page, model=model, lang=lang, **more)
    assert not errors(app)
    type_in(app, "~/no/such/folder")
    (said,) = errors(app)
    assert "org/name" in said and "no/such/folder" in said
    assert field(app).value == model == app.query_params["model"]
    assert not errors(app.run())


def test_a_model_of_the_cache_is_offered_and_opens(open_page: Open, cache: Path) -> None:
    lay_out(cache, "org/tiny", POKEMON)
    app = open_page()
    assert "org/tiny" in field(app).options
    field(app).set_value("org/tiny").run()
    assert not errors(app) and app.query_params["model"] == "org/tiny"


def until(app: AppTest, is_so: Any) -> None:
    for _ in range(400):
        if is_so():
            return
        time.sleep(0.05)
        app.run()
    raise AssertionError(errors(app))


def test_a_name_is_downloaded_only_when_asked_and_then_opens(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in("org/small", POKEMON) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        app = open_page(model="pokemon")
        type_in(app, "org/small")
        assert app.query_params["model"] == "pokemon" and not errors(app) and not asked
        app.button(key="model.download").click().run()
        until(app, lambda: app.query_params["model"] == "org/small")
        assert asked and not errors(app)


def test_a_link_to_a_name_offers_it_and_a_hub_that_is_away_is_a_sentence(open_page: Open) -> None:
    app = open_page(model="org/away")
    assert not errors(app) and any("org/away" in one.value for one in app.markdown)
    app.button(key="model.download").click().run()
    until(app, lambda: any("could not be downloaded" in one for one in errors(app)))
    assert app.button(key="model.download")
