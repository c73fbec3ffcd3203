"""The page of embeddings: every section in both languages, and that what it shows is what the model has."""

from __future__ import annotations

import re

import numpy as np
import pytest

import lmviz
from lmviz.embed.distances import neighbours
from lmviz.embed.pca import pca
from lmviz.embed.texts import TEXTS
from lmviz.embed.word2vec import Word2VecSettings, train_vectors
from lmviz.embed.words import read_words
from lmviz.ui.embeddings.view import SECTIONS
from lmviz.ui.text import LANGUAGES
from tests.conftest import ROOT
from tests.pages.conftest import Open, cells_of, charted, complaints, go, picture, settled, written
from tests.words import ENGLISH
from tests.written import holds, lines_in
from tests.written import number as value_of

BOUND = "lmviz.ui.embeddings.view."


@pytest.mark.sampled(2)
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_opens_in_every_language(open_on: Open, section: str, lang: str) -> None:
    app = settled(open_on("embeddings", section=section, lang=lang))
    assert not complaints(app)
    assert "embeddings." not in written(app)
    assert app.get("bidi_component") or app.get("vega_lite_chart")


def test_one_hot_times_matrix_is_the_row(open_on: Open) -> None:
    app = open_on("embeddings", model="pokemon", prompt=".pik", token="1", cell='["rows",[1,3]]')
    one_hot, matrix, rows = picture(app, "look_up")["panels"]
    weight = lmviz.load(ROOT / "sample_models/pokemon").model.tok_embed.weight.detach().numpy()
    assert np.array_equal(cells_of(matrix), weight)
    assert np.array_equal(cells_of(one_hot) @ cells_of(matrix), cells_of(rows))
    assert cells_of(one_hot).sum(axis=1).tolist() == [1, 1, 1, 1]
    assert rows["pinned"] == [1, 3] and rows["focus"] == 1
    assert f"<b>{ENGLISH.number(float(cells_of(rows)[1, 3]), 4)}</b>" in written(app)


def test_a_token_is_followed_and_the_link_remembers_it(open_on: Open) -> None:
    app = open_on("embeddings", model="pokemon", prompt=".pik")
    app.segmented_control(key=f"{BOUND}token").set_value(2).run()
    assert app.query_params["token"] == "2"
    assert picture(app, "look_up")["panels"][0]["focus"] == 2


def test_the_parts_add_up_with_and_without_segments(open_on: Open) -> None:
    app = open_on("embeddings", section="sum", model="pokemon", prompt=".pik")
    tok, pos, x = (cells_of(panel) for panel in picture(app, "sum")["panels"])
    assert np.array_equal(tok + pos, x)
    checkpoint = lmviz.load(ROOT / "sample_models/pokemon")
    ids = list(checkpoint.tokenizer.encode(".pik").ids)
    assert np.array_equal(tok, checkpoint.model.tok_embed.weight.detach().numpy()[ids])
    assert np.array_equal(pos, checkpoint.model.pos_embed.weight.detach().numpy()[:4])
    app = go(app, section="sum", model="pokemon", prompt=".pik", second="2")
    tok, pos, seg, x = (cells_of(panel) for panel in picture(app, "sum")["panels"])
    assert np.array_equal(tok + pos + seg, x)
    assert np.array_equal(seg[0], seg[1]) and not np.array_equal(seg[1], seg[2])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_are_those_of_the_model(open_on: Open, metric: str) -> None:
    app = open_on("embeddings", section="near", model="names", id="5", metric=metric)
    vectors = lmviz.load(ROOT / "sample_models/names").model.tok_embed.weight.detach().numpy()
    nearest = neighbours(vectors, 5, 1, metric)[0]
    assert charted(app, 1)[0]["value"] == pytest.approx(nearest.distance)
    assert ENGLISH.number(100 * sum(pca(vectors).kept), 1) in written(app)
    app = go(app, section="near", model="names", id="5", metric=metric, other=str(nearest.id))
    assert not complaints(app) and f"<b>{ENGLISH.number(nearest.distance, 3)}</b>" in written(app)


@pytest.mark.nightly
def test_ten_words_begin_at_random_and_move(open_on: Open) -> None:
    app = settled(open_on("embeddings", section="ten_words", seed="3"))
    before, now = picture(app, "ten_words")["panels"]
    from lmviz.embed.ten_words import train_embedding

    assert np.array_equal(cells_of(before), next(train_embedding(seed=3)).embedding)
    assert np.array_equal(cells_of(now), [*train_embedding(seed=3)][-1].embedding)
    steps = [*train_embedding(seed=3)]
    app = settled(go(app, section="ten_words", seed="3", step="9", cell='["now",[2,1]]'))
    worked = picture(app, "word_update")["lines"]
    assert worked[0]["value"] == ENGLISH.number(float(steps[8].embedding[2, 1]), 6)
    assert worked[-1]["value"].startswith(ENGLISH.number(float(steps[9].embedding[2, 1]), 6)[:-1])
    app = settled(go(app, section="ten_words", seed="3", step="0"))
    assert np.array_equal(*(cells_of(panel) for panel in picture(app, "ten_words")["panels"]))


