"""How deep one looks: one switch on every page, kept by links; a link without it opens all that there is."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from lmviz.trace.operations.explanation import Explanation, Term
from lmviz.ui import arithmetic
from lmviz.ui.arithmetic_html import equation
from lmviz.ui.depth import DEPTHS, WHERE_SHOWN, parts
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import DEFAULT, LANGUAGES, Translator
from tests.pages.conftest import Open, picture, scene, written
from tests.pages.test_links import PAGES

CELL = ["blocks.0.attn.scores", [0, 0, 3, 1]]
WITH_POWER = re.compile(r"\de[−-]?\d")


def test_every_depth_shows_what_the_one_before_it_does_and_more() -> None:
    for less, more in pairwise(DEPTHS):
        assert set(parts(less)) < set(parts(more))
    assert parts("code") == list(WHERE_SHOWN)


def test_a_link_keeps_the_depth_and_one_without_opens_all() -> None:
    assert StepThroughView(depth="story").query() == {"depth": "story"}
    assert StepThroughView.parse({"depth": "story"})[0].depth == "story"
    assert StepThroughView.parse({})[0] == StepThroughView(depth="code")
    assert StepThroughView.parse({"depth": "cellar"})[1] == ("depth",)


def test_the_step_through_shows_what_its_depth_does(open_page: Open) -> None:
    app = open_page(model="names", step=CELL[0], by="op", cell=json.dumps(CELL), depth="story")
    story = scene(app)
    assert story["parts"] == [] and story["source"] is None and story["strip"] == [] and story["say"]["formula"] == ""
    assert story["bar"]["grain"] == "stage" and "attn" not in story["say"]["title"]
    assert not WITH_POWER.search(json.dumps(story["inspector"], ensure_ascii=False))
    shown = [story]
    for depth in ("numbers", "formula", "code"):  # the switch
        app.selectbox(key="depth").select(depth).run()
        shown.append(scene(app))
        assert app.query_params.get("depth") == (None if depth == "code" else depth)
    assert [bool(one["source"]) for one in shown] == ["source" in one["parts"] for one in shown]
    assert [bool(one["strip"]) for one in shown] == ["checks" in one["parts"] for one in shown]
    whole = [scene(open_page(model="names", step=CELL[0], depth=depth))["say"]["formula"] for depth in DEPTHS]
    assert [bool(formula) for formula in whole] == ["formula" in parts(depth) for depth in DEPTHS]


MATHEMATICS = re.compile(r"variance|−ln|\bnats\b|softmax|mean square|moyenne des carrés|÷|radian", re.IGNORECASE)


@pytest.mark.nightly
@pytest.mark.parametrize("model", ["sentences", "names-llama"])
def test_the_story_needs_no_mathematics(open_page: Open, model: str) -> None:
    for lang in LANGUAGES:
        app = open_page(model=model, step="probabilities", depth="story", target="a", lang=lang)
        told = {}
        for stage in ("norm_1", "norm_final", "logits", "probabilities", "loss"):
            address = {"norm_1": "blocks.0.norm_1.scaled", "norm_final": "norm_final.scaled"}.get(stage, stage)
            app.query_params["step"] = address
            say = scene(app.run())["say"]
            told[say["title"]] = f"{say['text']} {say['hint']}"
        if "llama" in model:
            for address in ("angle", "blocks.0.attn.q_rot"):
                app.query_params["step"] = address
                say = scene(app.run())["say"]
                told[say["title"]] = say["text"]
                assert "°" in say["text"], say
        assert len(told) >= 5 and all(re.search(r"\d", text) for text in told.values())
        assert not [text for text in told.values() if MATHEMATICS.search(text)]


def test_the_depth_goes_with_the_reader_to_every_page(open_page: Open) -> None:
    app, links = open_page(model="names", depth="numbers"), []
    for page in (*PAGES, "first"):
        app.switch_page(f"pages/{page}.py")
        app.run()
        assert not app.exception
        assert app.selectbox(key="depth").value == "numbers"
        links += [link.proto.query_string for link in app.get("page_link")]
    assert links and all("depth=numbers" in link for link in links)


def test_pictures_on_all_pages_are_told_how_deep_one_looks(open_on: Open) -> None:
    for depth, shows in (("story", False), ("numbers", True)):
        assert ("shapes" in picture(open_on("embeddings", depth=depth), "look_up")["parts"]) == shows


def test_a_line_below_code_has_no_powers_of_ten() -> None:
    tiny, t = 3.7e-7, Translator(DEFAULT, plain=True)
    assert WITH_POWER.search(equation(Translator(DEFAULT), "{a} × {b}", tiny, a=tiny, b=1.0).text)
    assert equation(t, "{a} × {b}", tiny, a=tiny, b=1.0).text == "0.0000004 × 1 = 0.0000004"
    why = Explanation("", (Term("0", (tiny,), tiny),), tiny)
    written = arithmetic.line(why, t, 2, 6, 6)
    assert json.dumps(written).count('"0.0000004"') == 2
    assert "10" not in json.dumps(written, ensure_ascii=False)


def test_in_the_story_a_tokenizer_speaks_of_pieces_and_not_of_bytes_or_logarithms(open_on: Open) -> None:
    for depth, is_told in (("story", False), ("code", True)):
        app = open_on("tokenizer", tokenizer="gpt2", text="The cat", piece="1", depth=depth)
        assert ("(counted from 0)" in written(app)) == is_told and "**3797**" in written(app)
        app = open_on("tokenizer", tab="learn", at="2", depth=depth)
        assert ("ln V" in written(app)) == is_told and "at first" in written(app)
