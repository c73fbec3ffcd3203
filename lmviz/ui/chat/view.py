"""What a visitor of the chat page is looking at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lmviz.registry.reference import Reference
from lmviz.ui.parts import tokenizer_part
from lmviz.ui.state import Place, choice, flag, part
from lmviz.ui.tokenizer.own import FILE

ROLES = ("system", "developer", "user", "assistant", "tool")
TEMPLATES = ("chatml", "own", "written")
LEARNED = "learned"
MOST_MESSAGES = 20
MESSAGE_LIMIT = 1000  # characters
TEMPLATE_LIMIT = 8000

GIVEN_LIMIT = 8000

Turn = tuple[str, str, str]  # role, content, and more fields of the message in JSON


def _turns(found: Any) -> tuple[Turn, ...]:
    turns = tuple(_turn(*one) for one in found[:MOST_MESSAGES])
    if not all(isinstance(written, str) for turn in turns for written in turn):
        raise ValueError(found)
    return turns


def _turn(role: str, content: str, more: str = "") -> Turn:
    return ROLES[ROLES.index(role)], content[:MESSAGE_LIMIT], more[:MESSAGE_LIMIT]


@dataclass(frozen=True)
class ChatView(Place):
    """One visitor's place on the chat page."""

    messages: tuple[Turn, ...] | None = part(None, lambda written: _turns(json.loads(written)))  # None: an example
    template: str = part("chatml", choice(*TEMPLATES))
    source: str = part("", lambda written: written[:TEMPLATE_LIMIT])  # of the template that the visitor writes
    given: str = part("", lambda written: written[:GIVEN_LIMIT])  # tools and variables for the template, in JSON
    tokenizer: str | Reference = tokenizer_part(LEARNED, FILE)
    asks: bool = part(True, flag)  # ends where the assistant's turn begins

    @property
    def turns(self) -> tuple[Turn, ...]:
        if self.messages is not None:
            return self.messages
        return tuple((role, self.t(f"chat.example.{role}"), "") for role in ("system", "user"))
