"""The template by which a chat model wants its messages written: found beside its tokenizer, filled in safely."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE, MissingFile, read_json_object, read_text

ROLES = ("system", "developer", "user", "assistant")

SECONDS = 5  # that a template may take
MEMORY = 512 * MEGABYTE
LONGEST_TEXT = 200_000  # characters that a template may write
LONGEST_TEMPLATE = MEGABYTE // 4
MOST_MESSAGES = 200
LONGEST_MESSAGES = 100_000  # characters of all messages together

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: str  # "system", "developer", "user", "assistant"
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise UserError("A role must be one of {known}; got {role!r}.", known=", ".join(ROLES), role=self.role)


@dataclass(frozen=True)
class Template:
    """A chat template in Jinja, and the special tokens that it may name (`bos_token`, `eos_token`, ...)."""

    source: str
    tokens: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_chatml(self) -> bool:
        return self.source == CHATML


def read_template(folder: str | Path) -> Template | None:
    """The template in chat_template.jinja or in tokenizer_config.json; None if a tokenizer has none."""
    folder = Path(folder)
    config_file, template_file = folder / "tokenizer_config.json", folder / "chat_template.jinja"
    config: dict[str, Any] = {}
    with contextlib.suppress(MissingFile):
        config = read_json_object(config_file, 16 * MEGABYTE)
    with contextlib.suppress(MissingFile):
        return Template(read_text(template_file, LONGEST_TEMPLATE), _special_tokens(config))
    source = _template_in(config.get("chat_template"))
    return None if source is None else Template(source, _special_tokens(config))


def render(template: Template, messages: Sequence[Message], add_generation_prompt: bool = False) -> str:
    """The one text that a chat becomes.

    The template runs in a sandbox and, unless it is ChatML, in a process of its own, which is stopped when it takes
    too much time or memory or writes too much.

    Args:
        add_generation_prompt: end where the assistant's next turn begins, so that the model writes it.

    Raises:
        UserError: what is wrong with the template, or why it refuses these messages.
    """
    _check_size(template, messages)
    if template.is_chatml:
        return chatml(messages, add_generation_prompt)
    seen: dict[str, Any] = dict(template.tokens)
    seen |= {"messages": [vars(message) for message in messages], "add_generation_prompt": add_generation_prompt}
    seen |= {"tools": None, "documents": None}
    answer = _ask(template.source, seen)
    if "text" in answer:
        return str(answer["text"])
    raise _complaint(answer)


def chatml(messages: Sequence[Message], add_generation_prompt: bool = False) -> str:
    """What the template CHATML writes, without Jinja."""
    turns = (f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n" for message in messages)
    return "".join(turns) + ("<|im_start|>assistant\n" if add_generation_prompt else "")


def _check_size(template: Template, messages: Sequence[Message]) -> None:
    length = sum(len(message.content) for message in messages)
    if len(messages) > MOST_MESSAGES or length > LONGEST_MESSAGES:
        raise UserError(
            "A chat can have {n_limit} messages and {limit} characters at most; this one has {n} and {length}.",
            n_limit=MOST_MESSAGES,
            limit=LONGEST_MESSAGES,
            n=len(messages),
            length=length,
        )
    if len(template.source) > LONGEST_TEMPLATE:
        raise UserError(
            "A chat template can have {limit} characters at most; this one has {found}.",
            limit=LONGEST_TEMPLATE,
            found=len(template.source),
        )


def _ask(source: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in a template in another process."""
    request = {"template": source, "variables": variables, "limit": LONGEST_TEXT, "seconds": SECONDS, "bytes": MEMORY}
    program = Path(__file__).with_name("template_process.py")
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(program)],
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS + 1,
        )
    except subprocess.TimeoutExpired:
        return {"wrong": "time"}
    if done.returncode:
        return {"wrong": "time" if done.returncode < 0 else "memory"}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _complaint(answer: Mapping[str, Any]) -> UserError:
    match answer["wrong"]:
        case "time":
            return UserError("The chat template was stopped after {seconds} seconds: it does not end.", seconds=SECONDS)
        case "memory":
            return UserError("The chat template was stopped: it needs more memory than it may have.")
        case "long":
            return UserError(
                "The chat template was stopped: it writes more than {limit} characters.", limit=LONGEST_TEXT
            )
        case "range":
            return UserError(
                "The chat template was stopped: it counts further than {limit} in one range.", limit=answer["limit"]
            )
        case "syntax":
            return UserError(
                "The chat template must be Jinja; line {line} is not: {reason}",
                line=answer["line"],
                reason=answer["reason"],
            )
        case _:
            return UserError("The chat template does not take these messages: {reason}", reason=answer["reason"])


def _template_in(found: object) -> str | None:
    """A template as tokenizer_config.json has it: a text, or a list of named ones, of which one is the default."""
    if isinstance(found, list):
        named = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}
        found = named.get("default")
    if found is None or isinstance(found, str):
        return found
    raise UserError("chat_template in tokenizer_config.json must be a text; got {found!r}.", found=found)


def _special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """bos_token, eos_token and their like: each a text, or an object with its text in `content`."""
    named = {name: value for name, value in config.items() if name.endswith("_token")}
    texts = {name: value.get("content") if isinstance(value, dict) else value for name, value in named.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}
