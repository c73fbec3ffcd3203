"""FastText: a word is the sum of its pieces, so that a word never seen has a vector too (Bojanowski et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHORTEST, LONGEST = 3, 6  # characters of an n-gram, as in the paper


@dataclass(frozen=True, eq=False)
class WordSum:
    """The vector of a word and the vectors it is the sum of."""

    word: str
    grams: tuple[str, ...]  # those that were learned
    unknown: tuple[str, ...]  # those that were not
    parts: NDArray[Any]  # [gram, d_embed]
    vector: NDArray[Any]  # [d_embed], their sum


def ngrams(word: str, shortest: int = SHORTEST, longest: int = LONGEST) -> tuple[str, ...]:
    """The different runs of so many characters of <word>, and <word> itself.

    The marks < and > tell the beginning and end of a word from its middle: the "her" of where is not the word <her>.

    >>> ngrams("where", 3, 3)
    ('<wh', 'whe', 'her', 'ere', 're>', '<where>')
    """
    marked = f"<{word}>"
    sizes = range(shortest, longest + 1)
    runs = (marked[start : start + size] for size in sizes for start in range(len(marked) - size + 1))
    return tuple(dict.fromkeys((*runs, marked)))


def gram_index(
    words: Sequence[str], shortest: int = SHORTEST, longest: int = LONGEST
) -> tuple[dict[str, int], tuple[tuple[int, ...], ...]]:
    """Every n-gram of some words with its row, and for each word the rows of its own.

    FastText itself hashes them into a fixed number of rows, where some must share; here each has a row.
    """
    rows: dict[str, int] = {}
    members = tuple(
        tuple(rows.setdefault(gram, len(rows)) for gram in ngrams(word, shortest, longest)) for word in words
    )
    return rows, members


def word_sum(
    word: str, rows: dict[str, int], table: NDArray[Any], shortest: int = SHORTEST, longest: int = LONGEST
) -> WordSum:
    """The vector of any word, seen in training or not: the sum of those of its n-grams that were.

    Args:
        rows: from `gram_index`.
        table: [rows, d_embed], as a snapshot of a training with n-grams has it.
        shortest, longest: as `gram_index` was given them.
    """
    grams = ngrams(word.lower(), shortest, longest)
    known = tuple(gram for gram in grams if gram in rows)
    parts = table[np.array([rows[gram] for gram in known], dtype=np.intp)]
    return WordSum(word, known, tuple(gram for gram in grams if gram not in rows), parts, parts.sum(axis=0))
