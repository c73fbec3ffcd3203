"""The vocabulary of any tokenizer as a list of tokens, and the bytes behind each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmviz.errors import UserError
from lmviz.model.tokenizer import BYTE, BYTE_LETTERS, LARGEST_D_VOCAB, Tokenizer


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a tokenizer by id; None where an id has no token."""

    tokens: tuple[str | None, ...]  # as the file spells them
    special: frozenset[int]  # ids of tokens that stand for something and not for text
    mark: str  # of a word's beginning: "Ġ", GPT-2's letter for a space, or "▁"; or of its continuation: "##"; or ""
    unmarked: frozenset[int]  # added tokens that are spelled as they are, whatever the mark

    def text(self, id: int) -> str:
        """What a token looks like in a text: spaces as spaces; bytes that are no character as \\x.."""
        token = self.tokens[id]
        if token is None:
            return ""
        if id in self.special or id in self.unmarked:
            return token
        if self.mark == "Ġ":
            if token.isascii():
                return token
            return self.bytes(id).decode("utf-8", "backslashreplace")
        if BYTE.fullmatch(token):
            return self.bytes(id).decode("utf-8", "backslashreplace")
        return token.replace("▁", " ") if self.mark == "▁" else token.removeprefix("##") if self.mark == "##" else token

    def bytes(self, id: int) -> bytes:
        """The bytes that a token writes."""
        token = self.tokens[id] or ""
        is_text = id in self.special or id in self.unmarked
        if self.mark == "Ġ" and not is_text and all(letter in BYTE_LETTERS for letter in token):
            return bytes(BYTE_LETTERS[letter] for letter in token)
        if BYTE.fullmatch(token) and not is_text:
            return bytes([int(token[3:5], 16)])
        return (token if self.mark == "Ġ" else self.text(id)).encode("utf-8", "surrogatepass")


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
    return Vocabulary(tuple(tokens), special, _mark(content, model), frozenset(added) - special)


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


def _mark(content: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """How this tokenizer tells a word's beginning from its continuation."""
    pipeline = json.dumps(
        [content.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")], ensure_ascii=False
    )
    if '"ByteLevel"' in pipeline:
        return "Ġ"
    if "▁" in pipeline or '"Metaspace"' in pipeline:
        return "▁"
    return "##" if model.get("type") == "WordPiece" else ""
