"""What a model answers in a chat: its template writes one text, and the model writes it on to the end of its turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lmviz.errors import UserError
from lmviz.generate.generation import Generation as Written
from lmviz.generate.generation import Writing
from lmviz.generate.of_folder import end_ids, settings_of
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.models import Models
from lmviz.services.generation import Generation
from lmviz.services.tokenizers import Tokenizers
from lmviz.tokens.chat import end_of_turn
from lmviz.tokens.template import Message, Template

REPEATS = 8  # times that the same may come in a row before an answer ends
_ENDS_KEPT = 64


class Chats:
    """Shared by all sessions, safe to use from several threads."""

    def __init__(self, models: Models, tokenizers: Tokenizers, generation: Generation) -> None:
        self._tokenizers, self._generation = tokenizers, generation
        self._ends = models.cache(_ENDS_KEPT)

    def settings(self, checkpoint: Checkpoint) -> Settings:
        """How the model's folder wants it to write.

        Raises:
            UserError: what is wrong with what the folder says.
        """
        return replace(settings_of(checkpoint), stop_repeats=REPEATS)

    def answer(
        self,
        checkpoint: Checkpoint,
        messages: tuple[Message, ...],
        template: Template,
        settings: Settings,
        variables: Mapping[str, Any] | None = None,
    ) -> Writing:
        """The assistant's next turn, token by token, as far as one looks.

        It stops at the tokens that the folder says end a text, and at the one that the template puts after a turn.

        Raises:
            UserError: what is wrong with the template, or that it refuses these messages, or that nothing is to read.
        """
        chat = self._tokenizers.chat(checkpoint.tokenizer, messages, template, True, variables)
        if not chat.tokens.ids:
            raise UserError("The model needs at least one token to read, and these messages give it none.")
        stop = self._stop(checkpoint, messages, template, variables)
        return self._generation.writing_from(checkpoint, chat.tokens.ids, replace(settings, stop=stop))

    def _stop(
        self,
        checkpoint: Checkpoint,
        messages: tuple[Message, ...],
        template: Template,
        variables: Mapping[str, Any] | None,
    ) -> tuple[int, ...]:
        key = (checkpoint, repr((messages, template, variables)))
        return self._ends.get(key, lambda: _all_ends(checkpoint, messages, template, variables))


def _all_ends(
    checkpoint: Checkpoint, messages: Sequence[Message], template: Template, variables: Mapping[str, Any] | None
) -> tuple[int, ...]:
    turn = end_of_turn(checkpoint.tokenizer, messages, template, variables)
    return tuple(dict.fromkeys((*end_ids(checkpoint), *(() if turn is None else (turn,)))))


def answer_text(checkpoint: Checkpoint, written: Written) -> str:
    """What an answer says: its tokens but the one that ended it."""
    ids = written.new_ids
    return checkpoint.tokenizer.decode(ids[:-1] if written.ended == "stop" else ids)
