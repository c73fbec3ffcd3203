"""Tokenizers that somebody else wrote work in a process that is limited, and give what they would give here."""

from __future__ import annotations

import contextlib
import gc
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

import lmviz
from lmviz.errors import UserError
from lmviz.model import foreign
from lmviz.model.checkpoint import save
from lmviz.model.foreign import ForeignTokenizer, is_own_kind
from lmviz.model.tokenizer import Tokenizer
from lmviz.registry.models import Models
from lmviz.services.tokenizers import Tokenizers
from lmviz.tokens.learning import learn
from lmviz.tokens.vocabulary import vocabulary_of
from tests.conftest import ROOT, SAMPLES
from tests.unit.test_train_processes import alive
from tests.waiting import until

pytestmark = pytest.mark.slow

TEXT = "The café costs 3.50 €, naïve 😀\n\tend"
LETTERS = {letter: id for id, letter in enumerate("abcdefghij")}


def file_of(
    normalizer: object = None,
    pre_tokenizer: object = None,
    decoder: object = None,
    model: object = None,
    **more: object,
) -> str:
    known = {"type": "WordLevel", "vocab": {"a": 0, "<unk>": 1}, "unk_token": "<unk>"}
    content = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": decoder, "model": model or known,
    }  # fmt: skip
    return json.dumps({**content, **more}, separators=(",", ":"))


def split(pattern: str) -> dict[str, object]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def added(id: int, **flags: bool) -> list[dict[str, object]]:
    off = {name: False for name in ("single_word", "lstrip", "rstrip", "normalized", "special")}
    return [{"id": id, "content": "x", **off, **flags}]


def doubling(times: int) -> dict[str, object]:
    once = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    return {"type": "Sequence", "normalizers": [once] * times}


def gpt2_like() -> str:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())  # fmt: skip
    backend.train_from_iterator([TEXT * 3, "the cat sits on the mat"], trainer)
    return str(backend.to_str())


def bert_like() -> str:
    backend = tokenizers.Tokenizer(models.WordPiece({"[UNK]": 0, "the": 1, "cafe": 2, "##s": 3}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return str(backend.to_str())


def llama_like() -> str:
    pieces = ("▁", "▁The", "a", "f", *(f"<0x{i:02X}>" for i in range(256)))
    vocabulary = [("<unk>", 0.0), *((piece, -1.0 - len(piece)) for piece in pieces)]
    backend = tokenizers.Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return str(backend.to_str())


FOREIGN = {"gpt2": gpt2_like, "bert": bert_like, "llama": llama_like}


@pytest.fixture(autouse=True)
def _all_ended() -> Iterator[None]:
    yield
    gc.collect()


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_tokenizer_gives_what_it_would_give_here(kind: str) -> None:
    file = FOREIGN[kind]()
    assert not is_own_kind(file)
    there, here = Tokenizer.parse(file), Tokenizer(tokenizers.Tokenizer.from_str(file))
    assert isinstance(there._backend, ForeignTokenizer)
    for text in (TEXT, "", " ", "the cafes", "\ud800x", "x" * 3000):
        assert there.encode(text) == here.encode(text)
        assert there.decode(there.encode(text).ids) == here.decode(here.encode(text).ids)
    assert [there.piece(id) for id in range(there.d_vocab + 1)] == [here.piece(id) for id in range(here.d_vocab + 1)]
    for fact in ("unknown_id", "special_ids", "vocabulary", "parts"):
        assert getattr(there, fact) == getattr(here, fact)
    assert vocabulary_of(there) == vocabulary_of(here)
    assert json.loads(there.text()) == json.loads(here.text())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", SAMPLES)
def test_the_tokenizers_of_our_own_models_work_here(name: str) -> None:
    assert not isinstance(lmviz.load(ROOT / "sample_models" / name).tokenizer._backend, ForeignTokenizer)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "own",
    [
        Tokenizer.characters("abc[]^\\-é😀"),
        Tokenizer.characters("abc", ["<unk>"]),
        Tokenizer.words("some words"),
        Tokenizer.bpe("some text", 300, ["<|im_start|>"]),
        learn("the cat and the hat", 20).tokenizer(),
    ],
    ids=["characters", "with unknown", "words", "bpe", "learned"],
)
def test_every_tokenizer_that_we_make_is_of_our_own_kind(own: Tokenizer) -> None:
    assert is_own_kind(own.text())


OURS = json.loads(Tokenizer.characters("abc").text())
ALTERED: dict[str, dict[str, object]] = {
    "doubles": {"normalizer": doubling(1)},
    "grows": {"normalizer": {**OURS["normalizer"], "content": "xx"}},
    "a string": {"normalizer": {**OURS["normalizer"], "pattern": {"String": "a"}}},
    "another pattern": {"normalizer": {**OURS["normalizer"], "pattern": {"Regex": "[^a](a+)+$"}}},
    "a pattern in a pattern": {"normalizer": {**OURS["normalizer"], "pattern": {"Regex": r"[^\x{61}]|(a*)*"}}},
    "lower case": {"normalizer": {"type": "Lowercase"}},
    "another split": {"pre_tokenizer": split("(a+)+$")},
    "two splits": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split(".")] * 9}},
    "a prefix": {"pre_tokenizer": {**foreign.OWN_PRE_TOKENIZERS[2], "add_prefix_space": True}},
    "a decoder that replaces": {"decoder": {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}},
    "a template": {"post_processor": {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}},
    "normalized tokens": {"added_tokens": added(5, normalized=True)},
    "stripping tokens": {"added_tokens": added(5, lstrip=True)},
    "an empty token": {"added_tokens": [{**added(5)[0], "content": ""}]},
    "pieces of words": {"model": {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "a"}},
    "byte fallback": {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "byte_fallback": True}},
    "dropout": {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.5}},
}  # fmt: skip


