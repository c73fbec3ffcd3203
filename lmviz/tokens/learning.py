"""Learning a byte-pair encoding from a text, merge by merge, so that every state can be looked at, in any order.

The merges are those of the `tokenizers` library: of the most frequent pairs, the one whose tokens are the oldest.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from lmviz.errors import UserError
from lmviz.model.tokenizer import BYTE_LETTERS, LONE_SURROGATE, Tokenizer
from lmviz.tokens.pairs import Pair, Word, merged, pairs_of, split_steps

LONGEST_TEXT = 200_000  # characters
MOST_MERGES = 5_000

ALPHABET = tuple(sorted(BYTE_LETTERS))  # the letter that stands for each byte, in the order of their ids
BYTES = tuple(bytes([BYTE_LETTERS[letter]]) for letter in ALPHABET)  # the byte of each of the first 256 ids
BYTE_IDS = {BYTE_LETTERS[letter]: id for id, letter in enumerate(ALPHABET)}


@dataclass(frozen=True)
class Merge:
    """One thing learned: a pair of neighbours becomes a token."""

    pair: Pair
    token: int  # the id of the token that stands for it
    count: int  # how often the pair stood in the text


@dataclass(frozen=True)
class Learning:
    """All that was learned from a text. State `n` is the state after the first n merges, from 0 to len(merges).

    No state is stored, and none is computed twice: each word and each pair remembers when it changed.
    """

    merges: tuple[Merge, ...]
    tokens: tuple[bytes, ...]  # by id: the 256 bytes, then what was merged
    frequencies: tuple[int, ...]  # how often each distinct word of the text stands in it
    word_history: tuple[tuple[tuple[int, Word], ...], ...]  # for each distinct word: (state, ids from there on)
    pair_history: Mapping[
        Pair, tuple[tuple[int, int], ...]
    ]  # (state, how often the pair stands in the text from there)
    order: tuple[int, ...]  # the text, as distinct words one after the other
    lengths: tuple[int, ...]  # of the text in tokens, by state

    def word(self, index: int, state: int) -> Word:
        """A distinct word, as it is cut in a state."""
        history = self.word_history[index]
        return history[bisect_right(history, state, key=lambda change: change[0]) - 1][1]

    def corpus(self, state: int) -> list[tuple[Word, int]]:
        """The distinct words as they are cut in a state, with how often each stands in the text."""
        return [(self.word(index, state), frequency) for index, frequency in enumerate(self.frequencies)]

    def text(self, state: int, limit: int | None = None) -> list[Word]:
        """The text, or the first `limit` words of it, rewritten by the first merges: one entry per word."""
        return [self.word(index, state) for index in self.order[:limit]]

    def pairs(self, state: int) -> list[tuple[Pair, int]]:
        """Every pair with its count, in the order in which they would win: the first one is merged next."""
        counts = ((pair, _count_at(history, state)) for pair, history in self.pair_history.items())
        return sorted(((pair, count) for pair, count in counts if count), key=_winning_order)

    def homes(self, pair: Pair, state: int) -> list[tuple[int, int, int]]:
        """Where a pair stands in a state: (distinct word, how often the pair is in it, how often it is in the text),
        the words that count most first. The products add up to the pair's count."""
        found = (
            (index, times, frequency)
            for index, frequency in enumerate(self.frequencies)
            if (times := pairs_of(self.word(index, state))[pair])
        )
        return sorted(found, key=lambda home: -home[1] * home[2])

    def d_vocab(self, state: int) -> int:
        """The size of the vocabulary: 256 bytes and what was merged."""
        made = (merge.token for merge in self.merges[:state])
        return 1 + max(made, default=len(ALPHABET) - 1)

    def ln_d_vocab(self, state: int) -> float:
        """The loss in nats of a model that thinks all tokens equally likely."""
        return math.log(self.d_vocab(state))

    def changed(self, state: int) -> list[int]:
        """The distinct words that the merge before this state rewrote."""
        return [i for i, history in enumerate(self.word_history) if any(since == state for since, _ in history[1:])]

    def steps(self, word: bytes, state: int | None = None) -> list[tuple[Word, Pair | None]]:
        """How the first merges cut a word, new or not: see `split_steps`."""
        ranked: dict[Pair, tuple[int, int]] = {}
        for rank, merge in enumerate(self.merges[:state]):
            ranked.setdefault(merge.pair, (rank, merge.token))
        return split_steps([BYTE_IDS[byte] for byte in word], ranked)

    def encode(self, word: bytes, state: int | None = None) -> Word:
        """The ids of any bytes, taken as one word."""
        return self.steps(word, state)[-1][0]

    def decode(self, ids: Iterable[int]) -> bytes:
        return b"".join(self.tokens[id] for id in ids)

    def tokenizer(self, state: int | None = None) -> Tokenizer:
        """The tokenizer that the first merges make."""
        learned = self.merges[:state]
        names = ["".join(ALPHABET[BYTE_IDS[byte]] for byte in token) for token in self.tokens]
        vocabulary = {names[id]: id for id in range(self.d_vocab(len(learned)))}
        model = models.BPE(vocab=vocabulary, merges=[(names[m.pair[0]], names[m.pair[1]]) for m in learned])
        backend = tokenizers.Tokenizer(model)
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        return Tokenizer(backend)


