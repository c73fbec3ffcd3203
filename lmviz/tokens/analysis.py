"""A vocabulary taken apart, as the course does it with `grep`: what kinds of tokens there are, and how many of each."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmviz.model.tokenizer import Tokenizer, Tokens
from lmviz.tokens.vocabulary import Vocabulary

KINDS = (
    "missing",  # an id without a token
    "special",  # stands for something, not for text: the end of a text, the beginning of a turn
    "partial",  # bytes that are not a whole character
    "blank",  # spaces and ends of lines only
    "single",  # one character, and no space before it
    "punctuation",  # two or more signs, perhaps after a space
    "beginning",  # opens a word: for most tokenizers, because a space comes before it
    "continuation",  # goes on with a word, or opens one where no space comes before it
    "ending",  # a whole word or the end of one, in a vocabulary that marks ends
    "open",  # the word goes on after it, in such a vocabulary
)
CASES = (
    "none",  # no letter that has a case
    "lower",  # all small
    "upper",  # all capital: A, USA
    "capital",  # one capital letter, then small ones: Paris
    "mixed",  # iPhone, pH
)


@dataclass(frozen=True, eq=False)
class Analysis:
    """Every token has one kind and one case. All arrays are [d_vocab]."""

    vocabulary: Vocabulary
    texts: tuple[str, ...]  # what each token looks like in a text
    words: tuple[str, ...]  # the same without the space that marks a word's beginning
    kinds: NDArray[np.int8]  # index into KINDS
    cases: NDArray[np.int8]  # index into CASES
    lengths: NDArray[np.int64]  # characters of the word

    def counts(self) -> dict[str, int]:
        """How many tokens of each kind there are."""
        return dict(zip(KINDS, np.bincount(self.kinds, minlength=len(KINDS)).tolist(), strict=True))

    def ids(self, kind: str | None = None, case: str | None = None, search: str = "") -> NDArray[np.intp]:
        """The ids of one kind, of one case, whose text has `search` in it (written in capitals or not)."""
        chosen = np.ones(len(self.texts), dtype=np.bool_)
        if kind is not None:
            chosen &= self.kinds == KINDS.index(kind)
        if case is not None:
            chosen &= self.cases == CASES.index(case)
        if search:
            wanted = search.lower()
            chosen &= np.fromiter((wanted in text.lower() for text in self.texts), np.bool_, len(self.texts))
        return np.flatnonzero(chosen)

    def longest(self, ids: NDArray[np.intp], n: int) -> NDArray[np.intp]:
        """Of some ids, the n whose words are longest, the longest first."""
        return ids[np.argsort(-self.lengths[ids], kind="stable")][:n]

    def capitals_by_length(self, kind: str | None = None) -> dict[int, NDArray[np.intp]]:
        """The tokens all in capitals, by how many letters they have: single letters, pairs, triplets, ..."""
        ids = self.ids(kind, "upper")
        ids = ids[[self.words[id].isalpha() for id in ids]]
        return {int(length): ids[self.lengths[ids] == length] for length in np.unique(self.lengths[ids])}


def analyse(vocabulary: Vocabulary) -> Analysis:
    """Sort every token of a vocabulary into its kind and its case."""
    texts = tuple(map(vocabulary.text, range(len(vocabulary.tokens))))
    words = tuple(text[1:] if len(text) > 1 and text[0] == " " else text for text in texts)
    kinds = np.fromiter((KINDS.index(kind) for kind in _kinds(vocabulary, texts, words)), np.int8, len(texts))
    cases = np.fromiter((CASES.index(_case(word)) for word in words), np.int8, len(words))
    cases[kinds < KINDS.index("blank")] = CASES.index("none")  # what stands for no text has no letters
    return Analysis(vocabulary, texts, words, kinds, cases, np.fromiter(map(len, words), np.int64, len(words)))


def _kinds(vocabulary: Vocabulary, texts: tuple[str, ...], words: tuple[str, ...]) -> Iterator[str]:
    for id, (text, word) in enumerate(zip(texts, words, strict=True)):
        if vocabulary.tokens[id] is None:
            yield "missing"
        elif id in vocabulary.special:
            yield "special"
        elif vocabulary.spelling.is_partial(str(vocabulary.tokens[id])):
            yield "partial"
        else:
            yield _kind_of_text(vocabulary, id, text, word)


def _kind_of_text(vocabulary: Vocabulary, id: int, text: str, word: str) -> str:
    spelling, token = vocabulary.spelling, str(vocabulary.tokens[id])
    goes_on, ends = spelling.goes_on_with_a_word(token), spelling.ends_a_word(token)
    if text.isspace():
        return "blank"
    if not word.isalnum() and len(word) > 1 and all(map(_is_sign, word)):
        return "punctuation"
    if len(text) == 1 and not goes_on and not ends:
        return "single"
    if spelling.ends:
        return "ending" if ends else "open"
    if spelling.goes_on:
        return "continuation" if goes_on else "beginning"
    return "continuation" if spelling.marks_word_starts and word == text else "beginning"


def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _case(word: str) -> str:
    if word.islower():
        return "lower"
    if word.isupper():
        return "upper"
    if word == word.lower():
        return "none"
    return "capital" if word[:1].isupper() and word[1:].islower() else "mixed"


@dataclass(frozen=True)
class Variant:
    """One way to write a word, and what a tokenizer makes of it."""

    text: str
    tokens: Tokens
    keeps_ids: bool  # the ids of the word as it was given are among them, one after the other


def variants(tokenizer: Tokenizer, word: str) -> tuple[Variant, ...]:
    """The word in small and in capital letters, after a space, and with signs around it: where do the ids change?"""
    forms = (word, word.lower(), word.capitalize(), word.upper(), f" {word}", f"{word}.", f"{word} !", f"({word})")
    own = tokenizer.encode(word).ids
    encoded = ((form, tokenizer.encode(form)) for form in dict.fromkeys(forms))
    return tuple(Variant(form, tokens, _has_run(tokens.ids, own)) for form, tokens in encoded)


def _has_run(ids: tuple[int, ...], run: tuple[int, ...]) -> bool:
    return any(ids[start : start + len(run)] == run for start in range(len(ids) - len(run) + 1))
