"""The laboratory of tokenizers: states of a learning, vocabularies taken apart, ways to cut compared, round trips."""

from __future__ import annotations

import math
import random
import time
from collections import Counter

import numpy as np
import pytest

from lmviz.errors import UserError
from lmviz.model.tokenizer import Tokenizer
from lmviz.tokens import learning as learning_module
from lmviz.tokens.analysis import CASES, KINDS, analyse, variants
from lmviz.tokens.comparing import Cut, cuts
from lmviz.tokens.gpt2 import gpt2
from lmviz.tokens.learning import AT_ONCE, BYTES, LONGEST_TEXT, MOST_MERGES, learn, learners
from lmviz.tokens.pairs import merged, pairs_of
from lmviz.tokens.round_trip import round_trip
from lmviz.tokens.vocabulary import Vocabulary, vocabulary_from, vocabulary_of

TEXT = "low low low low low lower lower newest newest newest newest newest newest widest widest widest"


# -- learning ----------------------------------------------------------------------------------------------------------


def test_the_example_of_the_paper_is_learned_as_in_the_paper() -> None:
    learning = learn(TEXT, 3)  # Sennrich et al. 2016, 3.2, without its mark for the end of a word
    assert [learning.tokens[merge.token] for merge in learning.merges] == [b"es", b"est", b"lo"]
    assert [merge.count for merge in learning.merges] == [9, 9, 7]


def test_the_winner_has_the_most_and_then_the_oldest_tokens() -> None:
    learning = learn("ba ba ab ab", 1)
    tied = [pair for pair, count in learning.pairs(0) if count == 2]
    assert learning.merges[0].pair == min(tied)
    assert learning.merges[0].pair == learning.pairs(0)[0][0]


def test_every_state_follows_from_the_one_before() -> None:
    learning = learn(TEXT, 12)
    for state, merge in enumerate(learning.merges):
        counted: dict[tuple[int, int], int] = {}
        for word, frequency in learning.corpus(state):
            for pair, n in pairs_of(word).items():
                counted[pair] = counted.get(pair, 0) + n * frequency
        assert dict(learning.pairs(state)) == counted
        assert learning.pairs(state)[0] == (merge.pair, merge.count)
        after = [merged(word, merge.pair, merge.token) for word, _ in learning.corpus(state)]
        assert after == [word for word, _ in learning.corpus(state + 1)]
        before = [word for word, _ in learning.corpus(state)]
        assert learning.changed(state + 1) == [i for i, word in enumerate(after) if word != before[i]]


def test_states_can_be_looked_at_in_any_order() -> None:
    learning = learn(TEXT, 8)
    forwards = [learning.text(state) for state in range(9)]
    assert [learning.text(state) for state in reversed(range(9))] == forwards[::-1]
    assert learning.text(3, limit=2) == forwards[3][:2]
    assert [sum(map(len, text)) for text in forwards] == list(learning.lengths)
    for text in forwards:
        assert b"".join(learning.decode(word) for word in text) == TEXT.encode()


def test_learning_ends_where_nothing_is_left_to_merge() -> None:
    learning = learn("aa", 10)
    assert len(learning.merges) == 1
    assert learning.pairs(1) == []
    assert (learning.d_vocab(0), learning.d_vocab(1)) == (256, 257)
    assert learning.ln_d_vocab(1) == math.log(257)
    assert learn("", 5).merges == ()


def odd(n: int, seed: int = 0) -> str:
    """Signs and pictures without a space between them: one word of three or four bytes a character."""
    rng = random.Random(seed)
    return "".join(chr(rng.choice([rng.randrange(0x1F300, 0x1F9FF), rng.randrange(0x2190, 0x2BFF)])) for _ in range(n))


