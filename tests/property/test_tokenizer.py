"""Laws of tokenizers, whatever the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmviz.model.tokenizer import LONE_SURROGATE, Tokenizer
from tests.examples import times
from tests.foreign_tokenizers import ALL

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates included
SOME_LETTERS = st.text(min_size=1)
BYTES = Tokenizer.bpe("the cat sits on the mat, le chat est là, 你好 👋🏽 " * 5, 320)


@given(SOME_LETTERS, ANY_TEXT, st.booleans())
def test_every_character_is_a_piece_or_dropped(letters: str, text: str, has_unknown: bool) -> None:
    tokenizer = Tokenizer.characters(letters, ["<unk>"] if has_unknown else [])
    tokens = tokenizer.encode(text)
    legible = LONE_SURROGATE.sub("\ufffd", text)
    assert [legible[start:end] for start, end in tokens.offsets] == list(tokens.pieces)
    parts = [(start, legible[start:end]) for start, end in tokens.offsets] + list(tokens.dropped)
    assert LONE_SURROGATE.sub("\ufffd", "".join(part for _, part in sorted(parts))) == legible
    assert not (has_unknown and tokens.dropped)


@given(SOME_LETTERS, st.data())
def test_letters_of_the_alphabet_come_back_as_they_were(letters: str, data: st.DataObject) -> None:
    tokenizer = Tokenizer.characters(letters)
    text = data.draw(st.text(st.sampled_from(letters)))
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.encode(text).dropped == ()


@given(st.text(), ANY_TEXT)
def test_offsets_of_words_slice_them_out_of_the_text(known: str, text: str) -> None:
    tokens = Tokenizer.words(known).encode(text)
    legible = LONE_SURROGATE.sub("\ufffd", text)
    assert [legible[start:end] for start, end in tokens.offsets] == list(tokens.pieces)
    assert tokens.dropped == ()
    starts, ends = zip(*tokens.offsets, strict=True) if tokens.offsets else ((), ())
    between = (legible[end:start] for end, start in zip((0, *ends), (*starts, len(text)), strict=True))
    assert all(gap == "" or gap.isspace() for gap in between)


@given(st.text())
def test_a_word_tokenizer_knows_the_words_it_was_made_of(text: str) -> None:
    assert not any(Tokenizer.words(text).encode(text).unknown)


@given(ANY_TEXT)
def test_bytes_write_any_text_back(text: str) -> None:
    tokens = BYTES.encode(text)
    legible = LONE_SURROGATE.sub("\ufffd", text)
    assert BYTES.decode(tokens.ids) == legible
    assert not any(tokens.unknown)
    assert "".join(part for _, part in tokens.dropped) == "".join(LONE_SURROGATE.findall(text))


@given(st.text(st.sampled_from("the cat sits là 你好👋🏽\n\x00")))
def test_offsets_of_byte_pairs_slice_whole_characters_out_of_the_text(text: str) -> None:
    tokens = BYTES.encode(text)
    for (start, end), piece in zip(tokens.offsets, tokens.pieces, strict=True):
        is_shared = sum(start < other_end and other_start < end for other_start, other_end in tokens.offsets) > 1
        assert is_shared or piece == text[start:end]


FOREIGN = {make.__name__: Tokenizer(make()) for make in ALL}


@pytest.mark.parametrize("name", FOREIGN)
@given(st.text(st.sampled_from("abcdAB .!")))
@times(8)
def test_side_by_side_the_pieces_of_any_tokenizer_read_as_the_text(name: str, text: str) -> None:
    tokens = FOREIGN[name].encode(text)
    written = [piece for piece, (start, end) in zip(tokens.pieces, tokens.offsets, strict=True) if start < end]
    assert "".join("".join(written).split()) == "".join(text.split())
    assert tokens.dropped == ()
    assert not any(tokens.unknown) or name == "words"


@pytest.mark.parametrize("name", FOREIGN)
@given(ANY_TEXT)
@times(4)
def test_any_text_is_accounted_for_by_any_tokenizer(name: str, text: str) -> None:
    """Every character that is no space is under a piece or dropped; a byte or an unknown piece shows what it is."""
    tokens = FOREIGN[name].encode(text)
    found = {at for start, end in tokens.offsets for at in range(start, end)}
    found |= {at for start, part in tokens.dropped for at in range(start, start + len(part))}
    assert all(letter.isspace() for at, letter in enumerate(text) if at not in found)
    legible = LONE_SURROGATE.sub("\ufffd", text)
    for piece, (start, end), unknown in zip(tokens.pieces, tokens.offsets, tokens.unknown, strict=True):
        assert not unknown or piece == legible[start:end] != ""
