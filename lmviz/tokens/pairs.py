"""Byte-pair encoding on one word: the pairs in it, and what is left of it when one of them is merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

Pair = tuple[int, int]
Word = tuple[int, ...]  # token ids


def pairs_of(word: Sequence[int]) -> Counter[Pair]:
    """How often each pair of neighbours stands in a word. Pairs may overlap: there are two of (a, a) in a a a."""
    return Counter(pairwise(word))


def merged(word: Sequence[int], pair: Pair, token: int) -> Word:
    """The word with `token` in the place of every occurrence of the pair, taken from the left."""
    out: list[int] = []
    at = 0
    while at < len(word):
        is_pair = tuple(word[at : at + 2]) == pair
        out.append(token if is_pair else word[at])
        at += 2 if is_pair else 1
    return tuple(out)


def split_steps(word: Sequence[int], merges: Mapping[Pair, tuple[int, int]]) -> list[tuple[Word, Pair | None]]:
    """How learned merges cut a new word: each state, with the pair that is merged next; None in the last.

    At every step the pair that was learned first goes first (Sennrich et al. 2016, 3.2).

    Args:
        word: the ids of single bytes.
        merges: pair -> (rank, id of the merged token).
    """
    steps: list[tuple[Word, Pair | None]] = []
    state = tuple(word)
    while known := [pair for pair in pairs_of(state) if pair in merges]:
        first = min(known, key=lambda pair: merges[pair][0])
        steps.append((state, first))
        state = merged(state, first, merges[first][1])
    return [*steps, (state, None)]