def test_what_the_altered_files_are_altered_from_is_ours() -> None:
    assert is_own_kind(json.dumps(OURS))
    assert is_own_kind(json.dumps({**OURS, "added_tokens": added(5, special=True)}))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("part", ALTERED)
def test_one_other_part_makes_a_tokenizer_foreign(part: str) -> None:
    assert not is_own_kind(json.dumps({**OURS, **ALTERED[part]}))


@pytest.mark.parametrize("file", ["{", "[]", "null", "[" * 100_000, " " * (foreign.LARGEST_OWN + 1), '{"model": 1}'])
def test_what_is_no_tokenizer_is_not_ours(file: str) -> None:
    assert not is_own_kind(file)


@pytest.mark.nightly
def test_a_small_file_that_asks_for_all_memory_ends_its_own_process_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foreign, "MEMORY", 2**28)
    monkeypatch.setattr(foreign, "SECONDS", 60.0)  # for a machine that has other things to do: memory ends first
    bomb = file_of(normalizer=doubling(30))
    assert len(bomb) < 2500
    tokenizer = Tokenizer.parse(bomb)
    for _ in range(2):
        with pytest.raises(UserError, match="it makes more of a text than there is memory for"):
            tokenizer.encode("a" * 2000)
        assert tokenizer.encode("b").pieces == ("b",)  # and works for who asks for less


