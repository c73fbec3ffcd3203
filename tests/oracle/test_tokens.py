"""Learning merge by merge against the trainer of the `tokenizers` library, and cutting against its model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

from lmviz.model.spelling import BYTE_LETTERS
from lmviz.model.tokenizer import Tokenizer
from lmviz.tokens.learning import ALPHABET, BYTE_IDS, Learning, learn
from lmviz.tokens.vocabulary import vocabulary_of
from tests.examples import times

NAMES = Path(__file__).parents[2] / "sample_models" / "names" / "names.txt"
FRENCH = "Le chat est là, près de l'âtre ; où est-il allé ? L'été, le chat dort. 你好, 你好 👋🏽👋🏽 \t\n\n  fin " * 3
LETTERS = st.text(st.sampled_from("ab "), max_size=60) | st.text(st.sampled_from("abcé 👋\n"), max_size=40)


def their_merges(text: str, n_merges: int) -> list[tuple[str, str]]:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + n_merges, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator([text], trainer)
    return [tuple(pair) for pair in json.loads(backend.to_str())["model"]["merges"]]


def our_merges(learning: Learning) -> list[tuple[str, str]]:
    spelled = ["".join(ALPHABET[BYTE_IDS[byte]] for byte in token) for token in learning.tokens]
    return [(spelled[left], spelled[right]) for left, right in (merge.pair for merge in learning.merges)]


@pytest.mark.parametrize("n_merges", [0, 1, 40, 400])
@pytest.mark.parametrize("text", [NAMES.read_text(encoding="utf-8")[:20_000], FRENCH, "", "a", "aaaaaaa aaaa"])
def test_merges_are_those_of_the_library(text: str, n_merges: int) -> None:
    assert our_merges(learn(text, n_merges)) == their_merges(text, n_merges)


@given(LETTERS, st.integers(0, 30))
@times(5)
def test_merges_are_those_of_the_library_where_nearly_all_pairs_tie(text: str, n_merges: int) -> None:
    assert our_merges(learn(text, n_merges)) == their_merges(text, n_merges)


@given(LETTERS, LETTERS, st.integers(0, 30))
@times(8)
def test_words_are_cut_as_the_library_cuts_them(learned: str, text: str, n_merges: int) -> None:
    learning = learn(learned, n_merges)
    words = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
    ours = [id for word, _ in words for id in learning.encode(bytes(BYTE_LETTERS[letter] for letter in word))]
    assert ours == list(learning.tokenizer().encode(text).ids)


def test_every_state_is_a_tokenizer_that_cuts_the_text_like_the_state() -> None:
    learning = learn(FRENCH, 30)
    for state in (0, 1, 7, len(learning.merges)):
        tokenizer = learning.tokenizer(state)
        assert [id for word in learning.text(state) for id in word] == list(tokenizer.encode(FRENCH).ids)
        assert tokenizer.d_vocab == learning.d_vocab(state)
        assert learning.lengths[state] == len(tokenizer.encode(FRENCH))


def test_a_vocabulary_says_what_its_tokenizer_says() -> None:
    for tokenizer in (Tokenizer.bpe(FRENCH, 300, ["<|end|>"]), Tokenizer.characters(FRENCH), Tokenizer.words(FRENCH)):
        vocabulary = vocabulary_of(tokenizer)
        texts = [vocabulary.text(id) for id in range(tokenizer.d_vocab)]
        assert texts == [tokenizer.piece(id) for id in range(tokenizer.d_vocab)]
