"""How varied a few generated texts are, and how much each repeats itself. Texts are sequences of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

Ngram = tuple[int, ...]


@dataclass(frozen=True)
class Diversity:
    """Every measure is a share from 0 to 1; None where the texts are too short, or too few, to say."""

    distinct_1: float | None  # different tokens / tokens, over all texts (Li et al. 2016, 5)
    distinct_2: float | None  # the same for pairs of neighbours
    overlap: float | None  # pairs of neighbours two texts share, a mean over all pairs of texts
    repetition: float | None  # pairs of neighbours that came before in their own text, a mean over the texts
    distinct_texts: float | None  # different texts / texts


def diversity(texts: Sequence[Sequence[int]]) -> Diversity:
    shares = [share for text in texts if (share := repetition(text, 2)) is not None]
    return Diversity(
        distinct_1=distinct(texts, 1),
        distinct_2=distinct(texts, 2),
        overlap=overlap(texts, 2),
        repetition=sum(shares) / len(shares) if shares else None,
        distinct_texts=len({tuple(text) for text in texts}) / len(texts) if texts else None,
    )


def ngrams(text: Sequence[int], size: int) -> list[Ngram]:
    """Every run of `size` tokens, in order."""
    return [tuple(text[start : start + size]) for start in range(len(text) - size + 1)]


def distinct(texts: Sequence[Sequence[int]], size: int) -> float | None:
    """Different n-grams over all n-grams, all texts together: distinct-n (Li et al. 2016, 5)."""
    found = [ngram for text in texts for ngram in ngrams(text, size)]
    return len(set(found)) / len(found) if found else None


def repetition(text: Sequence[int], size: int) -> float | None:
    """The share of n-grams that came before in the same text: seq-rep-n (Welleck et al. 2020, 6)."""
    found = ngrams(text, size)
    return 1 - len(set(found)) / len(found) if found else None


def overlap(texts: Sequence[Sequence[int]], size: int) -> float | None:
    """How alike the texts are: shared over all different n-grams (Jaccard 1912), a mean over the pairs of texts.

    1 if all texts are made of the same n-grams, 0 if no two share any. Pairs without n-grams don't count.
    """
    sets = [set(ngrams(text, size)) for text in texts]
    shares = [len(a & b) / len(a | b) for a, b in combinations(sets, 2) if a | b]
    return sum(shares) / len(shares) if shares else None


def longest_repeat(text: Sequence[int]) -> tuple[int, ...]:
    """The longest run of tokens that comes twice in a text (the two may overlap); empty if none does."""
    for size in range(len(text) - 1, 0, -1):
        seen: set[Ngram] = set()
        for ngram in ngrams(text, size):
            if ngram in seen:
                return ngram
            seen.add(ngram)
    return ()
