"""How the ids of a vocabulary are written, whatever kind of tokenizer somebody has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lmviz.errors import UserError


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text.

    Raises:
        UserError: the tokenizer cannot encode.
    """
    if isinstance(tokenizer, str):
        return _ids_of_letters(tokenizer, text)
    encode = getattr(tokenizer, "encode", None)
    if not callable(encode):
        raise UserError(
            "Inputs that are a text need a tokenizer with a method `encode`; {found} has none: give ids instead.",
            found=type(tokenizer).__name__,
        )
    found = encode(text)
    return [int(one) for one in getattr(found, "ids", found)]


def _ids_of_letters(letters: str, text: str) -> list[int]:
    if missing := next((letter for letter in text if letter not in letters), ""):
        raise UserError("The tokenizer is the string {letters}, and has no {letter}.", letters=letters, letter=missing)
    return [letters.index(letter) for letter in text]


def word_of(tokenizer: Any) -> Callable[[int], str]:
    """How one id is written: by a method, a list, a string of letters, or a dict in either direction."""
    if callable(piece := getattr(tokenizer, "piece", None)):
        return lambda id: str(piece(id))
    if callable(decode := getattr(tokenizer, "decode", None)):
        return lambda id: str(decode([id]))
    for table in (tokenizer, getattr(tokenizer, "itos", None), getattr(tokenizer, "stoi", None)):
        if isinstance(table, Mapping):
            turned = {int(k): str(v) for k, v in table.items()} if _by_id(table) else {v: k for k, v in table.items()}
            return lambda id, turned=turned: str(turned[id])  # type: ignore[misc]
        if isinstance(table, Sequence):
            return lambda id, table=table: str(table[id])  # type: ignore[misc]
    return str


def _by_id(table: Mapping[Any, Any]) -> bool:
    return all(isinstance(key, int) for key in table)


def written(word: Callable[[int], str], id: int) -> str:
    """An id as it is written; its number where the tokenizer has no word for it."""
    try:
        return word(id)
    except Exception:  # of any kind: the tokenizer is somebody's own
        return f"<{id}>"
