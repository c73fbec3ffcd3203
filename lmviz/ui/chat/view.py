"""What a visitor of the chat page is looking at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmviz.generate.settings import Settings
from lmviz.registry.reference import Reference
from lmviz.tokens.template import Message, template_json
from lmviz.ui.parts import model_part, tokenizer_part
from lmviz.ui.place import Place, choice, flag, part, real, whole
from lmviz.ui.tokenizer.own import FILE

ROLES = ("system", "developer", "user", "assistant", "tool")
TEMPLATES = ("chatml", "own", "written")
STRATEGIES = ("greedy", "sample")
LEARNED = "learned"
LONGEST = 200  # tokens of an answer
MOST_MESSAGES = 20
MESSAGE_LIMIT = 1000  # characters
TEMPLATE_LIMIT = 8000

GIVEN_LIMIT = 8000

UNWRITTEN: dict[str, Any] = {"answer": -1, "n": 0, "at": -1}  # no message is looked at as the model wrote it

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

    model: Reference | None = model_part()  # who answers; None: nobody
    messages: tuple[Turn, ...] | None = part(None, lambda written: _turns(json.loads(written)))  # None: an example
    template: str = part("", choice(*TEMPLATES))  # empty: the model's own, or ChatML where there is no model
    source: str = part("", lambda written: written[:TEMPLATE_LIMIT])  # of the template that the visitor writes
    given: str = part("", lambda written: written[:GIVEN_LIMIT])  # tools and variables for the template, in JSON
    tokenizer: str | Reference = tokenizer_part(LEARNED, FILE)
    asks: bool = part(True, flag)  # ends where the assistant's turn begins
    strategy: str = part("", choice(*STRATEGIES))  # how it answers; this and the next: as the model's folder says
    temperature: float | None = part(None, real(0, 1000))
    seed: int = part(0, whole(0, 2**32 - 1))
    length: int = part(80, whole(1, LONGEST))  # tokens of an answer at most
    answer: int = part(-1, whole(-1, MOST_MESSAGES))  # the message whose tokens are looked at, as the model wrote them
    n: int = part(0, whole(0, LONGEST))  # so many of them are written
    at: int = part(-1, whole(-1, LONGEST - 1))  # the token that is looked at; -1: the latest

    @property
    def kind(self) -> str:
        """Which template, one of TEMPLATES."""
        return self.template or ("chatml" if self.model is None else "own")

    def settings(self, own: Settings) -> Settings:
        """How an answer is written; what the visitor leaves open is the folder's `own`."""
        strategy = self.strategy or own.strategy
        temperature = own.temperature if self.temperature is None else self.temperature
        return replace(own, strategy=strategy, temperature=temperature, seed=self.seed, max_new_tokens=self.length)

    @property
    def turns(self) -> tuple[Turn, ...]:
        if self.messages is not None:
            return self.messages
        return tuple((role, self.t(f"chat.example.{role}"), "") for role in ("system", "user"))


def as_messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """Turns as a template reads them.

    Raises:
        UserError: the further fields of one are no JSON object.
    """
    return tuple(Message(role, content, template_json(more)) for role, content, more in turns)
