"""How varied a few generated texts are, and how much each repeats itself. Texts are sequences of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

MEASURES = ("distinct_texts", "distinct_1", "distinct_2", "overlap", "repetition")

Ngram = tuple[int, ...]
Counts = tuple[tuple[int, int], ...]  # (so many, out of so many); a measure is the mean of these shares


@dataclass(frozen=True)
class Diversity:
    """Every measure as the counts that it is the mean share of; empty where the texts are too short, or too few."""

    distinct_1_of: Counts  # different tokens, out of the tokens of all texts (Li et al. 2016, 5)
    distinct_2_of: Counts  # the same for pairs of neighbours
    overlap_of: Counts  # pairs of neighbours that two texts share, out of those they have; for every two texts
    repetition_of: Counts  # pairs of neighbours that came before in their own text; for every text
    distinct_texts_of: Counts  # different texts, out of all

    @property
    def distinct_1(self) -> float | None:
        return _mean(self.distinct_1_of)

    @property
    def distinct_2(self) -> float | None:
        return _mean(self.distinct_2_of)

    @property
    def overlap(self) -> float | None:
        return _mean(self.overlap_of)

    @property
    def repetition(self) -> float | None:
        return _mean(self.repetition_of)

    @property
    def distinct_texts(self) -> float | None:
        return _mean(self.distinct_texts_of)


def diversity(texts: Sequence[Sequence[int]]) -> Diversity:
    return Diversity(
        distinct_1_of=_distinct(texts, 1),
        distinct_2_of=_distinct(texts, 2),
        overlap_of=_overlap(texts, 2),
        repetition_of=tuple(count for text in texts for count in _repetition(text, 2)),
        distinct_texts_of=((len({tuple(text) for text in texts}), len(texts)),) if texts else (),
    )


def ngrams(text: Sequence[int], size: int) -> list[Ngram]:
    """Every run of `size` tokens, in order."""
    return [tuple(text[start : start + size]) for start in range(len(text) - size + 1)]


def repetition(text: Sequence[int], size: int) -> float | None:
    """The share of n-grams that came before in the same text: seq-rep-n (Welleck et al. 2020, 6)."""
    return _mean(_repetition(text, size))


def _distinct(texts: Sequence[Sequence[int]], size: int) -> Counts:
    """Different n-grams out of all n-grams, all texts together: distinct-n (Li et al. 2016, 5)."""
    found = [ngram for text in texts for ngram in ngrams(text, size)]
    return ((len(set(found)), len(found)),) if found else ()


def _repetition(text: Sequence[int], size: int) -> Counts:
    found = ngrams(text, size)
    return ((len(found) - len(set(found)), len(found)),) if found else ()


def _overlap(texts: Sequence[Sequence[int]], size: int) -> Counts:
    """For every two texts, the n-grams that both have out of those that either has (Jaccard 1912), if there are any."""
    sets = [set(ngrams(text, size)) for text in texts]
    return tuple((len(a & b), len(a | b)) for a, b in combinations(sets, 2) if a | b)


def _mean(counts: Counts) -> float | None:
    return sum(n / of for n, of in counts) / len(counts) if counts else None
