"""Tokenizers on texts that are easy to get wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers
import torch
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors

from lmviz.errors import UserError
from lmviz.model.tokenizer import Tokenizer
from tests import foreign_tokenizers as foreign

LETTERS = Tokenizer.characters(".abcdefghijklmnopqrstuvwxyz")
WORDS = Tokenizer.words("The cat sits on the mat", ["<unk>"])
BYTES = Tokenizer.bpe("the cat sits on the mat, the dog on the rug " * 9, 300)
FAMILY = "👩‍👩‍👧"  # five code points, joined into one picture


def test_the_letters_of_the_lesson_are_numbered_as_in_the_lesson() -> None:
    tokens = LETTERS.encode(".pik")
    assert tokens.ids == (0, 16, 9, 11)
    assert tokens.pieces == (".", "p", "i", "k")
    assert len(LETTERS) == LETTERS.d_vocab == 27
    assert LETTERS.decode([0, 16, 9, 11, 1, 3, 8, 21, 0]) == ".pikachu."


def test_ids_are_a_batch_of_one() -> None:
    ids = LETTERS.encode(".pik").ids_tensor
    assert ids.tolist() == [[0, 16, 9, 11]]
    assert ids.dtype == torch.long
    assert LETTERS.encode("").ids_tensor.shape == (1, 0)


def test_words_are_numbered_in_order_and_joined_by_spaces() -> None:
    tokens = WORDS.encode("  The cat\nsits\ton the dog ")
    assert tokens.ids == (0, 1, 2, 3, 4, 6)
    assert tokens.pieces == ("The", "cat", "sits", "on", "the", "dog")
    assert tokens.unknown == (False,) * 5 + (True,)
    assert tokens.dropped == ()
    assert WORDS.decode(tokens.ids) == "The cat sits on the <unk>"


def test_letters_that_the_vocabulary_lacks_are_reported_and_not_lost_in_silence() -> None:
    tokens = LETTERS.encode("É.p i\nk!")
    assert tokens.pieces == (".", "p", "i", "k")
    assert tokens.offsets == ((1, 2), (2, 3), (4, 5), (6, 7))
    assert tokens.dropped == ((0, "É"), (3, " "), (5, "\n"), (7, "!"))


def test_letters_become_unknown_where_the_vocabulary_has_a_token_for_that() -> None:
    tokens = Tokenizer.characters("abc", ["<unk>"]).encode("a\nZ")
    assert tokens.ids == (0, 3, 3)
    assert tokens.pieces == ("a", "\n", "Z")
    assert tokens.unknown == (False, True, True)
    assert tokens.dropped == ()


def test_line_breaks_and_odd_letters_are_letters_too() -> None:
    alphabet = "\x00\n\n\r\t ]^-\\[a&~é" + "\u0301" + FAMILY
    tokenizer = Tokenizer.characters(alphabet)
    tokens = tokenizer.encode(alphabet)
    assert tokens.pieces == tuple(alphabet)
    assert tokenizer.decode(tokens.ids) == alphabet
    assert tokenizer.encode("b").dropped == ((0, "b"),)


def test_bytes_of_a_letter_are_shown_as_bytes_and_share_its_place() -> None:
    tokens = BYTES.encode("é the")
    assert tokens.pieces == ("\\xc3", "\\xa9", " the")
    assert tokens.offsets == ((0, 1), (0, 1), (1, 5))
    assert tuple(map(BYTES.piece, tokens.ids)) == tokens.pieces


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "a\r\nb", FAMILY, "e\u0301", "שלום עולם", "\u202eabc", "<unk>", "\ufeff", "ﷺ" * 50]
)
@pytest.mark.parametrize("tokenizer", [LETTERS, WORDS, BYTES], ids=["letters", "words", "bytes"])
def test_hostile_texts_are_read_and_accounted_for(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.encode(text)
    kept = sum(end - start for start, end in set(tokens.offsets))
    lost = sum(len(part) for _, part in tokens.dropped)
    spaces = sum(map(str.isspace, text)) if tokenizer is WORDS else 0
    assert kept + lost + spaces >= len(text)
    tokenizer.decode(tokens.ids)


@pytest.mark.parametrize("tokenizer", [LETTERS, WORDS, BYTES], ids=["letters", "words", "bytes"])
def test_half_a_character_is_replaced_and_reported(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("a\ud800 b")
    assert ("\ud800" in "".join(part for _, part in tokens.dropped)) or any(tokens.unknown)
    assert "\ud800" not in "".join(tokens.pieces)


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", [LETTERS, WORDS, BYTES], ids=["letters", "words", "bytes"])
def test_a_long_text_is_read_whole(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("the cat sits on\n" * 6400 + "a").offsets[-1][1] == 102_401


@pytest.mark.parametrize("tokenizer", [LETTERS, WORDS, BYTES], ids=["letters", "words", "bytes"])
def test_a_saved_tokenizer_reads_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.from_file(tmp_path / "tokenizer.json")
    text = "The cat ate 3 é\nand\tsat"
    assert again.encode(text) == tokenizer.encode(text)
    assert len(again) == len(tokenizer)


def test_the_same_text_makes_the_same_byte_pairs() -> None:
    text = "abcabdabeabf abcabd" * 20
    first, second = (Tokenizer.bpe(text, 290) for _ in range(2))
    assert [first.piece(id) for id in range(len(first))] == [second.piece(id) for id in range(len(second))]
    assert len(first) <= 290


def test_ids_without_a_token_are_shown_as_numbers() -> None:
    assert LETTERS.decode([1, 99, 2]) == "a<99>b"
    assert LETTERS.piece(99) == "<99>"
    with pytest.raises(UserError, match="0 or more; got -1"):
        LETTERS.decode([-1])


def test_words_have_a_token_for_the_unknown_whether_or_not_it_was_asked_for() -> None:
    assert Tokenizer.words("a b", []).encode("a c").pieces == ("a", "c")
    assert Tokenizer.words("a b", []).encode("a c").unknown == (False, True)
    assert Tokenizer.words("a b", ["<unk>", "<pad>"]).d_vocab == 4


def test_a_byte_vocabulary_needs_room_for_all_bytes() -> None:
    with pytest.raises(UserError, match=r"at least 257 tokens.*got 256"):
        Tokenizer.bpe("a", 256, ["<pad>"])


def test_a_tokenizer_of_another_kind_is_read_as_its_text(tmp_path: Path) -> None:
    """As Llama 2 has it: ▁ for a space, one put first, bytes where a letter is lacking, and a token that opens."""
    letters = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a", "▁ab"]
    backend = tokenizers.Tokenizer(
        models.BPE(
            {letter: id for id, letter in enumerate(letters)},
            [("▁", "a"), ("▁a", "b")],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    backend.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    tokens = Tokenizer(backend).encode("ab aé")
    assert tokens.pieces == ("<s>", "ab", " a", "<0xC3>", "<0xA9>")
    assert tokens.offsets == ((0, 0), (0, 2), (2, 4), (4, 5), (4, 5))
    assert tokens.dropped == ()
    assert [Tokenizer(backend).piece(id) for id in tokens.ids] == ["<s>", " ab", " a", "<0xC3>", "<0xA9>"]
    assert Tokenizer(backend).decode(tokens.ids[1:]) == "ab aé"


def test_what_a_normalizer_takes_out_is_reported_and_spaces_are_not() -> None:
    backend = tokenizers.Tokenizer(models.WordLevel({"<unk>": 0, "cat": 1}, unk_token="<unk>"))
    backend.normalizer = normalizers.Replace("!", "")
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens = Tokenizer(backend).encode("cat !! cats")
    assert tokens.pieces == ("cat", "cats")
    assert tokens.unknown == (False, True)
    assert tokens.dropped == ((4, "!!"),)


@pytest.mark.parametrize(
    ("make", "text", "pieces"),
    [
        (foreign.t5, "b ab", (" ", "b", " ab", "</s>")),
        (foreign.bert, "Abcd!", ("[CLS]", "Ab", "cd", "!", "[SEP]")),
        (foreign.clip, "ab <|endoftext|>", ("<|startoftext|>", "ab", "<|endoftext|>", "<|endoftext|>")),
        (foreign.gpt2, "a déjà é", ("a", " ", "déjà", " ", "\\xc3", "\\xa9")),
        (foreign.bytes_by_normalizer, "éab", ("\\xc3", "\\xa9", "ab")),
        (foreign.llama, "a é", ("<s>", "a", " ", "<0xC3>", "<0xA9>")),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_pieces_are_worked_out_from_the_parts_of_a_tokenizer(
    make: Callable[[], tokenizers.Tokenizer], text: str, pieces: tuple[str, ...]
) -> None:
    tokenizer = Tokenizer(make())
    assert tokenizer.encode(text).pieces == pieces
    assert not any(tokenizer.encode(text).unknown)
    assert tokenizer.encode(text).dropped == ()
    assert Tokenizer.parse(tokenizer.text()).encode(text) == tokenizer.encode(text)  # in a process of its own


def test_pieces_that_share_a_character_show_each_its_own_part() -> None:
    backend = tokenizers.Tokenizer(models.BPE({"f": 0, "i": 1, "x": 2}, []))
    backend.normalizer = normalizers.NFKC()
    assert Tokenizer(backend).encode("\ufb01x").pieces == ("f", "i", "x")  # one letter, which NFKC writes as two


def test_a_token_that_ends_a_text_and_stands_for_what_is_unknown_is_unknown_only_inside() -> None:
    tokens = Tokenizer(foreign.words()).encode("a zebra <end>")
    assert tokens.pieces == ("a", "zebra", "<end>", "<end>")
    assert tokens.unknown == (False, True, False, False)


def test_a_token_by_itself_keeps_what_tells_it_from_others_of_the_same_text() -> None:
    bert, clip = Tokenizer(foreign.bert()), Tokenizer(foreign.clip())
    assert [bert.piece(bert.vocabulary[token]) for token in ("a", "##a")] == ["a", "##a"]
    assert [clip.piece(clip.vocabulary[token]) for token in ("a", "a</w>")] == ["a", "a "]


def test_a_vocabulary_that_cannot_read_a_text_says_so() -> None:
    backend = tokenizers.Tokenizer(models.WordLevel({"cat": 0}, unk_token="<unk>"))
    with pytest.raises(UserError, match=r"This tokenizer cannot read the text: .*Missing"):
        Tokenizer(backend).encode("dog")


def changed(tokenizer: Tokenizer, path: Path, **changes: object) -> Path:
    """The file of a tokenizer with some of its top-level entries replaced."""
    tokenizer.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


def test_a_file_cannot_make_a_text_longer_or_shorter(tmp_path: Path) -> None:
    padding = {"strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None}
    padding |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "."}
    truncation = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    path = changed(LETTERS, tmp_path / "tokenizer.json", padding=padding, truncation=truncation)
    assert len(Tokenizer.from_file(path).encode(".pika")) == 5


def test_a_file_cannot_make_a_text_random(tmp_path: Path) -> None:
    BYTES.save(tmp_path / "tokenizer.json")
    model = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    path = changed(BYTES, tmp_path / "tokenizer.json", model={**model, "dropout": 0.9})
    tokenizer = Tokenizer.from_file(path)
    assert {tokenizer.encode("the cat sits on the mat").ids for _ in range(20)} == {
        BYTES.encode("the cat sits on the mat").ids
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "must be a tokenizer as the tokenizers library saves it"),
        (b"{}", "must be a tokenizer"),
        (b"[" * 100_000, "must be a tokenizer"),
        (b'{"version": "1.0", "model": {"type": "Pickle"}}', "must be a tokenizer"),
        (b"\xff\xfe", "must be text in UTF-8; byte 0 is not"),
        (b'{"model": {"type": "WordLevel", "vocab": {}, "unk_token": "x"}}', "at least one token"),
    ],
)
def test_a_broken_file_is_refused_in_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        Tokenizer.from_file(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with path.open("wb") as file:
        file.truncate(10**10)  # sparse: takes no room
    with pytest.raises(UserError, match="at most 64000000 bytes; it has 10000000000"):
        Tokenizer.from_file(path)


def test_a_file_or_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file tokenizer\.json in"):
        Tokenizer.from_file(tmp_path / "tokenizer.json")
    with pytest.raises(UserError, match="must be an ordinary file; it is a folder"):
        Tokenizer.from_file(tmp_path)


def test_spaces_beside_what_is_lost_are_not_lost() -> None:
    """A pre-tokenizer that keeps words only loses the comma; the space behind it parts the words."""
    backend = tokenizers.Tokenizer(models.WordLevel({"hi": 0, "you": 1, "<unk>": 2}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+"), "removed", invert=True)
    assert Tokenizer(backend).encode("hi, you !").dropped == ((2, ","), (8, "!"))
    assert Tokenizer(backend).encode("hi , \n you").dropped == ((3, ","),)