def learn(text: str, n_merges: int) -> Learning:
    """Learn up to `n_merges` merges from a text; fewer if nothing is left to merge.

    The text is cut into words as GPT-2 does (Radford et al. 2019, 2.2), the space before a word being part of it;
    no merge goes across words. Of pairs that are equally frequent, the one with the smaller ids wins.
    """
    if len(text) > LONGEST_TEXT:
        raise UserError(
            "A text to learn from can have {limit} characters at most; this one has {found}.",
            limit=LONGEST_TEXT,
            found=len(text),
        )
    if not 0 <= n_merges <= MOST_MERGES:
        raise UserError("There can be 0 to {limit} merges; got {found}.", limit=MOST_MERGES, found=n_merges)
    learner = _Learner(_words(text))
    for _ in range(n_merges):
        if not learner.merge():
            break
    return learner.learned()


def _words(text: str) -> list[Word]:
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(LONE_SURROGATE.sub("", text))
    ids = {letter: id for id, letter in enumerate(ALPHABET)}
    return [tuple(ids[letter] for letter in word) for word, _ in cut]


def _winning_order(counted: tuple[Pair, int]) -> tuple[int, Pair]:
    pair, count = counted
    return -count, pair


def _count_at(history: Sequence[tuple[int, int]], state: int) -> int:
    place = bisect_right(history, state, key=lambda change: change[0])
    return history[place - 1][1] if place else 0


class _Learner:
    """The words, the pairs in them and their pasts, while they are learned from."""

    def __init__(self, words: Sequence[Word]) -> None:
        frequencies = Counter(words)
        self.distinct = list(frequencies)
        self.frequencies = [frequencies[word] for word in self.distinct]
        self.order = _numbered(words, self.distinct)
        self.tokens = list(BYTES)
        self.ids = {token: id for id, token in enumerate(self.tokens)}
        self.merges: list[Merge] = []
        self.word_history = [[(0, word)] for word in self.distinct]
        self.counts: Counter[Pair] = Counter()
        self.homes: dict[Pair, set[int]] = defaultdict(set)  # pair -> the words it stands in
        for index, word in enumerate(self.distinct):
            self._count(index, word, self.frequencies[index])
        self.pair_history = {pair: [(0, count)] for pair, count in self.counts.items()}
        self.lengths = [sum(len(word) * n for word, n in zip(self.distinct, self.frequencies, strict=True))]

    def merge(self) -> bool:
        """Merge the pair that wins; False if there is none."""
        if not self.counts:
            return False
        pair, count = min(self.counts.items(), key=_winning_order)
        token = self._token(pair)
        self.merges.append(Merge(pair, token, count))
        n_merged = 0
        touched: set[Pair] = set()
        for index in sorted(self.homes[pair]):
            n_merged += self._rewrite(index, pair, token, touched)
        for each in touched:
            self.pair_history.setdefault(each, []).append((len(self.merges), self.counts[each]))
            if not self.counts[each]:
                del self.counts[each], self.homes[each]
        self.lengths.append(self.lengths[-1] - n_merged)
        return True

    def learned(self) -> Learning:
        return Learning(
            merges=tuple(self.merges),
            tokens=tuple(self.tokens),
            frequencies=tuple(self.frequencies),
            word_history=tuple(map(tuple, self.word_history)),
            pair_history={pair: tuple(history) for pair, history in self.pair_history.items()},
            order=self.order,
            lengths=tuple(self.lengths),
        )

    def _token(self, pair: Pair) -> int:
        token = self.tokens[pair[0]] + self.tokens[pair[1]]
        if token not in self.ids:
            self.ids[token] = len(self.tokens)
            self.tokens.append(token)
        return self.ids[token]

    def _rewrite(self, index: int, pair: Pair, token: int, touched: set[Pair]) -> int:
        """Merge in one distinct word; returns by how many tokens the text gets shorter."""
        before, frequency = self.distinct[index], self.frequencies[index]
        after = merged(before, pair, token)
        self.distinct[index] = after
        self.word_history[index].append((len(self.merges), after))
        touched |= self._count(index, before, -frequency) | self._count(index, after, frequency)
        return (len(before) - len(after)) * frequency

    def _count(self, index: int, word: Word, frequency: int) -> set[Pair]:
        found = pairs_of(word)
        for pair, n in found.items():
            self.counts[pair] += n * frequency
            if frequency > 0:
                self.homes[pair].add(index)
            else:
                self.homes[pair].discard(index)
        return set(found)


def _numbered(words: Sequence[Word], distinct: Sequence[Word]) -> tuple[int, ...]:
    numbers = {word: index for index, word in enumerate(distinct)}
    return tuple(numbers[word] for word in words)
