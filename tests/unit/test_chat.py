"""Chats: templates found, filled in and cut into tokens; hostile ones stopped with a sentence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tokenizers
from tokenizers import models, processors

from lmviz.errors import UserError
from lmviz.model.tokenizer import Tokenizer
from lmviz.tokens import template as templates
from lmviz.tokens.chat import read_chat
from lmviz.tokens.template import CHATML, Message, Template, chatml, read_template, render
from tests.conftest import ROOT

CHAT = [Message("system", "You are kind."), Message("user", "Hi"), Message("assistant", "Hello")]
MARKS = ["<|im_start|>", "<|im_end|>"]


def test_chatml_is_written_as_in_the_course() -> None:
    assert chatml([Message("user", "How are you"), Message("assistant", "I am doing well!")]) == (
        "<|im_start|>user\nHow are you<|im_end|>\n<|im_start|>assistant\nI am doing well!<|im_end|>\n"
    )
    assert chatml([], add_generation_prompt=True) == "<|im_start|>assistant\n"


def test_only_known_roles_may_speak() -> None:
    with pytest.raises(UserError, match="system, developer, user, assistant, tool; got 'robot'"):
        Message("robot", "bip")


def test_special_tokens_are_one_token_and_marked() -> None:
    tokenizer = Tokenizer.bpe("You are kind. Hi Hello", 280, MARKS)
    chat = read_chat(tokenizer, CHAT)
    assert chat.text == chatml(CHAT)
    assert tokenizer.decode(chat.tokens.ids) == chat.text
    marked = [piece for piece, is_special in zip(chat.tokens.pieces, chat.special, strict=True) if is_special]
    assert marked == MARKS * 3
    assert chat.spelled_out == ()


def test_a_tokenizer_without_the_special_tokens_spells_them_out() -> None:
    tokenizer = Tokenizer.bpe("", 256)
    chat = read_chat(tokenizer, CHAT)
    assert not any(chat.special)
    assert chat.spelled_out == (("<|im_start|>", 12), ("<|im_end|>", 10))
    assert tokenizer.special_ids == frozenset()


def test_what_a_tokenizer_puts_around_every_text_is_left_out() -> None:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.add_special_tokens(["<s>"])
    backend.add_tokens(["hi"])
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = Tokenizer(backend)
    assert tokenizer.encode("hi").ids == (0, 1)
    assert read_chat(tokenizer, [Message("user", "hi")], Template("{{ messages[0].content }} ")).tokens.ids == (1,)
    own = read_chat(tokenizer, [Message("user", "hi")], Template("<s>{{ messages[0].content }}"))
    assert own.tokens.ids == (0, 1)
    assert own.special == (True, False)


def test_a_template_is_found_where_tokenizers_keep_it(tmp_path: Path) -> None:
    assert read_template(tmp_path) is None
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": None}))
    assert read_template(tmp_path) is None
    config.write_text(json.dumps(json.loads(config.read_text()) | {"chat_template": "A{{ bos_token }}"}))
    assert read_template(tmp_path) == Template("A{{ bos_token }}", {"bos_token": "<s>", "eos_token": "</s>"})
    config.write_text(
        json.dumps({"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]})
    )
    assert read_template(tmp_path) == Template("D", for_tools="T")
    assert read_template(tmp_path).source_for({"tools": [{}]}) == "T"
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": {"default": "P"}}))
    assert read_template(tmp_path) == Template("P")
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "P"}))
    assert read_template(tmp_path) == Template("P")
    (tmp_path / "chat_template.jinja").write_text("J")
    assert read_template(tmp_path) == Template("J")
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates/tool_use.jinja").write_text("U")
    assert read_template(tmp_path) == Template("J", for_tools="U")
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "chat_template.json").unlink()
    config.write_text(json.dumps({"chat_template": 3}))
    with pytest.raises(UserError, match="must be a text; got 3"):
        read_template(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% if %}", "line 1 is not"),
        ("a\n{% endfor %}", "line 2 is not"),
        ("{{ raise_exception('only users') }}", "does not take these messages: only users"),
        ("{{ messages[7].content.text }}", "does not take these messages"),
        ("{{ nothing.at.all }}", "'nothing' is undefined"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{{ cycler.__init__.__globals__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{% include '/etc/hostname' %}", "does not take these messages"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% for i in range(10 ** 30) %}{% endfor %}", "counts further than 100000 in one range"),
        ("{% for i in range(90000) %}{{ 'ab' * 99 }}{% endfor %}", "writes more than 200000"),
    ],
)
def test_a_wrong_template_gives_a_sentence(source: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        render(Template(source), CHAT)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{% for tool in tools %}{{ tool.name }}{% endfor %}", "tools"),
        ("{{ documents | length }}{% for tool in tools %}x{% endfor %}", "documents, tools"),
        ("{% set date = today + 1 %}{{ date }}{% for one in tools %}{% endfor %}", "today"),
    ],
)
def test_a_template_that_wants_what_was_not_given_says_what(source: str, names: str) -> None:
    with pytest.raises(UserError) as raised:
        render(Template(source), CHAT)
    assert names in str(raised.value)
    assert "NoneType" not in str(raised.value)


def test_a_template_reads_more_fields_and_variables() -> None:
    source = (
        "{{ mode }}{% for m in messages %}{{ m.name or '-' }}{{ (m.tool_calls or [])[0] }}{{ m.content }}{% endfor %}"
    )
    more = {"tool_calls": ["f"], "content": None}
    said = [Message("assistant", "", more), Message("tool", "ok", {"name": "f"})]
    assert render(Template(source), said, variables={"mode": 1}) == "1-fNonefok"


@pytest.mark.slow
def test_a_template_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "SECONDS", 1)
    endless = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(UserError, match="after 1 seconds"):
        render(Template(endless), CHAT)


def test_a_template_that_wants_too_much_memory_is_stopped() -> None:
    with pytest.raises(UserError, match="more memory"):
        render(Template("{{ 'x' * 10 ** 10 }}"), CHAT)


def test_chats_and_templates_have_a_limit() -> None:
    with pytest.raises(UserError, match="200 messages"):
        render(Template(CHATML), [Message("user", "a")] * 201)
    with pytest.raises(UserError, match="characters"):
        render(Template(CHATML), [Message("user", "a" * 100_001)])
    with pytest.raises(UserError, match="A chat template"):
        render(Template("a" * 300_000), CHAT)


def test_any_text_may_be_said() -> None:
    odd = [Message("user", '{{ 7 * 7 }} {% raw %} </s> \x00 👋 " \\ \n')]
    assert render(Template("{{ messages[0].content }}"), odd) == odd[0].content
    assert render(Template(CHATML), odd) == chatml(odd)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_the_process_of_a_template_can_write_no_file(tmp_path: Path) -> None:
    program = "from lmviz.tokens.template_process import _limit_resources as limit; limit(9, 2**33); "
    program += f"open({str(tmp_path / 'file')!r}, 'w').write('x')"
    subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT)
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_system_that_takes_no_limit_of_memory_takes_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """As macOS does."""
    import resource

    from lmviz.model.tokenizer_process import _limit_memory
    from lmviz.tokens.template_process import _limit_resources

    taken = []

    def limit(kind: int, most: tuple[int, int]) -> None:
        if kind == resource.RLIMIT_AS:
            raise ValueError("current limit exceeds maximum limit")
        taken.append(kind)

    monkeypatch.setattr(resource, "setrlimit", limit)
    _limit_memory(2**30)
    _limit_resources(9, 2**30)
    assert taken == [resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE]
