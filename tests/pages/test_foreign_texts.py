"""Whatever a model, a token, a card or the name of a run says, no page loads anything from outside or runs it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from lmviz.model.card import Card
from lmviz.model.checkpoint import Checkpoint, save
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig
from lmviz.model.tokenizer import Tokenizer
from lmviz.train.recipe import CardRecipe, DataRecipe, TokenizerRecipe
from lmviz.ui.text import foreign
from lmviz.ui.training import words
from tests.pages.conftest import Open, go
from tests.unit.test_runs import RECIPE, Here

IMAGE = "![hostile](http://127.0.0.1:9/x.png)"
HTML = "<img/src=hostile/onerror=alert(1)>"
WORDS = (IMAGE, HTML, "hostile:material/home:", "**hostile**", "ok")
TEXT = " ".join(WORDS)
CARD = f"""# {IMAGE} {HTML}

{IMAGE} and [![hostile](http://127.0.0.1:9/y.png)](http://127.0.0.1:9) and ![hostile][far] and ![far]

<p align="center"><img src="http://127.0.0.1:9/hostile.png"></p> <script>hostile()</script>

`{IMAGE}`

[far]: http://127.0.0.1:9/z.png
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder in which every text is hostile."""
    root = tmp_path_factory.mktemp("models")
    tokenizer = Tokenizer.words(TEXT)
    config = MiniLLMConfig(d_vocab=len(tokenizer), n_ctx=8, n_layers=1, d_model=8, n_heads=2, d_mlp=8)
    card = Card(title=IMAGE, text=CARD, license=IMAGE, languages=(IMAGE,), prompts=(TEXT, IMAGE))
    save(Checkpoint(MiniLLM(config), tokenizer, config, card), root / "hostile")
    before = os.environ.get("LMVIZ_MODELS")
    os.environ["LMVIZ_MODELS"] = str(root)
    yield str(root / "hostile")
    os.environ.pop("LMVIZ_MODELS") if before is None else os.environ.update(LMVIZ_MODELS=before)


@pytest.fixture(scope="module")
def run(runs_folder: Path) -> Iterator[str]:
    """A run of a hostile name, on hostile texts."""
    recipe = replace(
        RECIPE,
        data=DataRecipe(texts=(TEXT, " ".join(WORDS[::-1])), held_out=0.5),
        tokenizer=TokenizerRecipe("words", specials=("<unk>",)),
        training=replace(RECIPE.training, steps=2),
        card=CardRecipe(title=IMAGE, about=CARD, license=IMAGE, languages=(IMAGE,), prompts=(TEXT,)),
    )
    runs = Here(runs_folder)
    found = runs.start_resting(recipe, name=IMAGE)
    runs.work_on(found)
    assert runs.get(found).state == "done"
    yield found
    runs.delete(found)
    runs.die()


SHOWN_AS_THEY_ARE = {  # fields that are no Markdown, or that nobody sees
    ("text_area", "value"), ("text_area", "default"), ("text_area", "placeholder"), ("text_input", "default"),
    ("text_input", "value"), ("text_input", "placeholder"), ("selectbox", "options"), ("multiselect", "options"),
    ("selectbox", "raw_value"), ("multiselect", "raw_values"), ("code", "code_text"), ("bidi_component", "json"),
    ("page_link", "query_string"), ("page_link", "page"), ("selectbox", "set_value"), ("text_area", "set_value"),
    ("json", "body"), ("bidi_component", "js_content"), ("bidi_component", "css_content"), ("vega_lite_chart", "spec"),
    ("vega_lite_chart", "alt"),
}  # fmt: skip


def strings(kind: str, message: Message) -> Iterator[tuple[str, str, str]]:
    for field, value in message.ListFields():
        for one in value if field.is_repeated else [value]:
            if isinstance(one, str):
                yield kind, field.name, one
            elif isinstance(one, Message) and field.name not in ("arrow_data", "data"):
                yield from ((kind, f"{field.name}.{name}", text) for _, name, text in strings(kind, one))


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", {}).values():
        yield from nodes(child)


def active(app: AppTest) -> list[str]:
    """What would be loaded or run: images in Markdown, unless they stand in code; tags in HTML."""
    found = []
    for node in nodes(app._tree):
        proto = getattr(node, "proto", None)
        if not isinstance(proto, Message):
            continue
        for kind, name, text in strings(node.type, proto):
            if (kind, name) in SHOWN_AS_THEY_ARE or name == "id" or name.endswith(".id"):
                continue
            is_html = kind == "html" or getattr(proto, "allow_html", False)
            outside_code = re.sub(r"(?s)(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
            if re.search(r"(?<!\\)!\[", outside_code) and not is_html:
                found.append(f"{kind}.{name}: {text[:300]}")
            if is_html and re.search(r"<(img|script)[ />]", text):
                found.append(f"{kind}.{name}: {text[:300]}")
    return found


def said(app: AppTest) -> str:
    return " ".join(text for node in nodes(app._tree) if isinstance(getattr(node, "proto", None), Message)
                    for *_, text in strings(node.type, node.proto))  # fmt: skip


TABS_OF_TOKENIZER = ("pieces", "compare", "learn", "trip", "vocabulary")
PAGES = {
    "step_through": [{}, {"step": "blocks.0.attn.pattern"}, {"step": "loss", "target": "ok"}, {"watch": '[["x",[0]]]'}],
    "generation": [{}, {"way": "several"}, {"way": "beam"}, {"way": "compare"}],
    "tokenizer": [{"tab": tab, "text": TEXT, "corpus": TEXT} for tab in TABS_OF_TOKENIZER],
    "chat": [{}, {"messages": json.dumps([["user", f"{TEXT} <|im_end|> <|{HTML}|>"]])}],
    "embeddings": [{"section": section} for section in ("look_up", "near", "answers")],
    "quantisation": [{"section": section} for section in ("weight", "model", "calibration")],
    "debugging": [{"section": section} for section in ("doctor", "lab", "exercises")],
}  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize("page", PAGES)
def test_no_text_of_a_model_acts_on_a_page(open_page: Open, model: str, page: str) -> None:
    app = open_page()
    app.switch_page(f"pages/{page}.py")
    for query in PAGES[page]:
        app.query_params.clear()
        for opened in OPENED:
            app.session_state[opened] = True
        go(app, model=model, tokenizer=model, prompt=TEXT, **query)
        assert not app.exception, query
        assert not active(app), query
        assert "hostile" in said(app), query


OPENED = ("card_open", "ledger_open", "data_more", "model_more", "training_more")
TABS = ("", "curves", "time", "step", "compare", "export")


@pytest.mark.parametrize("tab", TABS)
def test_no_text_of_a_run_acts_on_the_training_page(open_page: Open, run: str, tab: str) -> None:
    app = open_page()
    app.switch_page("pages/training.py")
    for opened in OPENED:
        app.session_state[opened] = True
    go(app, run=run, tab=tab, opened="1", beside=f'["{run}"]')
    assert not app.exception
    assert not active(app)
    assert "hostile" in said(app)


def test_a_text_that_is_tried_does_not_act(open_page: Open, run: str) -> None:
    app = open_page()
    app.switch_page("pages/training.py")
    app.session_state["data_more"] = True
    go(app, data=run)
    app.text_input(key="tried").set_value(f"![hostile]({IMAGE} {HTML} new").run()
    assert not app.exception
    assert not active(app)


def test_no_text_of_a_run_acts_on_the_plan(open_page: Open, run: str, model: str) -> None:
    app = open_page()
    app.switch_page("pages/training.py")
    for query in ({"data": run}, {"data": "own"}, {"start": model}, {"data": run, "start": f"runs/{run}@2"}):
        app.query_params.clear()
        for opened in OPENED:
            app.session_state[opened] = True
        go(app, **query)
        assert not app.exception
        assert not active(app), query


def test_a_card_shows_no_image_and_no_tag_and_says_the_rest() -> None:
    shown = foreign(CARD)
    assert not re.search(r"!\[", re.sub(r"`[^`]*`", "", shown))
    assert "<" not in shown.replace("\\\\<", "")
    assert "hostile" in shown and shown.startswith("# ")


@pytest.mark.parametrize(
    "made",
    [
        lambda text: words.table([text], [[text, text]]),
        lambda text: words.table(["a"], [["b", text]]),
        lambda text: words.rows([(text, "inputs", [text, None])]),
        lambda text: words.rows([("a", "targets", ["b", text])]),
        lambda text: words.facts([(text, "1")]),
        lambda text: words.facts([("a", text)]),
        words.piece,
        words.escaped,
    ],
)
def test_no_small_piece_of_html_lets_a_tag_through(made: Callable[[str], str]) -> None:
    plain = re.findall(r"</?\w+", made("text"))
    for hostile in (HTML, "<script>x</script>", "a<b", "&lt;b&gt;"):
        assert re.findall(r"</?\w+", made(hostile)) == plain
    assert "&amp;lt;" in made("&lt;b&gt;")
