"""The end of the walk says what came out and why, and what one can do next."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from lmviz.services.influence import influence
from lmviz.ui.step_through.events import ENDING
from lmviz.ui.text import LANGUAGES, Translator, visible
from tests.pages.conftest import Open, errors, scene

PROMPTS = {"sentences": "La souris a faim, donc elle mange du", "names-llama": ".anna", "small-ever": "Clem"}


def asked(app: AppTest) -> AppTest:
    """What the button at the end does."""
    app.session_state[f"lmviz.{ENDING}"] = True
    return app.run()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("model", PROMPTS)
def test_the_last_stages_say_what_came_out_and_what_mattered_most(open_page: Open, model: str, lang: str) -> None:
    t, models = Translator(lang), Models()
    run = models.record(Request(read_reference(model), PROMPTS[model]))
    found = influence(models, run, len(run.tokens) - 1)
    assert found is not None and found.head is not None
    app = open_page(model=model, prompt=PROMPTS[model], lang=lang, step="probabilities")
    said = scene(app)["say"]["hint"]
    assert not errors(app)
    assert t.percent(found.head.without) in said and visible(run.piece(found.token_id)) in said
    if found.token is not None:
        assert t.percent(found.token.without) in said and visible(run.token(found.token.pos)) in said
    before = scene(open_page(model=model, prompt=PROMPTS[model], lang=lang, step="logits"))["say"]["hint"]
    assert before == ""
    asked(app)
    shown = " ".join(one.value.replace("\\", "") for one in app.markdown)
    assert t.percent(found.share) in shown and t.percent(found.head.without) in shown
    pages = {one.proto.page: one.proto.query_string for one in app.get("page_link")}
    assert {"training", "debugging", "generation"} <= {page.rpartition("/")[2] for page in pages}
    assert not errors(app)


def test_a_head_without_which_the_model_is_surer_is_said_to_speak_against_the_answer(open_page: Open) -> None:
    for prompt in (".mar", ".anna"):
        run = Models().record(Request(read_reference("names"), prompt))
        found = influence(Models(), run, len(run.tokens) - 1)
        assert found is not None and found.head is not None
        app = open_page(model="names", prompt=prompt, lang="en", step="probabilities", depth="story")
        is_said = "this head spoke against" in scene(app)["say"]["hint"]
        assert is_said == (found.head.without > found.share), (prompt, found)


def test_another_text_is_read_from_its_beginning(open_page: Open) -> None:
    app = asked(open_page(model="names", prompt=".mar", step="probabilities", focus="1"))
    app.text_input(key="end.text").set_value("Emma").run()
    assert not errors(app)
    assert {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()} == {
        "model": "names",
        "prompt": "emma",
    }
    assert not [one for one in app.text_input if one.key == "end.text"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("query", [
    {"edits": '[["head","blocks.0.attn.pattern",0]]'}, {"grad": "true"}, {"by": "op"}, {"focus": "0"},
    {"model": "puzzle/1-7"}, {"model": "bug/no_mask@names"}, {"prompt": "m"}, {"temperature": "0.01"},
])  # fmt: skip
def test_the_end_is_never_an_error(open_page: Open, query: dict[str, str]) -> None:
    """A sentence where something can be measured, and none where not."""
    app = asked(open_page(**({"model": "names", "prompt": ".mar", "step": "probabilities"} | query)))
    assert not errors(app)
    assert app.get("page_link")
