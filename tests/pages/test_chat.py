"""The chat page, in both languages: messages become one text, and the text tokens."""

from __future__ import annotations

import json
import shutil
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.model.checkpoint import load
from lmviz.model.tokenizer import Tokenizer
from lmviz.tokens.template import Message, chatml
from lmviz.ui.chat.reading import OPEN
from lmviz.ui.chat.view import MESSAGE_LIMIT, MOST_MESSAGES, ChatView
from lmviz.ui.text import LANGUAGES, Language, Translator, visible
from tests.chats import AGAIN, ANSWERED, ASKED, SAID, SYSTEM
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


@pytest.mark.nightly
@pytest.mark.sampled(2)
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


# -- a model that answers ----------------------------------------------------------------------------------------------

NOT_ITS_WORDS = "chat.not_its_words"


def answered(app: AppTest) -> AppTest:
    """Look again until the answer is written, as the page itself does."""
    for _ in range(300):
        if "chat.stop" not in {button.key for button in app.button}:
            return app
        app.run()
    raise AssertionError("still writing")


def turns(app: AppTest) -> list[list[str]]:
    return [turn[:2] for turn in json.loads(app.query_params["messages"])]


def written_tokens(app: AppTest) -> list[str]:
    return [one["text"] for one in picture(app, "chat.answer_pieces")["pieces"]]


