"""The first page: a sentence is guessed word by word, with the model's real chances, in both languages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

import lmviz
from lmviz.services.greetings import BEGINNINGS, SAMPLE, greeting
from lmviz.services.next_words import next_words
from lmviz.ui import server
from lmviz.ui.first.view import FirstView
from lmviz.ui.place import Place
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import LANGUAGES, Translator
from tests.conftest import ROOT
from tests.pages.conftest import Open, errors, go, scene, written
from tools.greetings import FILE
from tools.greetings import written as greetings_written


def choices(app: AppTest) -> list[str]:
    return [button.label for button in app.button if (button.key or "").startswith("first_choice_")]


def links(app: AppTest) -> list[tuple[str, str]]:
    """Where each link leads: a page and its query."""
    return [(one.proto.page, one.proto.query_string) for one in app.get("page_link")]


def shares(text: str) -> dict[str, float]:
    """The probabilities of all tokens after a text, by themselves."""
    checkpoint = lmviz.load(ROOT / "sample_models" / SAMPLE)
    with torch.no_grad():
        logits = checkpoint.model(checkpoint.tokenizer.encode(text).ids_tensor)[0, -1]
    return {checkpoint.tokenizer.piece(id): float(share) for id, share in enumerate(logits.double().softmax(-1))}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_sentence_is_guessed_to_its_end_with_the_chances_that_the_model_gives(open_root: Open, lang: str) -> None:
    t, text = Translator(lang), BEGINNINGS[lang]
    app = open_root(lang=lang)
    assert not errors(app)
    while not text.endswith("."):
        assert text in " ".join(written(app).replace('<span class="chosen">', "").split())
        real = shares(text)
        likeliest = sorted(real, key=lambda piece: -real[piece])[:6]
        expected = [
            f"{t('first.stop', sign='.') if piece == '.' else piece.strip()} **{t.percent(real[piece])}**"
            for piece in likeliest
        ]
        assert [label.replace("\\", "") for label in choices(app)] == expected
        others = t("first.others", n=t.integer(len(real) - 6), share=t.percent(1 - sum(real[p] for p in likeliest)))
        assert others in written(app)
        chosen = likeliest.index(".") if "." in likeliest else 1
        app.button(key=f"first_choice_{chosen}").click().run()
        text += likeliest[chosen]
        assert not errors(app)
        assert app.query_params["text"] in (text, [text])
    assert not choices(app)
    (query,) = [query for _, query in links(app) if "focus=" in query]
    n_pos = len(lmviz.load(ROOT / "sample_models" / SAMPLE).tokenizer.encode(text))
    assert f"focus={n_pos - 3}" in query and "step=probabilities" in query
    app.button(key="first_again").click().run()
    assert choices(app) and "text" not in app.query_params


def test_the_greetings_in_the_file_are_what_the_model_says() -> None:
    assert set(BEGINNINGS) == set(LANGUAGES)
    checkpoint = lmviz.load(ROOT / "sample_models" / SAMPLE)
    for language, text in BEGINNINGS.items():
        kept, said = greeting(language), next_words(checkpoint, text)
        assert [choice.text for choice in kept.choices] == [choice.text for choice in said.choices]
        assert [choice.share for choice in kept.choices] == pytest.approx([one.share for one in said.choices], abs=1e-6)
        assert (kept.text, kept.n_others, kept.n_parameters) == (said.text, said.n_others, said.n_parameters)
    stored = (ROOT / "sample_models" / SAMPLE / FILE).read_text(encoding="utf-8")
    assert json.loads(stored).keys() == json.loads(greetings_written()).keys()


def test_a_sentence_of_ones_own_is_read_and_what_the_model_has_never_read_is_said(open_root: Open) -> None:
    app = open_root()
    app.text_input(key="first_own").set_value("Emma drinks ").run()
    assert not errors(app)
    assert app.query_params["text"] in ("Emma drinks", ["Emma drinks"])
    assert any("Emma" in caption.value and "drinks" not in caption.value for caption in app.caption)
    for text in ("a" * 301, "\u202e", "<b>*x*</b>", " ", ".", "\n", "a" * 300, "The " * 60):
        assert not errors(go(app, text=text)), text


def test_a_link_that_names_a_view_of_the_step_through_opens_it_there(open_root: Open) -> None:
    app = open_root(model="names", prompt=".mar", step="softmax", head="1", nonsense="1", lang="fr")
    assert scene(app)["say"]["title"] and app.text_input(key="prompt").value == ".mar"
    assert {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()} == {
        "model": "names", "prompt": ".mar", "step": "softmax", "head": "1", "lang": "fr",
    }  # fmt: skip
    assert [info.value for info in app.info if "nonsense" in info.value]
    of_every_page = {one.name for one in fields(Place)}  # the language, and the way through the course
    assert {one.name for one in fields(StepThroughView)} - of_every_page == server.OF_STEP_THROUGH
    assert not server.is_of_step_through(one.name for one in fields(FirstView))


@pytest.mark.parametrize("page", ["first", "step_through", "generation", "training", "chat"])
def test_what_no_page_knows_in_a_link_is_said_once_and_changes_nothing(open_on: Open, page: str) -> None:
    app = open_on(page, lang="fr", fbclid="x", zoom="2")
    assert not errors(app)
    (said,) = [info.value for info in app.info]
    assert "fbclid" in said and "zoom" in said and "`lang`" not in said
    assert app.query_params["lang"] in ("fr", ["fr"])
    assert not app.run().info
    assert not open_on(page, lang="fr").info


def test_the_first_page_imports_nothing_that_takes_long() -> None:
    """As a server does it: drawn before torch and altair are there, and numpy, which Streamlit reads icons with."""
    code = """
import sys, threading
threading.Timer.start = lambda self: None  # what is imported while the visitor reads comes later
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("streamlit_app.py", default_timeout=60).run()
assert not app.exception and len(app.button) >= 6
print([name for name in ("torch", "tokenizers", "altair", "lmviz.registry", "numpy", "PIL") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.nightly
def test_while_a_browser_that_asked_for_a_page_comes_nothing_is_imported_beside_it() -> None:
    script = """
import asyncio, sys, threading, time
from lmviz.ui import server
server.SOON = 0.1
async def page(scope, receive, send):
    await send({"type": "http.response.start", "headers": [(b"content-type", b"text/html; charset=utf-8")]})
async def sent(message): pass
asyncio.run(server.Ahead(page)({"type": "http"}, None, sent))
threading.Thread(target=server._import_soon, daemon=True).start()
time.sleep(3)
print("torch" in sys.modules)
server._COMING = 0.1  # of the next: nobody who asked has come
server._import_soon()
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_the_door_to_the_course_is_there_once_its_page_is(open_root: Open) -> None:
    is_there = (Path(ROOT) / "pages/course.py").is_file()
    assert any("course" in page for page, _ in links(open_root())) == is_there
