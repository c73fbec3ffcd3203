"""A text as word2vec reads it: sentences of words, and for every word its neighbours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmviz.errors import UserError

LONGEST_TEXT = 50_000  # characters
MOST_WORDS = 3_000  # different ones
_SENTENCE_END = re.compile(r"[.!?\n…]+")
WORD = re.compile(r"\w+(?:['’-]\w+)*")


@dataclass(frozen=True)
class WordText:
    """A text as ids of words, in small letters."""

    words: tuple[str, ...]  # by id, the most frequent first
    counts: tuple[int, ...]  # by id
    sentences: tuple[tuple[int, ...], ...]

    def id(self, word: str) -> int | None:
        word = word.lower()
        return self.words.index(word) if word in self.words else None


@dataclass(frozen=True)
class Example:
    """One thing to learn: from these words, predict that one."""

    inputs: tuple[int, ...]  # ids; for skip-gram the word itself, for CBOW its neighbours
    target: int
    sentence: int
    pos: int  # where the word in the middle stands in its sentence


def read_words(text: str) -> WordText:
    """Cut a text into sentences and words; marks are left out."""
    if len(text) > LONGEST_TEXT:
        raise UserError(
            "A text to learn words from can have {limit} characters at most; this one has {found}.",
            limit=LONGEST_TEXT,
            found=len(text),
        )
    found = [WORD.findall(sentence.lower()) for sentence in _SENTENCE_END.split(text)]
    counts = Counter(word for sentence in found for word in sentence)
    if not 2 <= len(counts) <= MOST_WORDS:
        raise UserError("The text must have 2 to {limit} different words; it has {n}.", limit=MOST_WORDS, n=len(counts))
    ordered = counts.most_common()
    ids = {word: id for id, (word, _) in enumerate(ordered)}
    sentences = tuple(tuple(ids[word] for word in sentence) for sentence in found if sentence)
    return WordText(tuple(ids), tuple(count for _, count in ordered), sentences)


def skip_gram_examples(sentences: Sequence[Sequence[int]], window: int) -> Iterator[Example]:
    """From each word each of its neighbours, at most `window` words away (Mikolov et al. 2013a, 3.2)."""
    for number, sentence in enumerate(sentences):
        for pos, word in enumerate(sentence):
            for neighbour in _neighbours(sentence, pos, window):
                yield Example((word,), neighbour, number, pos)


def cbow_examples(sentences: Sequence[Sequence[int]], window: int) -> Iterator[Example]:
    """From all its neighbours together each word (Mikolov et al. 2013a, 3.1)."""
    for number, sentence in enumerate(sentences):
        for pos, word in enumerate(sentence):
            if around := _neighbours(sentence, pos, window):
                yield Example(tuple(around), word, number, pos)


def _neighbours(sentence: Sequence[int], pos: int, window: int) -> list[int]:
    return [*sentence[max(0, pos - window) : pos], *sentence[pos + 1 : pos + 1 + window]]
