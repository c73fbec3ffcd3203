"""How a tokenizer spells its tokens: worked out from the parts that its file declares, never from a token's look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_BYTE = re.compile("<0x[0-9A-Fa-f]{2}>")  # how vocabularies with a fallback to bytes spell a byte
_SPACE = "▁"


def _byte_letters() -> dict[str, int]:
    """GPT-2's letter for each byte: itself where it prints, else the next free one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


BYTE_LETTERS = _byte_letters()


@dataclass(frozen=True)
class Spelling:
    """The signs that a token has in the vocabulary and not in a text."""

    in_bytes: bool = False  # each letter is a byte (Radford et al. 2019, 2.2)
    falls_back_to_bytes: bool = False  # <0xF0> is a byte
    space: str = ""  # a letter that stands for a space: ▁ (Kudo & Richardson 2018)
    goes_on: str = ""  # opens a token that goes on with a word: ## (Wu et al. 2016)
    ends: str = ""  # closes a token that ends a word: </w> (Sennrich et al. 2016)
    verbatim: frozenset[str] = frozenset()  # added tokens: spelled as in a text, whatever the rest says

    @property
    def marks_word_starts(self) -> bool:
        """Whether a token that opens a word differs from one that goes on with it."""
        return self.in_bytes or self.space != "" or self.goes_on != ""

    def goes_on_with_a_word(self, token: str) -> bool:
        return token not in self.verbatim and self.goes_on != "" and token.startswith(self.goes_on)

    def ends_a_word(self, token: str) -> bool:
        return token not in self.verbatim and self.ends != "" and token.endswith(self.ends)

    def is_byte(self, token: str) -> bool:
        """Whether it is spelled <0x..>, and is that byte."""
        return self.falls_back_to_bytes and token not in self.verbatim and _BYTE.fullmatch(token) is not None

    def bytes(self, token: str) -> bytes:
        """The bytes that a token writes."""
        if self.is_byte(token):
            return bytes([int(token[3:5], 16)])
        plain = self._without_signs(token)
        if self._is_in_bytes(token, plain):
            return bytes(BYTE_LETTERS[letter] for letter in plain)
        return plain.encode("utf-8", "surrogatepass")

    def is_partial(self, token: str) -> bool:
        """Whether it writes bytes that are no whole character."""
        if not (self.in_bytes or self.falls_back_to_bytes) or token in self.verbatim:
            return False
        try:
            self.bytes(token).decode("utf-8")
        except UnicodeDecodeError:
            return True
        return False

    def text(self, token: str) -> str:
        """What a token looks like in a text: spaces as spaces, bytes that are no character as \\x.."""
        plain = self._without_signs(token)
        if self.is_byte(token) or self._is_in_bytes(token, plain):
            return self.bytes(token).decode("utf-8", "backslashreplace")
        return plain

    def piece(self, token: str) -> str:
        """A token by itself, told from others of the same text: <0xF0> and ## stay, and </w> is a space."""
        if self.is_byte(token):
            return token
        before = self.goes_on if self.goes_on_with_a_word(token) else ""
        return before + self.text(token) + (" " if self.ends_a_word(token) else "")

    def _without_signs(self, token: str) -> str:
        if token in self.verbatim:
            return token
        if self.goes_on_with_a_word(token):
            token = token[len(self.goes_on) :]
        if self.ends_a_word(token):
            token = token[: -len(self.ends)]
        return token.replace(self.space, " ") if self.space else token

    def _is_in_bytes(self, token: str, plain: str) -> bool:
        return self.in_bytes and token not in self.verbatim and all(letter in BYTE_LETTERS for letter in plain)


def spelling_of(parts: Mapping[str, Any]) -> Spelling:
    """How the tokens of a parsed `tokenizer.json` are spelled. Older files don't say the type of their model."""
    found = parts.get("model")
    model: Mapping[str, Any] = found if isinstance(found, dict) else {}
    steps = [step for name in ("normalizer", "pre_tokenizer", "decoder") for step in _steps(parts.get(name))]
    decoders = list(_steps(parts.get("decoder")))
    return Spelling(
        in_bytes=any(step.get("type") == "ByteLevel" for step in steps),
        falls_back_to_bytes=model.get("byte_fallback") is True or _has(decoders, "ByteFallback"),
        space=next(filter(None, map(_space_of, steps)), ""),
        goes_on=_text(model.get("continuing_subword_prefix")) or _prefix(model, decoders),
        ends=_text(model.get("end_of_word_suffix")) or _setting(decoders, "BPEDecoder", "suffix"),
        verbatim=frozenset(_added(parts.get("added_tokens"))),
    )


def _prefix(model: Mapping[str, Any], decoders: list[Mapping[str, Any]]) -> str:
    """What opens a token that goes on with a word; ## where a WordPiece does not say it."""
    said = _setting(decoders, "WordPiece", "prefix")
    return said or ("##" if model.get("type") == "WordPiece" or _has(decoders, "WordPiece") else "")


def _steps(part: object) -> Iterator[Mapping[str, Any]]:
    """The steps that a part of a tokenizer consists of, however deep its sequences."""
    todo = [part]
    while todo:
        one = todo.pop(0)
        if isinstance(one, list):
            todo = [*one, *todo]
        elif isinstance(one, dict):
            yield one
            todo = [*(one.get(name) for name in ("normalizers", "pretokenizers", "decoders")), *todo]


def _has(steps: list[Mapping[str, Any]], kind: str) -> bool:
    return any(step.get("type") == kind for step in steps)


def _setting(steps: list[Mapping[str, Any]], kind: str, name: str) -> str:
    return next((_text(step.get(name)) for step in steps if step.get("type") == kind), "")


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


def _space_of(step: Mapping[str, Any]) -> str:
    """The letter by which a step writes spaces, or from which it makes them."""
    match step:
        case {"type": "Metaspace"}:
            return _text(step.get("replacement")) or _text(step.get("str_rep")) or _SPACE
        case {"type": "Replace", "pattern": {"String": " "}, "content": str(letter)} if not letter.isspace():
            return letter
        case {"type": "Replace", "pattern": {"String": str(letter)}, "content": " "} if not letter.isspace():
            return letter
        case {"type": "Prepend", "prepend": str(letter)} if letter == _SPACE:
            return letter
        case _:
            return ""


def _added(entries: object) -> Iterator[str]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("content"), str):
            yield entry["content"]
