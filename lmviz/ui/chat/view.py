"""What a visitor of the chat page is looking at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lmviz.ui.state import Place, choice, flag, part
from lmviz.ui.text import text

ROLES = ("system", "developer", "user", "assistant")
TEMPLATES = ("chatml", "own", "written")
LEARNED = "learned"
MOST_MESSAGES = 20
MESSAGE_LIMIT = 1000  # characters
TEMPLATE_LIMIT = 8000

Turn = tuple[str, str]  # role, content


def _turns(found: Any) -> tuple[Turn, ...]:
    turns = tuple((ROLES[ROLES.index(role)], content[:MESSAGE_LIMIT]) for role, content in found[:MOST_MESSAGES])
    if not all(isinstance(content, str) for _, content in turns):
        raise ValueError(found)
    return turns


@dataclass(frozen=True)
class View(Place):
    """One visitor's place on the chat page."""

    messages: tuple[Turn, ...] | None = part(None, lambda written: _turns(json.loads(written)))  # None: an example
    template: str = part("chatml", choice(*TEMPLATES))
    source: str = part("", lambda written: written[:TEMPLATE_LIMIT])  # of the template that the visitor writes
    tokenizer: str = part(LEARNED, str)
    asks: bool = part(True, flag)  # ends where the assistant's turn begins

    @property
    def turns(self) -> tuple[Turn, ...]:
        if self.messages is not None:
            return self.messages
        return tuple((role, text(self.lang, f"chat.example.{role}")) for role in ("system", "user"))
