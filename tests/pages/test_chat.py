"""The chat page, in both languages: messages become one text, and the text tokens."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.model.checkpoint import load
from lmviz.model.tokenizer import Tokenizer
from lmviz.tokens.template import Message, chatml
from lmviz.ui.chat.reading import OPEN
from lmviz.ui.chat.view import MESSAGE_LIMIT, MOST_MESSAGES, ChatView
from lmviz.ui.text import LANGUAGES, Translator, visible
from tests.conftest import ROOT, SAMPLES
from tests.pages.conftest import Open, errors, go, picture
from tests.pages.test_tokenizer import upload
from tests.words import ENGLISH

TURNS = (("system", "Be brief."), ("user", "Hi <b>*you*</b>"))
MESSAGES = json.dumps(TURNS)


def read(app: AppTest) -> str:
    return "".join(one["text"] for one in picture(app, "chat.pieces")["pieces"])


def whole(app: AppTest) -> str:
    """The one text, as the page shows it."""
    (found,) = [one.proto.body for one in app.get("html") if one.proto.body.startswith("<pre")]
    return unescape(found.removeprefix(OPEN).removesuffix("</pre>"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", ["chatml", "own", "written"])
def test_every_template_works_with_every_tokenizer(open_on: Open, template: str, language: str) -> None:
    app = open_on("chat", template=template, lang=language)
    for tokenizer in ("learned", *SAMPLES):
        go(app, template=template, lang=language, tokenizer=tokenizer)
        assert not errors(app), tokenizer
        shown = " ".join(element.value for element in (*app.markdown, *app.caption))
        assert "chat." not in shown and "{" not in shown


@pytest.mark.parametrize("asks", [True, False])
def test_the_pieces_are_what_chatml_writes(open_on: Open, asks: bool) -> None:
    app = open_on("chat", messages=MESSAGES, asks=json.dumps(asks))
    assert not errors(app)
    written = chatml([Message(*turn) for turn in TURNS], asks)
    assert read(app) == visible(written)
    specials = [one["text"] for one in picture(app, "chat.pieces")["pieces"] if "special" in one.get("marks", ())]
    assert specials == ["<|im_start|>", "<|im_end|>"] * 2 + (["<|im_start|>"] if asks else [])
    assert whole(app) == written


def test_a_message_is_added_changed_moved_and_removed(open_on: Open) -> None:
    app = open_on("chat", messages=MESSAGES)
    app.button(key="chat.add").click().run()
    assert json.loads(app.query_params["messages"])[2] == ["assistant", "", ""]
    app.text_area(key="chat.content.2").input("Hello").run()
    app.selectbox(key="chat.role.0").select("developer").run()
    app.button(key="chat.up.2").click().run()
    assert json.loads(app.query_params["messages"]) == [
        ["developer", "Be brief.", ""],
        ["assistant", "Hello", ""],
        ["user", TURNS[1][1], ""],
    ]
    app.button(key="chat.remove.1").click().run()
    assert [turn[0] for turn in json.loads(app.query_params["messages"])] == ["developer", "user"]
    app.button(key="chat.reset").click().run()
    assert "messages" not in app.query_params
    assert app.text_area(key="chat.content.1").value == ENGLISH("chat.example.user")


def test_a_model_without_the_special_tokens_spells_them_out_and_it_is_said(open_on: Open) -> None:
    app = open_on("chat", messages=MESSAGES, tokenizer="names")
    assert not any("special" in one.get("marks", ()) for one in picture(app, "chat.pieces")["pieces"])
    assert sum("im_start" in caption.value or "im_end" in caption.value for caption in app.caption) == 2


def test_a_special_token_inside_a_message_is_pointed_out(open_on: Open) -> None:
    app = open_on("chat", messages=json.dumps([["user", "ignore that<|im_end|>"]]))
    assert any("im_end" in caption.value for caption in app.caption)
    assert not any("im_end" in caption.value for caption in go(app, messages=MESSAGES).caption)


@pytest.mark.parametrize(
    "source",
    ["{% for", "{{ ''.__class__.__mro__ }}", "{% for i in range(10**9) %}x{% endfor %}", "{{ raise_exception('no') }}"],
)
def test_a_wrong_or_hostile_template_is_one_sentence(open_on: Open, source: str) -> None:
    app = open_on("chat", messages=MESSAGES, template="written", source=source)
    assert not app.exception
    assert len(app.error) == 1 or read(app) == ""


def test_a_template_of_ones_own_is_followed(open_on: Open) -> None:
    source = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    app = open_on("chat", messages=MESSAGES, template="written", source=source)
    assert whole(app) == f"[system] {TURNS[0][1]}\n[user] {TURNS[1][1]}\n"


def test_a_tokenizer_brings_its_own_template(open_on: Open, tmp_path: Path) -> None:
    Tokenizer.bpe("hello", 300, ("<s>", "</s>")).save(tmp_path / "tokenizer.json")
    template = "{{ bos_token }}{% for m in messages %}{{ m.content }}</s>{% endfor %}"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, "bos_token": "<s>"}))
    app = open_on("chat", messages=MESSAGES, template="own", tokenizer="file")
    assert not errors(app)
    upload(app, "chat.file", tmp_path / "tokenizer.json", tmp_path / "tokenizer_config.json")
    assert not errors(app)
    assert whole(app) == "<s>Be brief.</s>Hi <b>*you*</b></s>"
    specials = [one["text"] for one in picture(app, "chat.pieces")["pieces"] if "special" in one.get("marks", ())]
    assert specials == ["<s>", "</s>", "</s>"]


TOOLS = """{{ date }}|{% for tool in tools %}{{ tool.function.name }}{% endfor %}|{% for m in messages %}{{ m.role }}:
{%- for call in m.tool_calls or [] %}{{ call.function.name }}({{ call.function.arguments | tojson }}){% endfor %}
{{- m.content }};{% endfor %}"""
GIVEN = json.dumps({"tools": [{"type": "function", "function": {"name": "weather"}}], "date": "today"})
CALL = json.dumps({"tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Lyon"}}}]})


@pytest.mark.parametrize("language", LANGUAGES)
def test_tools_calls_and_variables_can_be_given_to_a_template(open_on: Open, language: str) -> None:
    asked = [["user", "Rain?", ""], ["assistant", "", CALL], ["tool", "Yes", '{"name": "weather"}']]
    app = open_on("chat", lang=language, messages=json.dumps(asked), template="written", source=TOOLS)
    (said,) = errors(app)
    assert "date, tools" in said and "NoneType" not in said
    app.text_area(key="lmviz.ui.chat.view.given").input(GIVEN).run()
    assert not errors(app)
    assert whole(app) == 'today|weather|user:Rain?;assistant:weather({"city": "Lyon"});tool:Yes;'
    app.text_input(key="chat.more.1").input("").run()
    assert whole(app) == "today|weather|user:Rain?;assistant:;tool:Yes;"


@pytest.mark.parametrize("wrong", ["{", "[1]", "[" * 5000, '{"messages": 3}', '{"tools": 3}'])
def test_what_is_wrong_with_the_given_is_one_sentence_and_nothing_is_lost(open_on: Open, wrong: str) -> None:
    app = open_on("chat", messages=MESSAGES, template="written", source=TOOLS, given=wrong)
    assert not app.exception
    assert len(app.error) == 1 or wrong.startswith('{"m')  # the messages are those of the page
    assert app.text_area(key="lmviz.ui.chat.view.given").value == wrong


def test_a_link_cannot_bring_more_than_a_page_takes() -> None:
    long = json.dumps([["user", "x" * 5000]] * 50)
    view, wrong = ChatView.parse({"messages": long})
    assert not wrong and view.messages is not None
    assert len(view.messages) == MOST_MESSAGES and len(view.messages[0][1]) == MESSAGE_LIMIT
    for nonsense in ('[["king", "x"]]', '[["user", 3]]', "7", '["user"]', "[[]]"):
        assert ChatView.parse({"messages": nonsense})[1] == ("messages",)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_tokenizer_that_drops_letters_of_a_chat_says_how_many(open_on: Open, language: str) -> None:
    app = open_on("chat", tokenizer="names", lang=language, messages=MESSAGES)
    tokens = load(ROOT / "sample_models/names").tokenizer.encode(whole(app))
    n_dropped = sum(len(part) for _, part in tokens.dropped)
    assert n_dropped > 10
    assert any(Translator(language)("tokenizer.n_dropped", n=n_dropped) in caption.value for caption in app.caption)
