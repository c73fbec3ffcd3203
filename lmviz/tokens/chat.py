"""What a chat model really reads: one text, cut into tokens, some of which are special."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmviz.errors import UserError
from lmviz.model.tokenizer import Tokenizer, Tokens
from lmviz.tokens.template import CHATML, REASONING, Message, Template, render

_LOOKS_SPECIAL = re.compile(r"<\|[^|<>\s]{1,40}\|>|</?s>|\[/?INST\]|<</?SYS>>")


@dataclass(frozen=True)
class Chat:
    """A chat as its model reads it."""

    text: str
    tokens: Tokens
    special: tuple[bool, ...]  # for each token: stands for something, and not for its own letters
    spelled_out: tuple[
        tuple[str, int], ...
    ]  # (what looks like a special token, how many pieces it is to this tokenizer)
    said: tuple[bool, ...]  # for each token: a message says it; the others are the template's own
    smuggled: tuple[str, ...] = ()  # special tokens that a message itself spells: no model can tell them from real ones


def read_chat(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    template: Template | None = None,
    add_generation_prompt: bool = False,
    variables: Mapping[str, Any] | None = None,
) -> Chat:
    """Messages through a template (None: ChatML) to tokens. A tokenizer that lacks a special token spells it out."""
    text = render(template or Template(CHATML), messages, add_generation_prompt, variables)
    specials = tokenizer.special_ids
    tokens = _without_added(tokenizer.encode(text), specials)
    special = tuple(id in specials for id in tokens.ids)
    found = dict.fromkeys(_LOOKS_SPECIAL.findall(text))
    missing = tuple((name, len(tokenizer.encode(name))) for name in found if tokenizer.id(name) not in specials)
    spelled = dict.fromkeys(name for message in messages for name in _LOOKS_SPECIAL.findall(message.content))
    smuggled = tuple(name for name in spelled if tokenizer.id(name) in specials)
    return Chat(text, tokens, special, missing, _is_of_a_message(text, tokens, messages), smuggled)


def _is_of_a_message(text: str, tokens: Tokens, messages: Sequence[Message]) -> tuple[bool, ...]:
    """Which tokens stand in what a message says, or in what it thought, where the template wrote that down."""
    spans, end = [], 0
    for message in messages:
        thoughts = (message.more.get(name) for name in REASONING)
        for part in (*(one for one in thoughts if isinstance(one, str)), message.content):
            start = text.find(part.strip(), end)
            if part.strip() and start >= 0:
                end = start + len(part.strip())
                spans.append((start, end))
    return tuple(any(start < last and first < stop for first, last in spans) for start, stop in tokens.offsets)


_PROBE = "lmvizprobe"  # an answer whose end is found in the text again


def end_of_turn(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    template: Template,
    variables: Mapping[str, Any] | None = None,
) -> int | None:
    """The token that a template puts after what the assistant says, `<|im_end|>` say; None where it puts none.

    Found by letting the template write an answer: the text right after it begins with that token.
    """
    try:
        text = render(template, [*messages, Message("assistant", _PROBE)], False, variables)
    except UserError:  # it takes no further message, so it says nothing of how one ends
        return None
    added = {str(one["content"]): int(one["id"]) for one in tokenizer.parts["added_tokens"]}
    for after in text.split(_PROBE)[1:]:
        begins = [token for token in added if token and after.lstrip().startswith(token)]
        if begins:
            return added[max(begins, key=len)]
    return None


def _without_added(tokens: Tokens, specials: frozenset[int]) -> Tokens:
    """Without what the tokenizer puts around every text: a template has that already, where it is wanted."""
    own = [
        i
        for i, (id, (start, end)) in enumerate(zip(tokens.ids, tokens.offsets, strict=True))
        if id not in specials or start < end
    ]
    return replace(
        tokens,
        ids=tuple(tokens.ids[i] for i in own),
        pieces=tuple(tokens.pieces[i] for i in own),
        offsets=tuple(tokens.offsets[i] for i in own),
        unknown=tuple(tokens.unknown[i] for i in own),
    )
