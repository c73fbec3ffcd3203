"""The training page: from the plan to a run that is done, in both languages."""

from __future__ import annotations

import json
import re
import time

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.train.runs import Runs
from lmviz.ui.text import LANGUAGES, text
from tests.pages.conftest import Open


def complaints(app: AppTest) -> list[str]:
    return [element.value for element in (*app.exception, *app.error, *app.warning)]


@pytest.fixture
def open_training(open_page: Open) -> Open:
    def open_at(**query: str) -> AppTest:
        app = open_page(**query)
        return app.switch_page("pages/training.py").run()

    return open_at


@pytest.fixture
def runs() -> Runs:
    """The same folder as the app's."""
    return Runs()


def finish(app: AppTest, run: str, runs: Runs) -> AppTest:
    """Look again and again, as the page itself does, until the run rests."""
    for _ in range(600):
        if runs.get(run).state not in ("queued", "running"):
            return app.run()
        time.sleep(0.1)
    raise AssertionError(runs.get(run))


def run_of(app: AppTest) -> str:
    run = app.query_params["run"]
    return run if isinstance(run, str) else run[0]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_with_nothing_chosen_the_lessons_recipe_is_ready_and_one_press_trains_it(
    open_training: Open, runs: Runs, lang: str
) -> None:
    app = open_training(lang=lang)
    assert not complaints(app)
    shown = " ".join(element.proto.body for element in app.get("html"))
    assert re.search(r"2.832 ", shown)
    assert "<td>b</td><td>u</td><td>l</td><td>b</td>" in shown
    app.button(key="go").click().run()
    run = run_of(app)
    app = finish(app, run, runs)
    assert not complaints(app)
    assert runs.get(run).state == "done"
    assert runs.get(run).loss < runs.get(run).facts["baselines"]["unigram"]
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert text(lang, "train.chart.nats") in json.dumps(spec, ensure_ascii=False)
    for tab in ("curves", "compare", "export"):
        app.segmented_control(key="lmviz.ui.training.view.View.tab").set_value(tab).run()
        assert not complaints(app), tab
