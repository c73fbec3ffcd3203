"""A text that a person types, as the texts of a model are written."""

from __future__ import annotations

from collections.abc import Sequence

from lmviz.model.tokenizer import Tokenizer


def as_known(tokenizer: Tokenizer, text: str) -> str:
    """The text with its letters large or small as the model knows them: where that loses less of it, and only there.

    A tokenizer of small letters drops the E of "Emma"; it has all of "emma".
    """
    small = text.lower()
    written = (text, small, small[:1].upper() + small[1:])
    return min(dict.fromkeys(written), key=lambda one: _lost(tokenizer, one))


def _lost(tokenizer: Tokenizer, text: str) -> int:
    """How many characters the model does not get to read."""
    tokens = tokenizer.encode(text)
    unknown = sum(end - start for (start, end), gone in zip(tokens.offsets, tokens.unknown, strict=True) if gone)
    return unknown + sum(len(dropped) for _, dropped in tokens.dropped)


def start_mark(prompts: Sequence[str]) -> str:
    """The sign with which all texts of a model begin, by its card's; empty where they begin with letters or differ.

    >>> start_mark([".mar", ".an", "."]), start_mark(["Clem"]), start_mark([".a", "b"]), start_mark([])
    ('.', '', '', '')
    """
    firsts = {prompt[:1] for prompt in prompts}
    mark = firsts.pop() if len(firsts) == 1 else ""
    return "" if mark.isalnum() or mark.isspace() else mark