@pytest.mark.parametrize("text", [odd(60), "ab" * 40, "a" * 75, "aab" * 20, "abcabdabe " * 9, odd(9) + " " + odd(9, 1)])
def test_long_words_are_learned_as_the_library_learns_them(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Of a long word not every state is kept: it is made again from the last that was."""
    monkeypatch.setattr(learning_module, "SHORT", 4)
    monkeypatch.setattr(learning_module, "KEPT_EVERY", 3)
    learning = learn(text, 60)
    words = [word for word, _ in learning.corpus(0)]
    for state, merge in enumerate(learning.merges):
        counted: Counter[tuple[int, int]] = Counter()
        for word, frequency in zip(words, learning.frequencies, strict=True):
            for pair, n in pairs_of(word).items():
                counted[pair] += n * frequency
        assert dict(learning.pairs(state)) == counted
        assert (merge.pair, merge.count) == min(counted.items(), key=lambda one: (-one[1], one[0]))
        words = [merged(word, merge.pair, merge.token) for word in words]
        assert words == [word for word, _ in learning.corpus(state + 1)]


@pytest.mark.slow
def test_a_merge_costs_what_it_changes_and_not_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """4,000 odd characters are one word of 14,000 bytes, which 3,000 merges used to count anew, every time."""
    looked_at = []
    pairs = learning_module._pairs
    monkeypatch.setattr(learning_module, "_pairs", lambda word: (looked_at.append(len(word)), pairs(word))[1])
    text = odd(4000)
    assert len(learn(text, 3000).merges) == 3000
    assert sum(looked_at) < 10 * len(text.encode())


def test_learning_ends_where_there_is_no_end_of_changes_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_module, "MOST_CHANGES", 100)
    learning = learn(odd(300), 1000)
    assert 1 <= len(learning.merges) < 1000
    assert learning.pairs(len(learning.merges))


def test_learning_can_be_watched_and_stopped_with_what_is_learned_so_far() -> None:
    steps = learners(TEXT * 3, 9)
    first = next(steps)
    assert first.learned().merges == ()
    *_, last = steps
    assert last.learned() == learn(TEXT * 3, 9)
    assert last.learned() is last.learned()
    lengths = [len(learner.merges) for learner in learners(odd(200), 3 * AT_ONCE + 1)]
    assert lengths == [0, AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE, 3 * AT_ONCE + 1]


def test_overlapping_pairs_are_merged_from_the_left() -> None:
    assert merged((1, 1, 1), (1, 1), 9) == (9, 1)
    assert pairs_of((1, 1, 1)) == {(1, 1): 2}


def test_a_new_word_is_cut_step_by_step() -> None:
    learning = learn(TEXT, 3)
    steps = learning.steps(b"lowest")
    spelled = [[learning.tokens[id].decode() for id in word] for word, _ in steps]
    assert spelled == [list("lowest"), ["l", "o", "w", "es", "t"], ["l", "o", "w", "est"], ["lo", "w", "est"]]
    assert [pair for _, pair in steps][-1] is None
    assert learning.encode(b"lowest", state=1) == steps[1][0]


def test_too_much_to_learn_from_is_refused() -> None:
    with pytest.raises(UserError, match="at most"):
        learn("a" * (LONGEST_TEXT + 1), 1)
    with pytest.raises(UserError, match="merges"):
        learn("a", MOST_MERGES + 1)
    with pytest.raises(UserError, match="merges"):
        learn("a", -1)


def test_lone_surrogates_are_left_out() -> None:
    assert learn("a\ud800b", 1).decode(learn("a\ud800b", 1).text(0)[0]) == b"ab"
    assert len(BYTES) == len(set(BYTES)) == 256


# -- comparing ---------------------------------------------------------------------------------------------------------


def compare(text: str, learned_from: str) -> tuple[Cut, ...]:
    """A text cut into characters, words and byte pairs that come from another."""
    bpe = Tokenizer.bpe(learned_from, 300)
    tokenizers = {"characters": Tokenizer.characters(learned_from), "words": Tokenizer.words(learned_from), "bpe": bpe}
    return cuts(text, tokenizers)


def test_fewer_tokens_cost_a_larger_vocabulary() -> None:
    characters, words, bpe = compare(TEXT * 4, TEXT * 4)
    assert len(characters.tokens) > len(bpe.tokens) >= len(words.tokens)
    assert characters.d_vocab == len(set(TEXT))
    assert characters.ln_d_vocab == math.log(characters.d_vocab)
    assert words.nats == len(words.tokens) * words.ln_d_vocab
    assert bpe.characters_per_token == len(TEXT * 4) / len(bpe.tokens)


def test_another_text_than_the_one_learned_from_shows_what_is_lost() -> None:
    characters, words, bpe = compare("a cat!", "the cat")
    assert [text for _, text in characters.tokens.dropped] == ["!"]
    assert list(words.tokens.unknown) == [True, True]
    assert not any(bpe.tokens.unknown)
    assert cuts("", {"words": Tokenizer.words("a")})[0].characters_per_token == 0


# -- round trips -------------------------------------------------------------------------------------------------------


def test_what_a_round_trip_loses_is_marked() -> None:
    spans = round_trip(Tokenizer.words("the cat sits"), "the  cat\nsat")
    assert "".join(span.before for span in spans) == "the  cat\nsat"
    assert "".join(span.after for span in spans) == "the cat <unk>"
    assert [(span.before, span.after) for span in spans] == [
        ("the", "the"),
        ("  ", " "),
        ("cat", "cat"),
        ("\nsat", " <unk>"),
    ]


def test_a_round_trip_that_loses_nothing_is_one_span() -> None:
    spans = round_trip(Tokenizer.bpe("", 256), "Où est  le 👋🏽 ?\n")
    assert [span.is_kept for span in spans] == [True]
    assert round_trip(Tokenizer.bpe("", 256), "") == ()


def test_long_texts_with_nothing_in_common_are_one_span() -> None:
    spans = round_trip(Tokenizer.words("x"), "a b " * 3000)
    assert "".join(span.before for span in spans) == "a b " * 3000


# -- vocabularies ------------------------------------------------------------------------------------------------------


def byte_level(*tokens: str, special: tuple[str, ...] = ()) -> Vocabulary:
    """A vocabulary of GPT-2's kind: Ġ is a space."""
    ids = {token: id for id, token in enumerate(tokens)}
    added = [{"id": len(ids) + i, "content": token, "special": True} for i, token in enumerate(special)]
    return vocabulary_from(
        {"model": {"type": "BPE", "vocab": ids}, "pre_tokenizer": {"type": "ByteLevel"}, "added_tokens": added}
    )


@pytest.mark.parametrize(
    ("token", "kind", "case"),
    [
        ("Ġcat", "beginning", "lower"),
        ("Ġa", "beginning", "lower"),
        ("ing", "continuation", "lower"),
        ("e", "single", "lower"),
        ("Z", "single", "upper"),
        ("ĠUSA", "beginning", "upper"),
        ("ĠParis", "beginning", "capital"),
        ("ĠiPhone", "beginning", "mixed"),
        ("Ġ2024", "beginning", "none"),
        ('Ġ"', "beginning", "none"),
        ("...", "punctuation", "none"),
        ("Ġ->", "punctuation", "none"),
        ("Ċ", "blank", "none"),
        ("ĠĠĠĠ", "blank", "none"),
        ("Ã", "partial", "none"),
        ("Ã©", "single", "lower"),
        ("Ġ\\x", "beginning", "lower"),
    ],
)
def test_every_token_has_its_kind_and_its_case(token: str, kind: str, case: str) -> None:
    analysis = analyse(byte_level(token))
    assert (KINDS[analysis.kinds[0]], CASES[analysis.cases[0]]) == (kind, case)


def test_counts_search_and_longest() -> None:
    analysis = analyse(byte_level("Ġcat", "ĠCAT", "catch", "Ġdog", "!", special=("<|end|>",)))
    assert analysis.counts() == dict.fromkeys(KINDS, 0) | {"special": 1, "single": 1, "beginning": 3, "continuation": 1}
    assert analysis.ids(search="CAT").tolist() == [0, 1, 2]
    assert analysis.ids("beginning", "lower").tolist() == [0, 3]
    assert analysis.ids("beginning", "upper").tolist() == [1]
    assert analysis.longest(analysis.ids(), 2).tolist() == [5, 2]
    assert {length: ids.tolist() for length, ids in analysis.capitals_by_length().items()} == {3: [1]}


def test_bytes_behind_a_piece() -> None:
    vocabulary = byte_level("ĠÃ©", "ðŁĺ", special=("<|é|>",))
    assert [vocabulary.bytes(id) for id in range(3)] == [" é".encode(), b"\xf0\x9f\x98", "<|é|>".encode()]
    assert vocabulary.text(0) == " é"
    llama = vocabulary_from(
        {
            "model": {"type": "BPE", "vocab": {"▁the": 0, "<0xF0>": 1}, "byte_fallback": True},
            "decoder": {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        }
    )
    assert [llama.bytes(id) for id in range(2)] == [b" the", b"\xf0"]
    assert KINDS[analyse(llama).kinds[0]] == "beginning"
    assert KINDS[analyse(llama).kinds[1]] == "partial"


def test_vocabularies_of_other_kinds_are_read() -> None:
    wordpiece = vocabulary_from({"model": {"type": "WordPiece", "vocab": {"play": 0, "##ing": 1, "##s": 2}}})
    assert [KINDS[kind] for kind in analyse(wordpiece).kinds] == ["beginning", "continuation", "continuation"]
    assert wordpiece.text(1) == "ing"
    unigram = vocabulary_from(
        {"model": {"type": "Unigram", "vocab": [["▁a", -1.0], ["b", -2.0]]}, "pre_tokenizer": {"type": "Metaspace"}}
    )
    assert [unigram.text(id) for id in range(2)] == [" a", "b"]
    older = {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "vocab": {"he": 0, "##llo": 1}}  # names no type
    assert [KINDS[kind] for kind in analyse(vocabulary_from({"model": older})).kinds] == ["beginning", "continuation"]
    clip = vocabulary_from(
        {"model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {"ab": 0, "ab</w>": 1, "b</w>": 2}}}
    )
    assert [KINDS[kind] for kind in analyse(clip).kinds] == ["open", "ending", "ending"]
    assert [clip.text(id) for id in range(3)] == ["ab", "ab", "b"]
    literal = vocabulary_from(
        {"model": {"type": "BPE", "vocab": {"<0xF0>": 0, "▁a": 1}}}
    )  # no part makes bytes or spaces
    assert [literal.bytes(id) for id in range(2)] == [b"<0xF0>", "▁a".encode()]
    gap = vocabulary_from({"model": {"vocab": {"a": 0, "c": 2}}})
    assert KINDS[analyse(gap).kinds[1]] == "missing"
    assert gap.text(1) == ""


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"model": []},
        {"model": {"vocab": [1, 2]}},
        {"model": {"vocab": {"a": -1}}},
        {"model": {"vocab": {"a": True}}},
        {"model": {"vocab": {"a": 10**12}}},
        {"model": {"vocab": {"a": "0"}}},
        {"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": "x", "content": 3}]},
        {"model": {"vocab": {"a": 0}}, "added_tokens": {"id": 1}},
    ],
    ids=str,
)
def test_what_is_no_vocabulary_is_told(content: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"tokenizer\.json"):
        vocabulary_from(content)