@pytest.mark.nightly
def test_a_tokenizer_that_makes_too_much_of_a_text_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back is bounded too."""
    monkeypatch.setattr(foreign, "SECONDS", 60)  # a busy machine ends it by its size, too
    tokenizer = Tokenizer.parse(
        file_of(normalizer=doubling(12), pre_tokenizer=split("."))
    )  # fmt: skip
    with pytest.raises(UserError, match="it makes more of a text than there is memory for"):
        tokenizer.encode("a" * 200)


@pytest.mark.nightly
def test_a_tokenizer_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "SECONDS", 0.3)
    tokenizer = Tokenizer.parse(file_of(normalizer=doubling(18), pre_tokenizer=split("(?:(?:a|a)*)*b$")))
    with pytest.raises(UserError, match="This tokenizer was stopped"):
        tokenizer.encode("a" * 40)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "file",
    [
        file_of(model={"type": "WordLevel", "vocab": {"a": 2**32 - 2, "b": 0}, "unk_token": "a"}),
        file_of(model={"type": "WordLevel", "vocab": {"a": 10**40}, "unk_token": "a"}),
        file_of(model={"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}),
        file_of(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        file_of(normalizer={"type": "Replace", "pattern": {"Regex": "(" * 50}, "content": ""}),
        file_of(added_tokens=added(10**9, special=True)),
    ],
)  # fmt: skip
def test_a_file_that_the_library_chokes_on_is_a_sentence(file: str) -> None:
    with contextlib.suppress(UserError):
        Tokenizer.parse(file).encode("a text")


def test_no_more_processes_than_there_may_be_and_each_starts_again_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.collect()
    monkeypatch.setattr(foreign, "MOST_PROCESSES", 2)
    monkeypatch.setattr(foreign, "_alive", type(foreign._alive)())
    kept = [Tokenizer.parse(bert_like()) for _ in range(4)]

    def at_work() -> list[int]:
        backends = [one._backend for one in kept]
        return [i for i, one in enumerate(backends) if isinstance(one, ForeignTokenizer) and one._process is not None]

    assert at_work() == [2, 3]
    assert kept[0].encode("the").ids == (1,)
    assert at_work() == [0, 3]
    assert kept[3].encode("the").ids == (1,)
    assert kept[1].encode("the").ids == (1,)
    assert at_work() == [1, 3]


def test_who_finds_all_processes_at_work_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    monkeypatch.setattr(foreign, "MOST_PROCESSES", 1)
    monkeypatch.setattr(foreign, "_alive", type(foreign._alive)())
    busy = Tokenizer.parse(bert_like())._backend
    assert isinstance(busy, ForeignTokenizer)
    with busy._lock, pytest.raises(UserError, match="Too many tokenizers are at work"):
        Tokenizer.parse(bert_like())
    assert Tokenizer.parse(bert_like()).encode("the").ids == (1,)


@pytest.mark.nightly
def test_a_process_ends_with_its_tokenizer_and_with_whoever_started_it(tmp_path: Path) -> None:
    tokenizer = Tokenizer.parse(bert_like())
    assert isinstance(tokenizer._backend, ForeignTokenizer) and tokenizer._backend._process is not None
    pid = tokenizer._backend._process.pid
    assert alive(pid)
    del tokenizer
    gc.collect()
    until(lambda: not alive(pid))
    (tmp_path / "t.json").write_text(bert_like())
    program = (
        "import os, sys; from lmviz.model.tokenizer import Tokenizer; t = Tokenizer.from_file(sys.argv[1]);"
        "print(t._backend._process.pid, flush=True); os._exit(1)"  # as one that is killed goes
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "t.json")], cwd=ROOT, capture_output=True)
    until(lambda: not alive(int(done.stdout)))


def test_a_process_that_was_killed_is_started_again() -> None:
    tokenizer = Tokenizer.parse(bert_like())
    assert isinstance(tokenizer._backend, ForeignTokenizer) and tokenizer._backend._process is not None
    tokenizer._backend._process.kill()
    tokenizer._backend._process.wait()
    assert tokenizer.encode("the").ids == (1,)


def test_several_threads_can_ask_one_tokenizer_at_once() -> None:
    tokenizer = Tokenizer.parse(bert_like())
    found: list[bool] = []
    words = {"the": (1,), "cafe": (2,), "cafes": (2, 3)}

    def ask() -> None:
        found.extend(tokenizer.encode(word).ids == ids for word, ids in list(words.items()) * 20)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 240


@pytest.mark.nightly
def test_an_upload_and_a_folder_of_somebody_elses_are_limited_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "MEMORY", 2**28)
    brought = Tokenizers(Models()).read_tokenizer({"tokenizer.json": bert_like().encode()})
    assert isinstance(brought.tokenizer._backend, ForeignTokenizer)
    model = lmviz.load(ROOT / "sample_models/small-ever")
    save(model, tmp_path)
    (tmp_path / "tokenizer.json").write_text(file_of(normalizer=doubling(30)))
    with pytest.raises(UserError, match="This tokenizer was stopped"):
        lmviz.load(tmp_path).tokenizer.encode("a" * 2000)
