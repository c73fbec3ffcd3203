"""A text to ids and back: what came through, what was lost, and what came out in its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from lmviz.model.tokenizer import Tokenizer

_PART = re.compile(r"(\s*)(\w+|[^\w\s]|\Z)")  # a gap, which may be empty, and a word or a sign
_MOST_COMPARED = 4_000_000  # pairs of words; two texts with more to compare are one span

Part = tuple[str, str]  # gap, word


@dataclass(frozen=True)
class Span:
    """A stretch of the text, and what it became."""

    before: str  # in the text; empty if something was put in
    after: str  # in what came back; empty if something was dropped

    @property
    def is_kept(self) -> bool:
        return self.before == self.after


def round_trip(tokenizer: Tokenizer, text: str) -> tuple[Span, ...]:
    """The text in spans, each with what the tokenizer writes back for it; joined, they are the text and its return."""
    return changes(text, tokenizer.decode(tokenizer.encode(text).ids))


def changes(before: str, after: str) -> tuple[Span, ...]:
    """Where two texts differ: the words are matched first, then the gaps between those that match."""
    if before == after:
        return (Span(before, after),) if before else ()
    left, right = _PART.findall(before), _PART.findall(after)
    if len(left) * len(right) > _MOST_COMPARED:
        return (Span(before, after),)
    words = [word for _, word in left], [word for _, word in right]
    blocks = SequenceMatcher(None, *words, autojunk=False).get_opcodes()
    return tuple(_joined(span for kind, *cut in blocks for span in _spans(kind, left, right, *cut)))


def _spans(kind: str, left: list[Part], right: list[Part], a: int, b: int, c: int, d: int) -> Iterator[Span]:
    if kind != "equal":
        yield from _letters("".join(map("".join, left[a:b])), "".join(map("".join, right[c:d])))
        return
    for (gap, word), (other_gap, _) in zip(left[a:b], right[c:d], strict=True):
        yield Span(gap, other_gap)
        yield Span(word, word)


def _letters(before: str, after: str) -> Iterator[Span]:
    """Two stretches that differ, letter by letter: what came through in between is kept."""
    if len(before) * len(after) > _MOST_COMPARED:
        yield Span(before, after)
        return
    for _, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        yield Span(before[a:b], after[c:d])


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """What is kept in one stretch is one span; what became nothing out of nothing is none."""
    for is_kept, group in groupby((span for span in spans if span.before or span.after), key=lambda span: span.is_kept):
        stretch = list(group)
        if is_kept:
            whole = "".join(span.before for span in stretch)
            stretch = [Span(whole, whole)]
        yield from stretch