@pytest.mark.slow
def test_50000_tokens_are_taken_apart_quickly() -> None:
    letters = "abcdefghij"
    tokens = ["Ġ" * (i % 2) + "".join(letters[int(digit)] for digit in f"{i:05d}") for i in range(50_000)]
    vocabulary = byte_level(*tokens)
    started = time.process_time()
    analysis = analyse(vocabulary)
    assert len(analysis.ids(search="abc")) > 0
    assert time.process_time() - started < 2  # 0.15 s on a quiet machine
    assert analysis.counts()["beginning"] == analysis.counts()["continuation"] == 25_000


def test_punctuation_and_capitals_change_the_ids() -> None:
    tokenizer = Tokenizer.bpe("the cat sits. The cat! " * 20, 320)
    found = {variant.text: variant.keeps_ids for variant in variants(tokenizer, "cat")}
    assert found["cat"]
    assert not found["CAT"]
    assert not found[" cat"]
    assert next(iter(found)) == "cat"
    assert len({variant.tokens.ids for variant in variants(tokenizer, "cat")}) > 4


def test_the_vocabulary_of_a_tokenizer_at_hand() -> None:
    vocabulary = vocabulary_of(Tokenizer.bpe("the cat " * 9, 262, ["<|im_start|>"]))
    analysis = analyse(vocabulary)
    assert analysis.counts()["special"] == 1
    assert " cat" in analysis.texts
    assert isinstance(analysis.ids("beginning"), np.ndarray)


