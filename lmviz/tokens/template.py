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
from lmviz.faults import of_syntax
from lmviz.model.files import MEGABYTE, MissingFile, read_json_object, read_text

ROLES = ("system", "developer", "user", "assistant", "tool")
REASONING = ("reasoning_content", "thinking", "reasoning")  # the first that is given counts, as in `transformers`

SECONDS = 5  # that a template may take
MEMORY = 512 * MEGABYTE
LONGEST_TEXT = 200_000  # characters that a template may write
_LONGEST_TEMPLATE = MEGABYTE // 4
MOST_MESSAGES = 200
_LONGEST_MESSAGES = 100_000  # characters of all messages and variables together

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: str  # one of ROLES
    content: str
    more: Mapping[str, Any] = field(default_factory=dict)  # what else it has: tool_calls, name, ...

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise UserError("A role must be one of {known}; got {role!r}.", known=", ".join(ROLES), role=self.role)


@dataclass(frozen=True)
class Template:
    """A chat template in Jinja, and the special tokens that it may name (`bos_token`, `eos_token`, ...)."""

    source: str
    tokens: Mapping[str, str] = field(default_factory=dict)
    for_tools: str | None = None  # the source where tools are given, if it is another

    def source_for(self, variables: Mapping[str, Any]) -> str:
        """The template, or the one for tools where there are tools."""
        return self.source if self.for_tools is None or not variables.get("tools") else self.for_tools

    @property
    def is_chatml(self) -> bool:
        return self.source == CHATML


def read_template(folder: str | Path) -> Template | None:
    """The template of a tokenizer, or of the processor that holds it; None if it has none.

    Looked for in chat_template.jinja (and tool_use.jinja in additional_chat_templates), chat_template.json, and
    tokenizer_config.json, in this order, as `transformers` does.
    """
    folder = Path(folder)
    config: dict[str, Any] = {}
    with contextlib.suppress(MissingFile):
        config = read_json_object(folder / "tokenizer_config.json", 16 * MEGABYTE)
    tokens, for_tools = _special_tokens(config), None
    with contextlib.suppress(MissingFile):
        for_tools = read_text(folder / "additional_chat_templates" / "tool_use.jinja", _LONGEST_TEMPLATE)
    with contextlib.suppress(MissingFile):
        return Template(read_text(folder / "chat_template.jinja", _LONGEST_TEMPLATE), tokens, for_tools)
    for file, found in (("chat_template.json", _chat_template_json(folder)), ("tokenizer_config.json", config)):
        named = _templates_in(found.get("chat_template"), file)
        if "default" in named:
            return Template(named["default"], tokens, named.get("tool_use", for_tools))
    return None


def _chat_template_json(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(MissingFile):
        return read_json_object(folder / "chat_template.json", MEGABYTE)
    return {}


def render(
    template: Template,
    messages: Sequence[Message],
    add_generation_prompt: bool = False,
    variables: Mapping[str, Any] | None = None,
) -> str:
    """The one text that a chat becomes.

    The template runs in a sandbox and, unless it is ChatML, in a process of its own, which is stopped when it takes
    too much time or memory or writes too much.

    Args:
        add_generation_prompt: end where the assistant's next turn begins, so that the model writes it.
        variables: what else the template may read, in types that JSON has: tools, documents, enable_thinking, ...

    Raises:
        UserError: what is wrong with the template, or why it refuses these messages.
    """
    given = dict(variables or {})
    _check_size(template, messages, given)
    if template.is_chatml:
        return chatml(messages, add_generation_prompt)
    seen: dict[str, Any] = {**template.tokens, "tools": None, "documents": None, **given}
    seen |= {"messages": [_seen(message) for message in messages], "add_generation_prompt": add_generation_prompt}
    answer = _ask(template.source_for(given), seen)
    if "text" in answer:
        return str(answer["text"])
    raise _complaint(answer)


def template_json(written: str) -> dict[str, Any]:
    """The variables of a template, or more fields of a message, as somebody wrote them: a JSON object, or nothing."""
    if not written.strip():
        return {}
    try:
        found = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise UserError(
            "What a template is given must be JSON; this is not: {reason}.", reason=of_syntax(error)
        ) from None
    if not isinstance(found, dict):
        raise UserError('What a template is given must be a JSON object such as {{"tools": []}}.')
    return found


def _seen(message: Message) -> dict[str, Any]:
    """A message as a template reads it; what it thought, by the names that templates have for it."""
    seen = {"role": message.role, "content": message.content, **message.more}
    thought = next((seen[name] for name in REASONING if seen.get(name) is not None), None)
    return seen if thought is None else {"thinking": thought, **seen, "reasoning_content": thought}


def chatml(messages: Sequence[Message], add_generation_prompt: bool = False) -> str:
    """What the template CHATML writes, without Jinja."""
    turns = (f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n" for message in messages)
    return "".join(turns) + ("<|im_start|>assistant\n" if add_generation_prompt else "")


def _check_size(template: Template, messages: Sequence[Message], variables: Mapping[str, Any]) -> None:
    more = [variables, *(message.more for message in messages)]
    length = sum(len(message.content) for message in messages) + sum(len(json.dumps(one)) for one in more if one)
    if len(messages) > MOST_MESSAGES or length > _LONGEST_MESSAGES:
        raise UserError(
            "A chat can have {n_limit} messages and {limit} characters at most; this one has {n} and {length}.",
            n_limit=MOST_MESSAGES,
            limit=_LONGEST_MESSAGES,
            n=len(messages),
            length=length,
        )
    if len(template.source) > _LONGEST_TEMPLATE:
        raise UserError(
            "A chat template can have {limit} characters at most; this one has {found}.",
            limit=_LONGEST_TEMPLATE,
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
                "The chat template must be Jinja; line {line} is not: {reason:code}",
                line=answer["line"],
                reason=answer["reason"],
            )
        case "lacking":
            if not answer["names"]:
                return UserError("The chat template reads something that these messages do not have.")
            return UserError(
                "The chat template reads something that was not given: give it {names}.",
                names=", ".join(answer["names"]),
            )
        case _:
            return UserError("The chat template does not take these messages: {reason:code}", reason=answer["reason"])


def _templates_in(found: object, file: str) -> dict[str, str]:
    """Templates by their names, as a file has them: one text, which is the default, or several with names."""
    if isinstance(found, list):
        found = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}
    if isinstance(found, dict):
        return {str(name): source for name, source in found.items() if isinstance(source, str)}
    if found is None or isinstance(found, str):
        return {} if found is None else {"default": found}
    raise UserError("chat_template in {file} must be a text; got {found!r}.", file=file, found=found)


def _special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """bos_token, eos_token and their like: each a text, or an object with its text in `content`."""
    named = {name: value for name, value in config.items() if name.endswith("_token")}
    texts = {name: value.get("content") if isinstance(value, dict) else value for name, value in named.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}