def test_at_temperature_0_all_answers_are_one_and_their_distance_is_0(open_on: Open) -> None:
    app = open_on("embeddings", section="answers", model="names", temperature="0")
    assert not cells_of(picture(app, "answers")["panels"][0]).round(6).any()
    app = go(app, section="answers", model="names", answers='[".anna.",".annie.",".zxq."]')
    assert ".annie." in written(app)
    between = cells_of(picture(app, "answers")["panels"][0])
    assert ENGLISH.number(float(between[0, 1:].mean()), 3) in written(app)
    assert between[0, 1] < between[0, 2]
    app = go(app, section="answers", model="names", answers='[".anna.",".zxq."]', cell='["between",[0,1]]')
    assert written(app).count(f"<b>{ENGLISH.number(between[0, 2], 3)}</b>") == 2  # the course's average, and worked out


def test_the_words_of_word2vec_are_learned_here(open_on: Open) -> None:
    app = settled(open_on("embeddings", section="word2vec", kind="cbow", steps="50", word="king"))
    text = read_words(TEXTS["en"])
    last = [*train_vectors(text, Word2VecSettings("cbow", steps=50))][-1]
    near = neighbours(last.vectors, text.words.index("king"), 5)
    assert [row["name"] for row in charted(app, 2)] == [text.words[one.id] for one in near]
    assert "`` the `` + `` sits `` + `` on `` → **`` king ``**" in written(app)


def test_a_word_never_seen_is_the_sum_of_its_runs(open_on: Open) -> None:
    app = settled(open_on("embeddings", section="fasttext", word="queens", steps="50"))
    parts, total = (cells_of(panel) for panel in picture(app, "fasttext")["panels"])
    assert parts.sum(axis=0) == pytest.approx(total[0], abs=1e-5)
    app = settled(go(app, section="fasttext", word="queens", steps="50", cell='["parts",[1,2]]'))
    assert f"<b>{ENGLISH.number(parts[:, 2].sum(dtype=np.float64), 4)}</b>" in written(app)
    app = settled(go(app, section="fasttext", word="zzzz", steps="50"))
    assert not complaints(app) and app.info


@pytest.mark.nightly
@pytest.mark.parametrize(
    "query",
    [
        {"section": "look_up", "prompt": ""},
        {"section": "look_up", "model": "nowhere"},
        {"section": "look_up", "cell": '["rows",[99,99]]'},
        {"section": "look_up", "cell": '["strange",[0]]', "token": "99"},
        {"section": "sum", "second": "99", "cell": '["x",[99,0]]'},
        {"section": "sum", "prompt": "!!!!"},
        {"section": "near", "id": "99999"},
        {"section": "near", "other": "99999"},
        {"section": "ten_words", "cell": '["now",[99,9]]'},
        {"section": "answers", "answers": '["!"]'},
        {"section": "answers", "answers": '["!","?"]'},
        {"section": "ten_words", "words": "one"},
        {"section": "word2vec", "story": "one"},
        {"section": "word2vec", "example": "99999", "word": "nowhere"},
        {"section": "fasttext", "word": "`<b>x</b>`"},
        {"section": "nowhere", "metric": "none", "seed": "-1", "cell": "[]"},
    ],
    ids=str,
)
def test_a_strange_link_is_no_crash(open_on: Open, query: dict[str, str]) -> None:
    app = settled(open_on("embeddings", **query))
    assert not app.exception
    assert not any("<b>x</b>" in element.proto.body for element in app.get("html"))


def test_a_temperature_past_the_end_of_the_slider_is_left_out(open_on: Open) -> None:
    app = open_on("embeddings", section="answers", temperature="5")
    assert not complaints(app)
    assert "temperature" in app.info[0].value and "temperature" not in app.query_params


def test_a_word_whose_runs_the_text_lacks_is_one_sentence(open_on: Open) -> None:
    app = settled(open_on("embeddings", section="fasttext", word="<b>😀"))
    assert "No run of this word is in the text" in app.info[0].value and "of its runs" not in written(app)


@pytest.mark.nightly
def test_the_ready_text_of_ten_words_is_in_the_readers_language(open_on: Open) -> None:
    app = settled(open_on("embeddings", section="ten_words", lang="fr"))
    assert "chat" in picture(app, "ten_words")["panels"][0]["row_labels"] and "10 mots" in written(app)


def test_the_prompt_that_is_looked_up_is_not_carried_over_to_the_answers(open_on: Open) -> None:
    app = open_on("embeddings", section="look_up", prompt=".pik")
    assert app.text_input(key=f"{BOUND}prompt").value == ".pik"
    app.segmented_control(key=f"{BOUND}section").set_value("answers").run()
    assert app.text_input(key=f"{BOUND}opening").value != ".pik" and "opening" not in app.query_params


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_analogy_is_worked_out_number_by_number(open_on: Open, lang: str) -> None:
    app = settled(open_on("embeddings", section="word2vec", steps="50", lang=lang, cell='["analogy",[3,4]]'))
    b, a, c, total = cells_of(picture(app, "analogy")["panels"][0])
    assert total == pytest.approx(b + a + c, abs=1e-6)
    (line,) = lines_in(written(app))
    assert holds(line, lang)
    assert value_of(line.split()[-1]) == pytest.approx(float(total[4]), abs=1e-3)


def test_a_sum_with_segments_is_written_with_the_numbers_in_sight(open_on: Open) -> None:
    app = open_on("embeddings", section="sum", second="2", cell='["x_seg",[1,3]]')
    panels = {panel["address"]: cells_of(panel) for panel in picture(app, "sum")["panels"]}
    (line,) = lines_in(written(app))
    assert holds(line, "en")
    shown = [value_of(number) for number in re.findall(r"−?\d+\.\d+", line)]
    assert shown == pytest.approx([float(panels[name][1, 3]) for name in ("tok", "pos", "seg", "x_seg")], abs=1e-3)