@pytest.mark.slow
def test_gpt2_has_its_own_vocabulary() -> None:
    """Ids that anyone knows who has worked with GPT-2."""
    tokenizer = gpt2()
    assert tokenizer.d_vocab == 50_257
    assert tokenizer.encode("Hello world").ids == (15496, 995)
    assert tokenizer.encode(" the").ids == (262,)
    assert tokenizer.encode("<|endoftext|>").ids == (50256,)
    assert (tokenizer.piece(0), tokenizer.piece(220), tokenizer.piece(198)) == ("!", " ", "\n")
    text = "l’été 🙂 \t 1234"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_what_is_dropped_counts_for_no_token() -> None:
    (cut,) = cuts("abxyzc", {"characters": Tokenizer.characters("abc")})
    assert (cut.n_dropped, cut.characters_per_token, cut.is_whole) == (3, 1.0, False)
    (whole,) = cuts("abc", {"characters": Tokenizer.characters("abc")})
    assert whole.is_whole


def test_letters_that_came_through_are_told_from_those_that_were_lost() -> None:
    spans = round_trip(Tokenizer.characters("abcdefghijklmnopqrstuvwxyz"), "Zoé is 7!")
    assert [(span.before, span.after) for span in spans if span.is_kept] == [("o", "o"), ("is", "is")]
    assert [span.before for span in spans if not span.is_kept] == ["Z", "é ", " 7!"]
