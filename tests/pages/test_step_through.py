"""The step-through page, in both languages, through every stage of every sample model."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import lmviz
from lmviz.registry.kinds import read_reference
from lmviz.ui.step_through.facts import hidden_by_mask
from lmviz.ui.text import LANGUAGES, Translator
from tests.conftest import ROOT, SAMPLES
from tests.pages.conftest import Open, cells_of, errors, go, scene
from tests.words import ENGLISH


def test_the_step_through_by_itself_opens_on_small_ever_and_says_what_to_do(open_page: Open) -> None:
    app = open_page()
    assert not errors(app)
    shown = scene(app)
    assert app.text_input(key="prompt").value == "Clem"
    assert shown["say"]["title"] == "Text becomes numbers"
    assert shown["say"]["hint"] == ENGLISH("say.hint")
    assert shown["picture"]["rows"][0] | {"span": None} == {"text": "Clem", "id": 0, "span": None, "unknown": False}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", SAMPLES)
def test_every_stage_of_every_model_can_be_shown(open_page: Open, model: str, language: str) -> None:
    app = open_page(model=model, lang=language)
    stages = scene(app)["map"]
    assert len(stages) >= 10
    in_blocks: dict[str, list[str]] = {}
    for stage in stages[1:]:
        address = stage_address(model, stage["index"])
        go(app, step=address)
        assert not errors(app), address
        shown = scene(app)
        assert [one["index"] for one in shown["map"] if one["here"]] == [stage["index"]]
        assert shown["say"]["title"].startswith(Translator(language)(f"stage.{stage['kind']}.title"))
        assert "{" not in shown["say"]["text"]
        assert all(check["holds"] for check in shown["strip"])
        assert shown["picture"].get("panels") or shown["picture"]["rows"]
        if stage["block"] is not None and stage["kind"] not in ("rotation", "sharing"):  # which are the same in each
            in_blocks.setdefault(stage["kind"], []).append(shown["say"]["text"])
    assert all(len({*said}) == len(said) for said in in_blocks.values()), "each block says what is different in it"
    shares = [re.findall(r"[\d,.]+\s?%", said) for said in in_blocks["softmax"]]
    assert all(later[-1] == earlier[0] for earlier, later in pairwise(shares)), "with the numbers of the block before"


def stage_address(model: str, index: int) -> str:
    from lmviz.registry.recording import Request
    from lmviz.services.services import Services

    services = Services()
    walk = services.models.record(
        Request(read_reference(model), services.models.first_prompt(read_reference(model)))
    ).navigator
    return walk.trace[walk.stages[index].stop].address


@pytest.mark.nightly
@pytest.mark.parametrize("grain", ["line", "op"])
def test_every_line_and_operation_can_be_shown(open_page: Open, grain: str) -> None:
    app = open_page(model="small-ever", by=grain)
    checkpoint = lmviz.load(ROOT / "sample_models/small-ever")
    trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode("Clem").ids_tensor)
    for step in trace:
        go(app, step=step.address)
        assert not errors(app), step.address
        assert scene(app)["bar"]["grain"] == grain


def test_a_link_opens_on_its_step(open_page: Open) -> None:
    shown = scene(open_page(model="pokemon", step="blocks.0.attn.pattern", by="op"))
    lit = shown["source"]["lit"]
    line = shown["source"]["lines"][lit["lines"][0] - shown["source"]["first"]]["text"]
    assert line[lit["columns"][0] : lit["columns"][1]] == "F.softmax(masked, dim=-1)"


def test_the_language_changes_and_nothing_else_does(open_page: Open) -> None:
    app = open_page(
        model="pokemon", step="blocks.0.attn.pattern", cell=json.dumps(["blocks.0.attn.pattern", [0, 0, 3, 1]])
    )
    before = scene(app)
    app.button_group(key="language").set_value("fr").run()
    after = scene(app)
    assert after["lang"] == "fr" and before["lang"] == "en"
    assert "fr" in app.query_params["lang"]
    for part in ("picture", "tokens"):
        assert after[part] == before[part]
    for name, found in before["inspector"].items():
        assert after["inspector"][name] == found or name == "lines"
    assert [line["value"].replace(",", ".") for line in after["inspector"]["lines"]] == [
        line["value"] for line in before["inspector"]["lines"]
    ]
    assert after["say"]["title"] != before["say"]["title"]


def test_the_pinned_arithmetic_is_the_recorded_number(open_page: Open) -> None:
    cell = ["blocks.0.attn.pattern", [0, 0, 3, 1]]
    found = scene(open_page(model="pokemon", step=cell[0], cell=json.dumps(cell)))["inspector"]
    checkpoint = lmviz.load(ROOT / "sample_models/pokemon")
    trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode(".pik").ids_tensor)
    assert found["value"] == pytest.approx(float(trace[cell[0]].outputs[0].array[0, 0, 3, 1]))
    assert found["agrees"]


def test_a_pinned_score_is_outlined_where_its_mask_is_shown(open_page: Open) -> None:
    cell = json.dumps(["blocks.0.attn.scores", [0, 0, 3, 1]])
    q, k, masked = scene(open_page(model="pokemon", step="scores", cell=cell))["picture"]["panels"]
    assert masked["address"] == "blocks.0.attn.masked" and masked["pinned"] == [3, 1]
    assert q["pinned"] is None and k["pinned"] is None


@pytest.mark.sampled(2)
@pytest.mark.parametrize("prompt", ["<script>alert(1)</script>", "\x00\u202e", "é" * 300, "   ", "💩👨‍👩‍👧", "."])
@pytest.mark.parametrize("model", SAMPLES)
def test_any_text_is_handled_and_said(open_page: Open, model: str, prompt: str) -> None:
    app = open_page(model=model, prompt=prompt)
    assert not app.exception
    if app.error:  # no token at all: one sentence
        assert "needs at least one token" in app.error[0].value and "such as" in app.error[0].value
    else:
        assert scene(app)["tokens"]


def test_an_empty_prompt_says_what_is_needed(open_page: Open) -> None:
    app = open_page(model="pokemon")
    app.text_input(key="prompt").set_value("").run()
    assert len(app.error) == 1 and "at least one token" in app.error[0].value
    app.text_input(key="prompt").set_value(".bul").run()
    assert not app.error and [token["text"] for token in scene(app)["tokens"]] == [".", "b", "u", "l"]


def test_a_text_longer_than_the_context_is_cut_and_that_is_said(open_page: Open) -> None:
    app = open_page(model="pokemon", prompt=".bulbizarre.pikachu")
    assert any("the first 11 are left out" in caption.value for caption in app.caption)
    assert len(scene(app)["tokens"]) == 8


@pytest.mark.parametrize(
    "query",
    [
        {"step": "no.such.step"},
        {"step": "<b>x</b>"},
        {"focus": "99"},
        {"focus": "x"},
        {"head": "9999"},
        {"cell": "["},
        {"cell": '["blocks.0.attn.pattern",[9,9,9,9]]'},
        {"cell": '["logits",[0,0]]'},
        {"edits": '[["logits",[0,0,99],1]]'},
        {"edits": '[["nowhere",[0],1]]'},
        {"temperature": "0"},
        {"temperature": "nan"},
        {"digits": "77"},
        {"by": "leap"},
        {"lang": "xx"},
        {"stops": '["above x"]'},
        {"model": "/no/such/folder"},
        {"model": ""},
        {"b_model": "nope"},
        {"unknown": "1"},
        {"model": "x" * 5000},
        {"model": "~nobody"},
        {"cell": '["embed",[0,0,true]]'},
        {"stops": '["\\ud800"]'},
        {"edits": '[["embed",[0,0,0],%s]]' % ("9" * 400)},
        {"edits": '[["embed",[0,0,0],Infinity]]'},
    ],
    ids=lambda query: str(query)[:60],
)
def test_a_broken_link_is_no_traceback(open_page: Open, query: dict[str, str]) -> None:
    app = open_page(**query)
    assert not app.exception


def test_an_edit_changes_what_follows_and_is_shown(open_page: Open) -> None:
    plain = scene(open_page(model="pokemon", step="logits"))
    edits = json.dumps([["blocks.0.attn.pattern", [0, 0, 3, 1], 0.0]])
    app = open_page(model="pokemon", step="logits", edits=edits)
    edited = scene(app)
    assert edited["edits"][0]["text"] == "pattern[0, 0, 3, 1] = 0.00"
    assert edited["picture"]["panels"][-1]["cells"] != plain["picture"]["panels"][-1]["cells"]
    assert "changed" in edited["picture"]["panels"][-1]


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_that_overflow_are_shown_at_every_stage(open_page: Open, language: str) -> None:
    huge = ("blocks.0.attn.w_q.weight", "blocks.0.attn.w_k.weight")  # their products are beyond a float32
    edits = json.dumps([[address, [0, 0], 3e38] for address in huge])
    app = open_page(model="names", lang=language, edits=edits)
    shown = []
    for stage in scene(app)["map"][1:]:
        go(app, step=stage_address("names", stage["index"]))
        assert not errors(app), stage
        shown.append(scene(app))
    broken = [check["measured"] for one in shown for check in one["strip"] if not check["holds"]]
    assert any("NaN" in measured for measured in broken)


def test_a_comparison_shows_a_b_and_the_difference(open_page: Open) -> None:
    panels = scene(open_page(model="pokemon", step="blocks.0.attn.pattern", b_prompt=".bul"))["picture"]["panels"]
    marked = [panel for panel in panels if "mark" in panel]
    assert [panel["mark"] for panel in marked] == ["A", "B", "A − B"]
    assert [panel["scale"] for panel in marked] == ["share", "share", "signed"]


def test_texts_of_unequal_length_are_compared_where_both_have_tokens(open_page: Open) -> None:
    shown = scene(open_page(model="pokemon", step="blocks.0.attn.pattern", prompt=".pik", b_prompt=".bulba"))
    a, b, difference = shown["picture"]["panels"]
    assert (a["size"], b["size"], difference["size"]) == ([4, 4], [6, 6], [4, 4])
    assert (a["row_labels"], b["row_labels"]) == ([".", "p", "i", "k"], [".", "b", "u", "l", "b", "a"])
    first, second, third = (cells_of(panel) for panel in (a, b, difference))
    np.testing.assert_allclose(third, first - second[:4, :4], atol=1e-7)
    assert ".bulba" in shown["compared"]


def test_probabilities_are_compared_bar_by_bar(open_page: Open) -> None:
    shown = scene(open_page(model="pokemon", step="probabilities", prompt=".pik", b_prompt=".bul"))["picture"]
    alone = scene(open_page(model="pokemon", step="probabilities", prompt=".bul"))["picture"]
    theirs = {row["id"]: row["p"] for row in alone["rows"]}
    known = {row["id"]: row["b"] for row in shown["rows"] if row["id"] in theirs}
    assert known and known == {token: theirs[token] for token in known}


def test_losses_are_compared_position_by_position(open_page: Open) -> None:
    shown = scene(open_page(model="pokemon", step="loss.loss", prompt=".pik", b_prompt=".pib"))["picture"]
    alone = scene(open_page(model="pokemon", step="loss.loss", prompt=".pib"))["picture"]
    assert [row["b"]["nll"] for row in shown["rows"] if row["b"]] == [row["nll"] for row in alone["rows"][:3]]
    assert shown["b_mean"] == alone["mean"] != shown["mean"]


def test_the_pieces_of_both_texts_are_compared(open_page: Open) -> None:
    shown = scene(open_page(model="pokemon", prompt=".pik", b_prompt=".bul"))["picture"]
    assert [row["text"] for row in shown["other"]["rows"]] == [".", "b", "u", "l"]


def test_nothing_is_the_likeliest_among_numbers_that_are_none(open_page: Open) -> None:
    edits = json.dumps([["blocks.0.mlp.hidden", [0, 3, 0], 3e38], ["blocks.0.mlp.hidden", [0, 3, 1], 3e38]])
    for step in ("logits", "readout.probs"):
        shown = scene(open_page(model="pokemon", prompt=".pik", step=step, edits=edits))
        assert "NaN" in shown["say"]["text"] and "likeliest" not in shown["say"]["text"]
    assert shown["picture"]["rest"] == "NaN"


@pytest.mark.parametrize(
    ("model", "prompt", "said"),
    [
        ("small-ever", "clem", "unknown token"),
        ("small-ever", "Clem " * 40, "40 pieces"),
        ("names", "Zoé 😀!", "left out"),
        ("small-ever", "Clem", "found your text whole"),
    ],
)
def test_what_became_of_the_text_is_what_the_first_stage_says(
    open_page: Open, model: str, prompt: str, said: str
) -> None:
    assert said in scene(open_page(model=model, prompt=prompt))["say"]["text"]


def test_only_a_picture_with_a_mask_speaks_of_it(open_page: Open) -> None:
    assert "hatched" not in scene(open_page(model="small-ever", step="scores"))["say"]["text"]
    assert ENGLISH("stage.scores.masked") in scene(open_page(model="pokemon", step="scores"))["say"]["text"]
    assert "hatched" not in scene(open_page(model="pokemon", step="scores", prompt="p"))["say"]["text"]
    later, window = np.triu(np.full((3, 3), -np.inf), 1), np.array([[0.0, -np.inf], [-np.inf, 0.0]])
    assert [hidden_by_mask(scores) for scores in (np.zeros((3, 3)), later, window)] == ["", "future", "other"]


@pytest.mark.parametrize("kind", ["qkv", "scores", "softmax", "mix"])
def test_all_heads_are_seen_at_once_those_that_matter_most_first(open_page: Open, kind: str) -> None:
    address = {"qkv": "q", "scores": "masked", "softmax": "pattern", "mix": "attn_out"}[kind]
    app = open_page(model="names", step=f"blocks.1.attn.{address}", head="2")
    assert not app.get("bidi_component") or not shown_heads(app), "nothing is measured unasked"
    app.session_state["heads_open"] = True
    (found,) = shown_heads(app.run())
    changes = [one["change"] for one in found["heads"]]
    assert sorted(one["head"] for one in found["heads"]) == [0, 1, 2, 3] and found["chosen"] == 2
    assert changes == sorted(changes, reverse=True) and changes[0] == 1
    assert found["scale"] == ("signed" if kind == "scores" else "share")
    off = json.dumps([["head", "blocks.1.attn.pattern", found["heads"][0]["head"]]])
    without = scene(open_page(model="names", step="probabilities", edits=off))["picture"]["rows"]
    best = re.search(r"‹(.)› follows", found["said"])
    assert best
    (left,) = [row["p"] for row in without if row["text"] == best[1]]
    assert ENGLISH.percent(left) == found["heads"][0]["without"], "the number is that of the page's own switch"
    app = open_page(model="names", step=f"blocks.1.attn.{address}", head="2", edits=off)
    app.session_state["heads_open"] = True
    (again,) = shown_heads(app.run())
    assert again["said"] == found["said"], "a head that is off is measured too"
    assert [one["without"] for one in again["heads"]] == [one["without"] for one in found["heads"]]


def shown_heads(app: AppTest) -> list[dict[str, Any]]:
    drawn = [json.loads(one.proto.json)[0] for one in app.get("bidi_component")]
    return [one for one in drawn if "heads" in one and "said" in one]


def test_ids_are_drawn_as_names_and_amounts_as_amounts(open_page: Open) -> None:
    drawn = scene(open_page(model="names", step="tok", by="op"))["picture"]["panels"]
    assert {panel["name"]: panel["scale"] for panel in drawn} == {"ids": "name", "weight": "signed", "tok": "signed"}


def test_a_cell_beyond_its_tensor_is_said(open_page: Open) -> None:
    app = open_page(model="pokemon", cell=json.dumps(["logits", [0, 99, 0]]))
    assert any("logits" in info.value for info in app.info)


def test_a_pinned_cell_says_what_it_was_before_the_edit(open_page: Open) -> None:
    cell = ["logits", [0, 3, 2]]
    before = scene(open_page(model="pokemon", step="logits", cell=json.dumps(cell)))["inspector"]
    edits = json.dumps([["blocks.0.attn.pattern", [0, 0, 3, 1], 3.0]])
    after = scene(open_page(model="pokemon", step="logits", cell=json.dumps(cell), edits=edits))["inspector"]
    assert before["other"] is None
    assert after["other"] == before["value"] != after["value"]


def test_a_row_changed_by_hand_is_not_said_to_add_up_to_one(open_page: Open) -> None:
    edits = json.dumps([["blocks.0.attn.pattern", [0, 0, 3, 1], 5.0]])
    said = scene(open_page(model="pokemon", step="blocks.0.attn.pattern", edits=edits))["say"]["text"]
    assert "by hand" in said and "%" not in said


@pytest.mark.parametrize(("target", "said"), [("xyzzy", "Only x is judged"), ("é", "no token for é")])
def test_what_became_of_the_text_that_came_next_is_said(open_page: Open, target: str, said: str) -> None:
    assert any(said in caption.value for caption in open_page(model="pokemon", target=target).caption)


def test_an_edit_that_no_step_has_can_be_forgotten(open_page: Open) -> None:
    app = open_page(model="pokemon", edits=json.dumps([["no.such.step", [0, 0], 1.0]]))
    assert app.error and not app.exception
    app.button(key="no_edits").click().run()
    assert not app.error and not app.exception


def test_gradients_are_shown_where_there_is_a_loss(open_page: Open) -> None:
    shown = scene(open_page(model="pokemon", step="blocks.0.x_out", grad="true"))
    assert shown["bar"]["grad"] and any(float(panel["peak"]) > 0 for panel in shown["picture"]["panels"])
    assert "how fast the loss grows" in shown["say"]["text"]


def test_at_the_loss_nothing_is_said_to_react_most_to_itself(open_page: Open) -> None:
    said = scene(open_page(model="names", prompt=".mar", step="loss", target="y", grad="true"))["say"]["text"]
    assert "begins here" in said and "1.0000" not in said


def test_a_hidden_score_says_that_it_is_hidden(open_page: Open) -> None:
    cell = json.dumps(["blocks.0.attn.masked", [0, 0, 0, 2]])
    (found,) = scene(open_page(model="names", prompt=".mar", step="blocks.0.attn.masked", cell=cell))["inspector"][
        "lines"
    ]
    told = "".join(piece.get("text", piece.get("shown", "")) for piece in found["pieces"])
    assert told == "mask: 1 → −∞" and found["say"].startswith("What the mask hides becomes −∞")


def test_the_temperature_reaches_the_probabilities(open_page: Open) -> None:
    cold, warm = (
        scene(open_page(model="names", step="readout.probs", temperature=t))["picture"]["rows"] for t in ("0.5", "2.0")
    )
    assert cold[0]["p"] > warm[0]["p"]
    assert math.isclose(cold[0]["scaled"], cold[0]["logit"] / 0.5, rel_tol=1e-5)


def test_the_list_of_all_tensors_has_every_step(open_page: Open) -> None:
    app = open_page(model="small-ever")
    checkpoint = lmviz.load(ROOT / "sample_models/small-ever")
    trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode("Clem").ids_tensor)
    app.session_state["ledger_open"] = True
    app.run()
    assert not app.exception
    listed = list(app.dataframe[0].value["address"])
    assert [address for address in listed if address in trace] == [step.address for step in trace]


@pytest.mark.parametrize("model", SAMPLES)
def test_the_arithmetic_of_a_score_leaves_out_a_mask_that_changes_nothing(open_page: Open, model: str) -> None:
    cell = json.dumps(["blocks.0.attn.masked", [0, 0, 0, 0]])
    lines = scene(open_page(model=model, step="blocks.0.attn.masked", cell=cell))["inspector"]["lines"]
    texts = [piece.get("text", "") for line in lines for piece in line["pieces"]]
    assert lines and not any("not" in words for words in texts)


def test_the_card_opens_in_the_readers_language(open_page: Open) -> None:
    app = open_page(model="pokemon", lang="fr")
    assert not any("Le mini-LLM" in element.value for element in app.markdown)
    app.session_state["card_open"] = True
    app.run()
    assert any("Le mini-LLM" in element.value for element in app.markdown)
