"""The vocabulary of any tokenizer as a list of tokens, and the bytes behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmviz.errors import UserError
from lmviz.model.spelling import Spelling, spelling_of
from lmviz.model.tokenizer import LARGEST_D_VOCAB, Tokenizer


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a tokenizer by id; None where an id has no token."""

    tokens: tuple[str | None, ...]  # as the file spells them
    special: frozenset[int]  # ids of tokens that stand for something and not for text
    spelling: Spelling

    def text(self, id: int) -> str:
        """What a token looks like in a text: spaces as spaces; bytes that are no character as \\x.."""
        return self.spelling.text(self.tokens[id] or "")

    def bytes(self, id: int) -> bytes:
        """The bytes that a token writes."""
        return self.spelling.bytes(self.tokens[id] or "")


def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    return vocabulary_from(
        {**tokenizer.parts, "model": {**tokenizer.parts["model"], "vocab": dict(tokenizer.vocabulary)}}
    )


def vocabulary_from(content: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary of a parsed `tokenizer.json`."""
    model = content.get("model")
    if not isinstance(model, dict) or "vocab" not in model:
        raise UserError("A tokenizer.json must have a model with a vocab; this one has none.")
    added = _added(content.get("added_tokens") or [])
    ids = _ids(model["vocab"]) | {token: id for id, (token, _) in added.items()}
    tokens: list[str | None] = [None] * (1 + max(ids.values(), default=-1))
    for token, id in ids.items():
        tokens[id] = token
    special = frozenset(id for id, (_, is_special) in added.items() if is_special)
    return Vocabulary(tuple(tokens), special, spelling_of(content))


def _ids(vocab: object) -> dict[str, int]:
    """Token -> id, from an object, or from the list of [token, score] that Unigram has."""
    if isinstance(vocab, list) and all(
        isinstance(entry, list) and entry and isinstance(entry[0], str) for entry in vocab
    ):
        vocab = {entry[0]: id for id, entry in enumerate(vocab)}
    if not isinstance(vocab, dict) or not all(map(_is_id, vocab.values())):
        raise UserError(
            "The vocab of a tokenizer.json must say the id of each token, from 0 up to {limit}; this one does not.",
            limit=LARGEST_D_VOCAB,
        )
    return vocab


def _is_id(id: object) -> bool:
    return isinstance(id, int) and not isinstance(id, bool) and 0 <= id < LARGEST_D_VOCAB


def _added(entries: object) -> dict[int, tuple[str, bool]]:
    """Id -> (token, whether it is special)."""
    good = isinstance(entries, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("content"), str) and _is_id(entry.get("id"))
        for entry in entries
    )
    if not good:
        raise UserError("The added_tokens of a tokenizer.json must be a list of tokens with id and content.")
    return {entry["id"]: (entry["content"], entry.get("special") is True) for entry in entries}  # type: ignore[attr-defined]
