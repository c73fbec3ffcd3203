"""Learning a byte-pair encoding from a text, merge by merge, so that every state can be looked at, in any order.

The merges are those of the `tokenizers` library: of the most frequent pairs, the one whose tokens are the oldest.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from lmviz.errors import UserError
from lmviz.model.spelling import BYTE_LETTERS
from lmviz.model.tokenizer import LONE_SURROGATE, Tokenizer
from lmviz.tokens.pairs import Pair, Word, pairs_of, split_steps

LONGEST_TEXT = 200_000  # characters
MOST_MERGES = 5_000
MOST_CHANGES = 2_000_000  # of the counts of pairs: no text of a language makes a tenth of them
AT_ONCE = 20  # merges between two looks at how far it is
SHORT = 64  # tokens: of a longer word, only every so-manyth change is kept, and the others are made again
KEPT_EVERY = 64

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
class Past:
    """A distinct word over the states: when it was cut anew, and what it was then, all of these times or, of a long
    word, some."""

    changes: Sequence[int]  # states
    kept: Sequence[tuple[int, str]]  # (state, ids from there on as letters)


@dataclass(frozen=True)
class Learning:
    """All that was learned from a text. State `n` is the state after the first n merges, from 0 to len(merges).

    Hardly any state is stored, and none is computed from the beginning: each word and each pair remembers when it
    changed.
    """

    merges: tuple[Merge, ...]
    tokens: tuple[bytes, ...]  # by id: the 256 bytes, then what was merged
    frequencies: tuple[int, ...]  # how often each distinct word of the text stands in it
    words: tuple[Past, ...]
    pair_history: Mapping[Pair, Sequence[tuple[int, int]]]  # (state, how often the pair stands in the text from there)
    order: tuple[int, ...]  # the text, as distinct words one after the other
    lengths: tuple[int, ...]  # of the text in tokens, by state

    def word(self, index: int, state: int) -> Word:
        """A distinct word, as it is cut in a state."""
        past = self.words[index]
        since, letters = past.kept[bisect_right(past.kept, state, key=lambda kept: kept[0]) - 1]
        for at in past.changes[bisect_right(past.changes, since) : bisect_right(past.changes, state)]:
            merge = self.merges[at - 1]
            letters = letters.replace(_letters(merge.pair), chr(merge.token))
        return tuple(map(ord, letters))

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
        return [
            i
            for i, past in enumerate(self.words)
            if bisect_left(past.changes, state) < bisect_right(past.changes, state)
        ]

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
    *_, learner = learners(text, n_merges)
    return learner.learned()


def learners(text: str, n_merges: int) -> Iterator[Learner]:
    """The same, bit by bit: what learns, again and again after some more merges, and last when it has learned all."""
    check_learning(text, n_merges)
    learner = Learner(_words(text))
    yield learner
    while len(learner.merges) < n_merges and learner.merge():
        if len(learner.merges) % AT_ONCE == 0:
            yield learner
    yield learner


def check_learning(text: str, n_merges: int) -> None:
    """A UserError if there is too much to learn from, or too much to be learned."""
    if len(text) > LONGEST_TEXT:
        raise UserError(
            "A text to learn from can have {limit} characters at most; this one has {found}.",
            limit=LONGEST_TEXT,
            found=len(text),
        )
    if not 0 <= n_merges <= MOST_MERGES:
        raise UserError("There can be 0 to {limit} merges; got {found}.", limit=MOST_MERGES, found=n_merges)


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


class Learner:
    """The words, the pairs in them and their pasts, while they are learned from.

    A word is a string whose characters have its tokens' ids for numbers: to merge a pair in it is to replace two
    characters by one. A merge costs what it changes, not what there is.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        frequencies = Counter(words)
        distinct = list(frequencies)
        self.distinct = [_letters(word) for word in distinct]
        self.frequencies = [frequencies[word] for word in distinct]
        self.order = _numbered(words, distinct)
        self.tokens = list(BYTES)
        self.ids = {token: id for id, token in enumerate(self.tokens)}
        self.merges: list[Merge] = []
        self.changes: list[list[int]] = [[] for _ in distinct]
        self.kept = [[(0, word)] for word in self.distinct]
        self.counts: Counter[str] = Counter()
        self.homes: dict[str, set[int]] = defaultdict(set)  # pair -> the words it stands in, or has stood in
        for index, word in enumerate(self.distinct):
            for pair, n in _pairs(word).items():
                self.counts[pair] += n * self.frequencies[index]
                self.homes[pair].add(index)
        self.pair_history = {pair: [(0, count)] for pair, count in self.counts.items()}
        self.queue = [(-count, pair) for pair, count in self.counts.items()]  # a heap, with what is out of date too
        heapify(self.queue)
        self.lengths = [sum(len(word) * n for word, n in zip(self.distinct, self.frequencies, strict=True))]
        self.n_changes = 0  # of pairs' counts
        self._learned: Learning | None = None

    def merge(self) -> bool:
        """Merge the pair that wins; False if there is none, or if there is no end of changes in sight."""
        pair = self._winner()
        if pair is None or self.n_changes > MOST_CHANGES:
            return False
        token = self._token(pair)
        self.merges.append(Merge((ord(pair[0]), ord(pair[1])), token, self.counts[pair]))
        n_merged = 0
        touched: Counter[str] = Counter()
        for index in sorted(self.homes.pop(pair)):
            n_merged += self._rewrite(index, pair, chr(token), touched)
        self._count(touched)
        self.lengths.append(self.lengths[-1] - n_merged)
        return True

    def learned(self) -> Learning:
        """What was learned so far; the same one again, if that is no more than the last time."""
        if self._learned is None or len(self._learned.merges) != len(self.merges):
            self._learned = self._make()
        return self._learned

    def _make(self) -> Learning:
        return Learning(
            merges=tuple(self.merges),
            tokens=tuple(self.tokens),
            frequencies=tuple(self.frequencies),
            words=tuple(
                Past(tuple(changes), tuple(kept)) for changes, kept in zip(self.changes, self.kept, strict=True)
            ),
            pair_history={(ord(pair[0]), ord(pair[1])): tuple(history) for pair, history in self.pair_history.items()},
            order=self.order,
            lengths=tuple(self.lengths),
        )

    def _winner(self) -> str | None:
        while self.queue:
            count, pair = self.queue[0]
            if self.counts.get(pair) == -count:
                return pair
            heappop(self.queue)
        return None

    def _token(self, pair: str) -> int:
        token = self.tokens[ord(pair[0])] + self.tokens[ord(pair[1])]
        if token not in self.ids:
            self.ids[token] = len(self.tokens)
            self.tokens.append(token)
        return self.ids[token]

    def _rewrite(self, index: int, pair: str, token: str, touched: Counter[str]) -> int:
        """Merge in one distinct word; returns by how many tokens the text gets shorter."""
        before, frequency = self.distinct[index], self.frequencies[index]
        after = before.replace(pair, token)
        if after == before:
            return 0
        self.distinct[index] = after
        self.changes[index].append(len(self.merges))
        if len(after) <= SHORT or len(self.changes[index]) % KEPT_EVERY == 0:
            self.kept[index].append((len(self.merges), after))
        for other, n in _differences(before, pair, token):
            touched[other] += n * frequency
            if n > 0:
                self.homes[other].add(index)
        return (len(before) - len(after)) * frequency

    def _count(self, touched: Counter[str]) -> None:
        for pair, n in touched.items():
            if n:
                self.counts[pair] += n
                self.pair_history.setdefault(pair, []).append((len(self.merges), self.counts[pair]))
                heappush(self.queue, (-self.counts[pair], pair))
                self.n_changes += 1
            if not self.counts[pair]:
                del self.counts[pair]


def _differences(word: str, pair: str, token: str) -> Iterator[tuple[str, int]]:
    """Which pairs there are more of, and fewer, once a pair is merged in a word: those around each place of it."""
    at = word.find(pair)
    while at >= 0:
        end = at + 2
        while word.startswith(pair, end):
            end += 2
        first, last = max(at - 1, 0), min(end + 1, len(word))
        yield from _pairs(word[first:at] + token * ((end - at) // 2) + word[end:last]).items()
        yield from ((other, -n) for other, n in _pairs(word[first:last]).items())
        at = word.find(pair, end)


def _pairs(word: str) -> Counter[str]:
    return Counter(word[i : i + 2] for i in range(len(word) - 1))


def _letters(ids: Iterable[int]) -> str:
    return "".join(map(chr, ids))


def _numbered(words: Sequence[Word], distinct: Sequence[Word]) -> tuple[int, ...]:
    numbers = {word: index for index, word in enumerate(distinct)}
    return tuple(numbers[word] for word in words)
