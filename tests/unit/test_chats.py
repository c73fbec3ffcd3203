"""What a model answers in a chat: it writes its turn on, as its folder wants it, and stops where the turn ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lmviz.errors import UserError
from lmviz.generate.of_folder import end_ids, settings_of
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint, load
from lmviz.model.tokenizer import Tokenizer
from lmviz.services.chats import answer_text
from lmviz.services.services import Services
from lmviz.tokens.chat import end_of_turn, read_chat
from lmviz.tokens.template import CHATML, Message, Template, read_template
from tests.chats import AGAIN, ANSWERED, ASKED, SAID, SYSTEM
from tests.oracle.test_chat import LLAMA_2, MODERN, ZEPHYR

HI = (Message("user", ASKED),)


@pytest.fixture(scope="module")
def chat_model(chat_folder: Path) -> Checkpoint:
    return load(chat_folder)


def answered(checkpoint: Checkpoint, messages: tuple[Message, ...], **changes: Any) -> tuple[str, str]:
    services, folder = Services(), checkpoint.folder
    template = read_template(folder) if folder is not None else None
    assert template is not None
    settings = replace(services.chats.settings(checkpoint), **{"max_new_tokens": 40, **changes})
    written = services.chats.answer(checkpoint, messages, template, settings).first(40)
    return answer_text(checkpoint, written), written.ended


@pytest.mark.slow
def test_a_conversation_goes_on_and_each_turn_ends_itself(chat_model: Checkpoint) -> None:
    assert answered(chat_model, HI) == (ANSWERED, "stop")
    more = (*HI, Message("assistant", ANSWERED), Message("user", AGAIN))
    assert answered(chat_model, more) == (SAID, "stop")


@pytest.mark.slow
def test_an_answer_that_is_cut_off_keeps_all_its_tokens(chat_model: Checkpoint) -> None:
    assert answered(chat_model, HI, max_new_tokens=5) == (ANSWERED[:5], "length")


def test_what_a_message_says_is_told_from_what_the_template_adds(chat_model: Checkpoint) -> None:
    assert chat_model.folder is not None
    chat = read_chat(chat_model.tokenizer, HI, read_template(chat_model.folder), True)
    said = "".join(piece for piece, is_said in zip(chat.tokens.pieces, chat.said, strict=True) if is_said)
    assert said == ASKED and SYSTEM in chat.text
    thought = Message("assistant", "So", {"reasoning_content": "Hm"})
    template = Template("{% for m in messages %}<think>{{ m.reasoning_content }}</think>{{ m.content }}{% endfor %}")
    chat = read_chat(Tokenizer.characters("<>/thinkHmSo"), [thought], template)
    assert "".join(chat.tokens.pieces[i] for i, is_said in enumerate(chat.said) if is_said) == "HmSo"


# -- what ends a turn --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "end"),
    [
        (CHATML, "<|im_end|>"),
        (LLAMA_2, "</s>"),
        (ZEPHYR, "</s>"),
        (MODERN, "<|eot_id|>"),
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", None),
        ("{% if messages[-1].role == 'assistant' %}{{ raise_exception('no') }}{% endif %}</s>", None),
        ("{{ messages[0].content }}</s>", None),  # what the assistant says is not in it
    ],
    ids=["chatml", "llama-2", "zephyr", "llama-3", "plain", "refuses", "without"],
)
def test_the_token_that_ends_a_turn_is_found_in_the_template(source: str, end: str | None) -> None:
    tokenizer = Tokenizer.bpe("", 300, ("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|e"))
    template = Template(source, {"bos_token": "<s>", "eos_token": "</s>"})
    assert end_of_turn(tokenizer, HI, template) == (None if end is None else tokenizer.id(end))


def test_a_tokenizer_without_such_a_token_names_none() -> None:
    assert end_of_turn(Tokenizer.bpe("", 256), HI, Template(CHATML)) is None


def with_files(tmp_path: Path, **files: object) -> Checkpoint:
    """The smallest sample, as if these files lay beside it."""
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return replace(load("pokemon"), folder=tmp_path)


def test_all_files_of_a_folder_may_name_tokens_that_end_a_text(tmp_path: Path) -> None:
    letters = load("pokemon").tokenizer
    checkpoint = with_files(
        tmp_path,
        generation_config={"eos_token_id": [3, 2, 100_000]},
        config={"eos_token_id": 2, "text_config": {"eos_token_id": [4]}},
        tokenizer_config={"eos_token": {"content": "z"}},
        special_tokens_map={"eos_token": "y"},
    )
    assert end_ids(checkpoint) == (3, 2, 4, letters.id("z"), letters.id("y"))
    assert end_ids(replace(checkpoint, folder=tmp_path / "none")) == end_ids(replace(checkpoint, folder=None)) == ()


@pytest.mark.parametrize("wrong", ["2", [1, None], -1, True, {"a": 1}, 2.0])
def test_an_end_that_is_no_token_is_one_sentence(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(UserError, match=r"eos_token_id in config\.json must be one token id"):
        end_ids(with_files(tmp_path, config={"eos_token_id": wrong}))


# -- how it wants to write ---------------------------------------------------------------------------------------------


def test_a_folder_says_how_its_model_writes(tmp_path: Path) -> None:
    assert settings_of(with_files(tmp_path)) == Settings("greedy")
    said = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": None, "max_length": 9}
    found = settings_of(with_files(tmp_path, generation_config={**said, "repetition_penalty": 1.1}))
    assert found == Settings("sample", temperature=0.6, top_k=20, top_p=0.95, repetition_penalty=1.1)
    greedy = settings_of(with_files(tmp_path, generation_config={"temperature": 0.6, "no_repeat_ngram_size": 3}))
    assert not greedy.draws and greedy.no_repeat_ngram == 3


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("temperature", "hot"),
        ("temperature", -1),
        ("top_k", 2.5),
        ("top_p", 7),
        ("min_p", []),
        ("repetition_penalty", 0),
        ("no_repeat_ngram_size", True),
        ("do_sample", "yes"),
    ],
)
def test_a_setting_that_is_impossible_is_named_with_its_file(tmp_path: Path, name: str, wrong: object) -> None:
    with pytest.raises(UserError, match=rf"{name} in generation_config\.json must be .*; got "):
        settings_of(with_files(tmp_path, generation_config={name: wrong}))