def link_to(app: AppTest) -> dict[str, list[str]]:
    """Where the door to the step-through leads."""
    (door,) = [one for one in app.get("page_link") if one.proto.label.startswith(("Why", "Pourquoi"))]
    return parse_qs(door.proto.query_string)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_one_says_is_answered_and_the_conversation_goes_on(
    open_on: Open, chat_folder: Path, language: str
) -> None:
    t = Translator(Language(language))
    app = open_on("chat", model=str(chat_folder), messages="[]", lang=language)
    assert not errors(app) and app.selectbox(key="lmviz.ui.chat.view.template").value == "own"
    app.chat_input(key="chat.said").set_value(ASKED).run()
    assert not errors(answered(app))
    assert turns(app) == [["user", ASKED], ["assistant", ANSWERED]]
    assert written_tokens(app) == [*visible(ANSWERED), "<|im_end|>"]
    assert any(t("generation.ended.stop") == one.value for one in app.caption)
    app.chat_input(key="chat.said").set_value(AGAIN).run()
    assert not errors(answered(app))
    assert turns(app)[2:] == [["user", AGAIN], ["assistant", SAID]]
    assert whole(app).startswith(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{ASKED}")
    shown = " ".join(element.value for element in (*app.markdown, *app.caption))
    assert "chat." not in shown and "{" not in shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_token_opens_the_step_that_chose_it(open_on: Open, chat_folder: Path, language: str) -> None:
    said = json.dumps([["user", ASKED], ["assistant", ANSWERED]])
    app = open_on("chat", model=str(chat_folder), messages=said, answer="1", n="10", at="3", lang=language)
    assert not errors(app)
    place = link_to(app)
    before = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{ASKED}<|im_end|>\n<|im_start|>assistant\n"
    assert place["prompt"] == [before + ANSWERED[:3]] and place["target"] == [ANSWERED[3]]
    assert place["model"] == [str(chat_folder)] and place["step"] == ["probabilities"]
    go(app, at="9")
    assert link_to(app)["target"] == ["<|im_end|>"]


@pytest.mark.nightly
def test_the_example_is_answered_and_the_first_message_takes_its_place(open_on: Open, chat_folder: Path) -> None:
    app = open_on("chat", model=str(chat_folder), length="3")
    app.button(key="chat.answer").click().run()
    assert not errors(answered(app)) and [role for role, _ in turns(app)] == ["system", "user", "assistant"]
    assert app.button(key="chat.answer").disabled
    app.button(key="chat.reset").click().run()
    app.chat_input(key="chat.said").set_value(ASKED).run()
    answered(app)
    assert turns(app)[:2] == [["system", ENGLISH("chat.example.system")], ["user", ASKED]]


def test_an_answer_can_be_stopped_and_stays_as_far_as_it_is(open_on: Open, chat_folder: Path) -> None:
    asked = json.dumps([["user", ASKED]])
    app = open_on("chat", model=str(chat_folder), messages=asked, answer="1", n="3")
    assert written_tokens(app) == [*ANSWERED[:3], "…"]
    app.button(key="chat.go_on").click().run()
    app.button(key="chat.stop").click().run()
    (_, (role, said)) = turns(app)
    assert role == "assistant" and ANSWERED.startswith(said) and len(said) >= 3
    go(app, messages=asked, answer="1", n="3")
    app.button(key="chat.end").click().run()
    assert turns(app)[1] == ["assistant", ANSWERED]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_earlier_answer_is_opened_again_if_the_model_wrote_it(
    open_on: Open, chat_folder: Path, language: str
) -> None:
    said = [["user", ASKED], ["assistant", ANSWERED], ["user", AGAIN], ["assistant", SAID]]
    app = open_on("chat", model=str(chat_folder), messages=json.dumps(said), lang=language)
    app.button(key="chat.look.1").click().run()
    assert not errors(app) and written_tokens(app) == [*visible(ANSWERED), "<|im_end|>"]
    app.text_area(key="chat.content.1").input("Good day").run()
    app.button(key="chat.look.1").click().run()
    assert not errors(app)
    assert any(Translator(Language(language))(NOT_ITS_WORDS) == one.value for one in app.caption)


@pytest.mark.nightly
@pytest.mark.sampled(3)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", SAMPLES)
def test_a_model_that_never_learned_to_chat_answers_and_it_is_said(open_on: Open, model: str, language: str) -> None:
    app = open_on("chat", model=model, lang=language, length="4")
    assert any(Translator(Language(language))("chat.not_trained") in one.value for one in app.caption)
    app.button(key="chat.answer").click().run()
    assert not errors(answered(app)) and turns(app)[-1][0] == "assistant"


@pytest.mark.nightly
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_template_that_refuses_leaves_everything_usable(open_on: Open, chat_folder: Path, language: str) -> None:
    source = "{{ raise_exception('not today') }}"
    asked = json.dumps([["user", ASKED]])
    app = open_on("chat", model=str(chat_folder), messages=asked, template="written", source=source, lang=language)
    app.button(key="chat.answer").click().run()
    assert not app.exception and all("not today" in one.value for one in app.error) and app.error
    assert not app.button(key="chat.answer").disabled and not app.chat_input(key="chat.said").disabled
    app.selectbox(key="lmviz.ui.chat.view.template").select("own").run()
    app.button(key="chat.answer").click().run()
    assert not errors(answered(app)) and turns(app)[1] == ["assistant", ANSWERED]


@pytest.mark.nightly
def test_how_it_answers_is_the_folders_until_one_says_otherwise(
    open_on: Open, chat_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    folder = Path(shutil.copytree(chat_folder, tmp_path / "sampled"))
    (folder / "generation_config.json").write_text('{"do_sample": true, "temperature": 0.7, "top_k": 1}')
    app = open_on("chat", model=str(folder), messages=json.dumps([["user", ASKED]]))
    assert app.segmented_control(key="lmviz.ui.chat.view.strategy").value == "sample"
    assert app.number_input(key="lmviz.ui.chat.view.temperature").value == 0.7
    app.button(key="chat.answer").click().run()
    assert turns(answered(app))[1] == ["assistant", ANSWERED]  # drawn, from the one token that top_k leaves
    assert link_to(app)["temperature"] == ["0.7"]
    (folder / "generation_config.json").write_text('{"temperature": "hot"}')
    app = open_on("chat", model=str(folder), messages=json.dumps([["user", ASKED]]))
    assert not app.exception and any("temperature in generation" in one.value for one in app.error)


def test_nobody_answers_without_a_model(open_on: Open) -> None:
    app = open_on("chat")
    assert ENGLISH("chat.no_model") in [one.value for one in app.caption]
    assert not app.chat_input and "chat.answer" not in {button.key for button in app.button}


def test_a_link_with_parts_that_do_not_fit_together_opens(open_on: Open, chat_folder: Path) -> None:
    asked = json.dumps([["user", ASKED], ["assistant", "x" * 1000]])
    for parts in ({"answer": "0"}, {"answer": "1"}, {"answer": "1", "n": "200"}, {"answer": "7", "n": "3"}):
        app = open_on("chat", model=str(chat_folder), messages=asked, **parts)
        assert not errors(app), parts
    assert not errors(open_on("chat", model=str(chat_folder), messages="[]", answer="0", n="5"))


@pytest.mark.nightly
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_without_a_template_whose_tokenizer_knows_chatml_is_offered_it(
    open_on: Open, chat_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    folder = Path(shutil.copytree(chat_folder, tmp_path / "bare"))
    (folder / "tokenizer_config.json").unlink()
    app = open_on("chat", model=str(folder), lang=language, messages=json.dumps([["system", SYSTEM], ["user", ASKED]]))
    assert any(Translator(Language(language))("chat.knows_chatml") in one.value for one in app.caption)
    app.button(key="chat.answer").click().run()
    assert not errors(answered(app)) and turns(app)[-1] == ["assistant", ANSWERED]
