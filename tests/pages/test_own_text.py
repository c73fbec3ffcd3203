"""Wherever one types a text for a model, it is written as the model knows it, and what such a text is stands there."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

import lmviz
from lmviz.model.own_text import as_known, start_mark
from lmviz.ui.text import LANGUAGES, Translator, code
from tests.conftest import ROOT, SAMPLES
from tests.pages.conftest import Open, errors

FIELDS = {  # where a text for a model is typed: the page, how it is opened, the key of the field
    "step_through": ({}, "prompt"),
    "generation": ({}, "generation.prompt"),
    "embeddings": ({"section": "look_up"}, "lmviz.ui.embeddings.view.prompt"),
    "quantisation": ({"section": "model", "format": "int8"}, "lmviz.ui.quantisation.view.prompt"),
    "debugging lab": ({"section": "lab", "bug": "no_mask"}, "lmviz.ui.debugging.view.prompt"),
    "debugging tips": ({"family": "tips"}, "lmviz.ui.debugging.view.prompt"),
    "debugging exercises": ({"section": "exercises"}, "lmviz.ui.debugging.view.prompt"),
}


def typed(app: AppTest, key: str, text: str) -> AppTest:
    return app.text_input(key=key).set_value(text).run()


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("place", FIELDS)
def test_a_name_with_a_capital_letter_is_lowered_and_the_start_mark_offered(
    open_on: Open, place: str, lang: str
) -> None:
    query, key = FIELDS[place]
    app = open_on(place.split()[0], model="names", lang=lang, **query)
    card = lmviz.load(ROOT / "sample_models/names").card
    begins = card.begins if lang == "en" else "Entraîné sur des prénoms anglais"
    assert [one for one in app.caption if begins in one.value]
    assert not [one for one in app.button if one.key == "own_text.with_mark"]
    typed(app, key, "Emma")
    assert not errors(app)
    assert app.text_input(key=key).value == "emma"
    assert [one for one in app.caption if Translator(lang)("own_text.lacks", mark=code(".")) in one.value]
    app.button(key="own_text.with_mark").click().run()
    assert not errors(app)
    assert app.text_input(key=key).value == ".emma"
    assert not [one for one in app.button if one.key == "own_text.with_mark"]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_card_of_each_sample_says_in_both_languages_how_a_text_for_it_begins(name: str) -> None:
    from lmviz.registry.models import Models

    models = Models()
    checkpoint = lmviz.load(ROOT / "sample_models" / name)
    english, french = (models.card(checkpoint, language).begins for language in ("en", "fr"))
    assert english and french and english != french
    assert any(f"`{prompt}" in english for prompt in checkpoint.card.prompts)


@pytest.mark.parametrize(
    ("model", "text", "known"),
    [
        ("names", "Emma", "emma"),
        ("names", "ÉMMA", "émma"),
        ("names", ".emma", ".emma"),
        ("names", "", ""),
        ("names-llama", "ANNA", "anna"),
        ("pokemon", "Pika", "pika"),
        ("small-ever", "clem", "Clem"),
        ("small-ever", "CLEM", "Clem"),
        ("simple-llm", "The cat", "The cat"),
        ("simple-llm", "THE CAT", "the cat"),
        ("simple-llm", "nothing Known", "nothing Known"),
        ("sentences", "Emma DRINKS", "Emma DRINKS"),
    ],
)
def test_a_text_is_written_as_the_model_knows_it(model: str, text: str, known: str) -> None:
    assert as_known(lmviz.load(ROOT / "sample_models" / model).tokenizer, text) == known


def test_a_start_mark_is_a_sign_with_which_all_texts_begin() -> None:
    marks = {name: start_mark(lmviz.load(ROOT / "sample_models" / name).card.prompts) for name in SAMPLES}
    assert marks == {
        "names": ".",
        "names-llama": ".",
        "pokemon": ".",
        "simple-llm": "",
        "small-ever": "",
        "sentences": "",
    }


def test_a_model_of_whose_texts_nothing_is_known_gets_no_line_and_its_text_stays(open_page: Open) -> None:
    for model in ("attached/none", "org/away", "/nowhere"):
        app = open_page(model=model, prompt="Emma")
        assert not app.exception
