"""The tokenizer page, in both languages: every way of looking shows what the engine computed."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import lmviz
from lmviz.model.tokenizer import Tokenizer
from lmviz.services import tokenizers
from lmviz.tokens.analysis import KINDS, analyse
from lmviz.tokens.learning import Learner, learn, learners
from lmviz.tokens.round_trip import round_trip
from lmviz.tokens.vocabulary import vocabulary_of
from lmviz.ui import replay
from lmviz.ui.place import Place
from lmviz.ui.text import LANGUAGES, visible
from lmviz.ui.tokenizer.view import TABS, TokenizerView
from tests.conftest import ROOT, SAMPLES
from tests.pages.conftest import Open, errors, go, picture
from tests.words import ENGLISH
from tests.written import holds

CORPUS = "the cat sat on the mat. the cat ate the rat."


@pytest.mark.nightly
@pytest.mark.sampled(3)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tokenizer", ["bpe", "words", "characters", "gpt2", *SAMPLES])
def test_every_way_of_looking_works_with_every_tokenizer(open_on: Open, tokenizer: str, language: str) -> None:
    app = open_on("tokenizer", tokenizer=tokenizer, lang=language)
    for tab in TABS:
        go(app, tab=tab, tokenizer=tokenizer, lang=language)
        assert not errors(app), tab
        shown = " ".join(element.value for element in (*app.markdown, *app.caption))
        assert "tokenizer." not in shown.replace("tokenizer.json", "") and "{" not in shown


def test_pieces_have_their_ids_and_the_bytes_behind_them(open_on: Open) -> None:
    app = open_on("tokenizer", text="the é 😀", corpus=CORPUS, merges="20", piece="1")
    tokenizer = learn(CORPUS, 20).tokenizer()
    tokens = tokenizer.encode("the é 😀")
    shown = picture(app, "tokenizer.pieces")["pieces"]
    assert [(one["text"], one["below"]) for one in shown] == [
        (visible(piece), str(id)) for piece, id in zip(tokens.pieces, tokens.ids, strict=True)
    ]
    behind = vocabulary_of(tokenizer).bytes(tokens.ids[1])
    assert any(behind.hex(" ") in markdown.value for markdown in app.markdown)
    (table,) = app.dataframe
    assert "".join(table.value["bytes"]).replace(" ", "") == "the é 😀".encode().hex()


def test_three_ways_to_cut_tell_their_length_and_ln_v(open_on: Open) -> None:
    app = open_on("tokenizer", tab="compare", text="the cat!", corpus=CORPUS, merges="12")
    made = {
        "characters": Tokenizer.characters(CORPUS),
        "bpe": learn(CORPUS, 12).tokenizer(),
        "words": Tokenizer.words(CORPUS),
    }

    for kind, tokenizer in made.items():
        tokens = tokenizer.encode("the cat!")
        assert len(picture(app, f"tokenizer.compare.{kind}")["pieces"]) == len(tokens)
        facts = f"V = **{tokenizer.d_vocab}** · ln V = **{ENGLISH.number(math.log(tokenizer.d_vocab))}"
        assert any(
            facts in markdown.value and f"**{len(tokens)}** tokens" in markdown.value for markdown in app.markdown
        )


def test_merges_are_learned_forwards_and_backwards(open_on: Open) -> None:
    app = open_on("tokenizer", tab="learn", corpus=CORPUS)
    learning = learn(CORPUS, 2000)
    for at in (1, 2, 3):
        app.button(key="tokenizer.move.next").click().run()
        assert shown_words(app) == [
            [visible(learning.tokens[id].decode()) for id in word] for word in learning.text(at)
        ]
        assert [pair["count"] for pair in picture(app, "tokenizer.pairs")["pairs"]] == [
            count for _, count in learning.pairs(at)[:12]
        ]
    app = go(app, tab="learn", corpus=CORPUS, at="3", pair="1")
    pair, count = learning.pairs(3)[1]
    assert sum(times * frequency for _, times, frequency in learning.homes(pair, 3)) == count
    (body,) = [one.proto.body for one in app.get("html") if 'class="steps"' in one.proto.body]
    assert f"<b>{count}</b>" in body
    assert all(f"{times} × {frequency}" in body for _, times, frequency in learning.homes(pair, 3)[:6])
    app.button(key="tokenizer.move.back").click().run()
    assert sum(map(len, shown_words(app))) == learning.lengths[2]
    app.button(key="tokenizer.move.last").click().run()
    assert app.button(key="tokenizer.move.next").disabled and not picture(app, "tokenizer.pairs")["pairs"]
    app.button(key="tokenizer.move.first").click().run()
    assert sum(map(len, shown_words(app))) == learning.lengths[0] == len(CORPUS)


def test_learning_that_takes_long_shows_how_far_it_is_and_can_be_stopped(
    open_on: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, go_on, there = CORPUS + " and more", threading.Event(), learners

    def slow(text: str, n_merges: int) -> Iterator[Learner]:
        yield next(there(text, 0))
        yield [*there(text, 7)][-1]
        while not go_on.wait(0.01):
            yield [*there(text, 7)][-1]

    monkeypatch.setattr(tokenizers, "learners", slow)
    monkeypatch.setattr(replay, "PATIENCE", 0.2)
    app = open_on("tokenizer", tab="learn", corpus=corpus)
    assert [bar.proto.text for bar in app.get("progress")] == ["Learning…"]
    (stop,) = [button for button in app.button if "Stop here" in button.label]
    stop.click()
    app.run()
    go_on.set()
    assert not app.exception
    assert not app.get("progress")
    app.button(key="tokenizer.move.last").click().run()
    assert shown_words(app) == [
        [visible(some.tokens[id].decode()) for id in word] for some in [learn(corpus, 7)] for word in some.text(7)
    ]


@pytest.mark.parametrize("word", ["themat", "é😀", "<b>", "aaa"])
def test_a_new_word_is_cut_by_what_is_learned_so_far(open_on: Open, word: str) -> None:
    app = open_on("tokenizer", tab="learn", corpus=CORPUS, at="5", word=word)
    learning = learn(CORPUS, 2000)
    steps = learning.steps(word.encode(), 5)
    shown = picture(app, "tokenizer.new_word_cut")["text"]
    assert [len(one["pieces"]) for one in shown] == [len(ids) for ids, _ in steps]
    for one, (_, pair) in zip(shown, steps, strict=True):
        assert one["then"] == any(piece["new"] for piece in one["pieces"]) == (pair is not None)


def shown_words(app: AppTest) -> list[list[str]]:
    return [[piece["text"] for piece in word["pieces"]] for word in picture(app, "tokenizer.words")["text"]]


@pytest.mark.parametrize(("tokenizer", "changed"), [("words", True), ("bpe", False)])
def test_there_and_back_marks_what_was_lost(open_on: Open, tokenizer: str, changed: bool) -> None:
    sentence = "the dog  sat"
    app = open_on("tokenizer", tab="trip", tokenizer=tokenizer, text=sentence, corpus=CORPUS)
    made = Tokenizer.words(CORPUS) if tokenizer == "words" else learn(CORPUS, 60).tokenizer()
    spans = round_trip(made, sentence)
    lost = [one["text"] for one in picture(app, "tokenizer.trip.before")["pieces"] if "lost" in one.get("marks", ())]
    assert lost == [visible(span.before) for span in spans if not span.is_kept and span.before]
    assert bool(lost) == changed == bool(app.warning) != bool(app.success)


def test_a_vocabulary_is_counted_filtered_and_searched(open_on: Open) -> None:
    app = open_on("tokenizer", tab="vocabulary", corpus=CORPUS, merges="20")
    analysis = analyse(vocabulary_of(learn(CORPUS, 20).tokenizer()))
    rows = picture(app, "tokenizer.kinds")["rows"]
    assert {row["name"]: row["count"] for row in rows} == {k: n for k, n in analysis.counts().items() if n}
    assert sum(row["count"] for row in rows) == len(analysis.texts)
    go(app, tab="vocabulary", corpus=CORPUS, merges="20", kind="beginning", find="A")
    (table,) = app.dataframe
    assert list(table.value["id"]) == analysis.ids("beginning", None, "A").tolist() and len(table.value)


def test_a_word_shows_where_capitals_and_signs_change_its_ids(open_on: Open) -> None:
    app = open_on("tokenizer", tab="vocabulary", corpus=CORPUS, merges="20", word="cat")
    rows = {row["text"]: row["same"] for row in picture(app, "tokenizer.variants")["rows"]}
    assert rows["cat"] and rows["cat."] and not rows["Cat"] and not rows["CAT"]


def upload(app: AppTest, key: str, *files: Path) -> AppTest:
    for path in files:
        app.file_uploader(key=key).upload(path.name, path.read_bytes(), "application/json")
    return app.run()


def test_a_tokenizer_of_ones_own_is_read(open_on: Open, tmp_path: Path) -> None:
    app = open_on("tokenizer", tokenizer="file", text="pika")
    assert not errors(app) and app.info[0].value == ENGLISH("tokenizer.file_first")
    upload(app, "tokenizer.file", ROOT / "sample_models/pokemon/tokenizer.json")
    pokemon = lmviz.load(ROOT / "sample_models/pokemon").tokenizer
    assert [one["below"] for one in picture(app, "tokenizer.pieces")["pieces"]] == [
        str(id) for id in pokemon.encode("pika").ids
    ]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"model": {"type": "BPE", "vocab": 3}}', "\x00"])
def test_a_file_that_is_no_tokenizer_is_one_sentence(open_on: Open, tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    app = open_on("tokenizer", tokenizer="file")
    upload(app, "tokenizer.file", path)
    assert not app.exception and len(app.error) == 1


@pytest.mark.parametrize(
    "query",
    [{"corpus": " "}, {"corpus": " ", "tab": "learn"}, {"tokenizer": "nowhere"}, {"text": " "}, {"text": "\x00"}],
)
def test_bad_input_is_a_sentence_and_never_a_traceback(open_on: Open, query: dict[str, str]) -> None:
    app = open_on("tokenizer", **query)
    assert not app.exception and len(app.error) <= 1


def test_the_kinds_of_the_page_are_those_of_the_engine() -> None:
    from lmviz.ui.tokenizer import view

    assert set(view.KINDS) == {"", *KINDS}


def test_a_view_survives_its_own_address() -> None:
    place: Place = TokenizerView(
        tab="learn", tokenizer="words", text="a b", corpus="c", merges=3, at=2, kind="single", lang="fr"
    )
    assert TokenizerView.parse(place.query()) == (place, ())
    assert TokenizerView.parse({"merges": "9999999", "kind": "x"})[1] == ("merges", "kind")
    assert json.loads(place.query()["merges"]) == 3


def test_the_loss_of_a_cut_is_the_product_as_it_is_written(open_on: Open) -> None:
    app = open_on("tokenizer", tab="compare")
    facts = " ".join(markdown.value for markdown in app.markdown)
    products = re.findall(r"\d+ × [\d.]+ = \*\*[\d.]+\*\*", facts)
    assert len(products) == 3
    assert all(holds(product, "en") for product in products)
