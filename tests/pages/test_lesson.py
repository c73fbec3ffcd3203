"""The lesson's exercises are ticked where they are done, and each page says what it follows."""

from __future__ import annotations

import pytest

from lmviz.ui.lesson import DONE
from lmviz.ui.shell import FIRST, LISTED
from lmviz.ui.sources import FOLLOWED
from lmviz.ui.text import LANGUAGES
from tests.pages.conftest import Open, complaints, go, written


def test_each_exercise_is_ticked_when_it_is_done_and_not_before(open_on: Open) -> None:
    app = open_on("training")
    assert not app.session_state[f"lmviz.{DONE}"]
    app.select_slider(key="recipe model.d_model").set_value(32).run()
    assert app.session_state[f"lmviz.{DONE}"] == {"sizes"}
    app.switch_page("pages/generation.py")
    go(app, model="pokemon", n="1")
    assert app.session_state[f"lmviz.{DONE}"] == {"sizes"}
    go(app, model="pokemon", n="1", prompt=".bul", temperature="2.0")
    assert app.session_state[f"lmviz.{DONE}"] == {"sizes", "beginning", "temperature"}
    app.session_state["lesson"] = True
    app.run()
    assert not complaints(app)
    assert written(app).count(":material/check_circle:") == 3


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("page", [name for name, _ in LISTED if name != FIRST])
def test_every_page_names_what_it_follows(open_on: Open, page: str, lang: str) -> None:
    app = open_on(page, lang=lang)
    for source in FOLLOWED[page]:
        assert source.name in written(app)
