"""Laws of byte-pair encoding, whatever the bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lmviz.model.tokenizer import LONE_SURROGATE, Tokenizer
from lmviz.tokens.analysis import analyse
from lmviz.tokens.learning import learn
from lmviz.tokens.round_trip import changes, round_trip
from lmviz.tokens.vocabulary import vocabulary_of
from tests.examples import times

LEARNED = learn("the cat sits on the mat, le chat est là, 你好 👋🏽 " * 5, 60)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_bytes_come_back_from_any_state(word: bytes, state: int) -> None:
    ids = LEARNED.encode(word, state)
    assert LEARNED.decode(ids) == word
    assert all(id < LEARNED.d_vocab(state) for id in ids)


@given(ANY_TEXT, st.integers(0, 20))
@times(4)
def test_a_learned_text_comes_back_from_every_state(text: str, n_merges: int) -> None:
    learning = learn(text, n_merges)
    legible = LONE_SURROGATE.sub("", text).encode()
    for state in range(len(learning.merges) + 1):
        assert b"".join(learning.decode(word) for word in learning.text(state)) == legible
    assert list(learning.lengths) == sorted(learning.lengths, reverse=True)


@given(ANY_TEXT, st.integers(0, 9))
@times(4)
def test_the_count_of_a_pair_is_that_of_its_words(text: str, state: int) -> None:
    learning = learn(text * 3, 9)
    for pair, count in learning.pairs(state):
        assert sum(times * frequency for _, times, frequency in learning.homes(pair, state)) == count


@given(ANY_TEXT)
def test_every_state_as_a_tokenizer_writes_any_text_back(text: str) -> None:
    tokenizer = LEARNED.tokenizer()
    assert tokenizer.decode(tokenizer.encode(text).ids) == LONE_SURROGATE.sub("\ufffd", text)


@given(ANY_TEXT, ANY_TEXT)
def test_spans_of_change_make_up_both_texts(before: str, after: str) -> None:
    spans = list(changes(before, after))
    assert "".join(span.before for span in spans) == before
    assert "".join(span.after for span in spans) == after
    assert all(span.before or span.after for span in spans)


@given(ANY_TEXT, st.text(max_size=20))
def test_a_round_trip_tells_what_came_back(text: str, known: str) -> None:
    tokenizer = Tokenizer.words(known)
    spans = round_trip(tokenizer, text)
    assert "".join(span.before for span in spans) == text
    assert "".join(span.after for span in spans) == tokenizer.decode(tokenizer.encode(text).ids)


@given(ANY_TEXT)
@times(4)
def test_every_token_of_any_vocabulary_has_one_kind(text: str) -> None:
    for tokenizer in (Tokenizer.words(text), Tokenizer.bpe(text, 280)):
        analysis = analyse(vocabulary_of(tokenizer))
        assert sum(analysis.counts().values()) == tokenizer.d_vocab
