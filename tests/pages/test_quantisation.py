"""The page of quantisation: every section in both languages, and that what it shows was measured."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import lmviz
from lmviz.quantise.models import quantise_model
from lmviz.quantise.quantised import quantise
from lmviz.quantise.round_trip import float_bits, work_out
from lmviz.quantise.scheme import Scheme
from lmviz.train.data import Windows, read_corpus
from lmviz.train.effect import effect
from lmviz.train.loop import mean_loss
from lmviz.train.recipe import read_recipe
from lmviz.train.runs import Runs
from lmviz.ui.quantisation.view import FORMATS, SECTIONS
from lmviz.ui.text import LANGUAGES
from tests.conftest import ROOT
from tests.pages.conftest import Open, cells_of, charted, complaints, go, picture, settled, written
from tests.words import ENGLISH
from tests.written import holds, lines_in
from tests.written import number as value_of

NAMES = ROOT / "sample_models/names"
WEIGHT = "blocks.1.mlp.w_in.weight"
BOUND = "lmviz.ui.quantisation.view."


@pytest.fixture(scope="module")
def held_out() -> Windows:
    found = read_corpus(read_recipe(NAMES / "recipe.toml"), NAMES).held_out
    assert found is not None
    return found


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_opens_in_every_language(open_on: Open, section: str, lang: str) -> None:
    app = open_on("quantisation", section=section, lang=lang, model="pokemon")
    assert not complaints(app)
    assert "quantisation." not in written(app)
    assert "<table" in written(app)


@pytest.mark.parametrize("symmetric", ["true", "false"])
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
def test_one_weight_is_worked_out(open_on: Open, granularity: str, symmetric: str) -> None:
    app = open_on(
        "quantisation",
        weight=WEIGHT,
        cell="[3,5]",
        granularity=granularity,
        symmetric=symmetric,
        keep="0.5",
        group="16",
    )
    assert not complaints(app)
    weight = lmviz.load(NAMES).model.get_parameter(WEIGHT)
    scheme = Scheme("int4", symmetric == "true", granularity, 16 if granularity == "group" else 32, 0.5)
    expected = quantise(weight, scheme)
    original, codes, errors = (cells_of(panel) for panel in picture(app, "weight")["panels"])
    assert expected.codes is not None
    assert np.array_equal(original, weight.detach().numpy()[:64, :64])
    assert np.array_equal(codes, expected.codes.numpy()[:64, :64])
    assert errors[3, 5] == pytest.approx(float(expected.error[3, 5] / expected.steps()[3, 5]))
    working, shown = work_out(expected, (3, 5)), written(app)
    for value in (working.weight, working.scale, working.restored, working.error):
        assert f"<b>{ENGLISH.number(value, 4)}</b>" in shown
    lines = lines_in(shown)
    assert len(lines) == 5
    assert all(holds(line, "en") for line in lines), lines
    assert f"<b>{str(working.code).replace('-', '−')}</b>" in shown
    assert sum(row["n"] for row in charted(app, 0)) == weight.numel()


def test_the_bits_of_a_weight(open_on: Open) -> None:
    app = open_on("quantisation", weight=WEIGHT, cell="[3,5]", format="bf16")
    value = float(lmviz.load(NAMES).model.get_parameter(WEIGHT).detach()[3, 5])
    for name in ("fp32", "fp16", "bf16"):
        bits = float_bits(value, name)
        assert f'<span class="exponent">{bits.exponent}</span><span class="fraction">{bits.fraction}<' in written(app)


@pytest.mark.nightly
def test_names_in_4_bits_costs_what_the_engine_measures(open_on: Open, held_out: Windows) -> None:
    app = open_on("quantisation", section="model", model="names")
    checkpoint = lmviz.load(NAMES)
    quantised = quantise_model(checkpoint, Scheme("int4"))
    found = effect(checkpoint, quantised.checkpoint, held_out)
    shown = written(app)
    assert f"from {ENGLISH.number(found.loss_before, 4)} to **{ENGLISH.number(found.loss_after, 4)}**" in shown
    cost = re.search(r"\+(\d\.\d+)", shown)
    assert cost is not None and float(cost[1]) == pytest.approx(found.cost, abs=5e-5)
    assert f"{quantised.measured_bytes():,}" in shown
    sizes = {row["name"]: row["bytes"] for row in charted(app, 0)}
    assert sizes == {name.upper(): quantise_model(checkpoint, Scheme(name)).measured_bytes() for name in FORMATS}
    before, after, change = cells_of(picture(app, "logits")["panels"][0])
    ids = checkpoint.tokenizer.encode(".mar").ids_tensor
    with torch.no_grad():
        logits = quantised.checkpoint.model(ids)[0, -1]
        best = checkpoint.model(ids)[0, -1].argsort(descending=True)
    assert after == pytest.approx(logits[best].numpy(), abs=1e-5)
    assert before[0] == before.max() and change == pytest.approx(after - before, abs=1e-5)
    app = go(app, section="model", model="names", format="int4", logit="[1,2]")
    assert not complaints(app)
    lines = lines_in(written(app))
    assert [value_of(line.split()[-1]) for line in lines] == pytest.approx([before[2], after[2], change[2]], abs=2e-3)
    assert all(holds(line, "en") for line in lines), lines


def test_another_text_is_measured_instead(open_on: Open) -> None:
    app = open_on("quantisation", section="model", model="names", text=".maria.john.")
    assert "Measured on your text. Tokens to predict: 11" in written(app)


@pytest.mark.nightly
def test_a_text_of_one_token_has_no_loss_and_can_be_typed_on(open_on: Open) -> None:
    for section in ("model", "calibration", "aware"):
        app = open_on("quantisation", section=section, model="names", text="a")
        assert "two tokens or more; this one has 1" in app.error[0].value and not app.exception
        app.text_area(key=f"{BOUND}text").set_value(".ana.").run()
        assert not complaints(app) and "Tokens to predict: 4" in written(app), section


@pytest.mark.nightly
def test_a_model_that_does_not_say_what_it_learned_from_asks_for_a_text(
    open_on: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        shutil.copy(ROOT / "sample_models/pokemon" / name, tmp_path)
    for section in ("model", "calibration", "aware"):
        app = open_on("quantisation", section=section, model=str(tmp_path))
        assert not complaints(app) and "which texts it learned from" in app.info[0].value
        app.text_area(key=f"{BOUND}text").set_value(".mew.\n.pikachu.").run()
        assert not complaints(app) and "Tokens to predict: 13" in written(app), section


def test_calibration_shows_the_ranges_that_were_measured(open_on: Open) -> None:
    from lmviz.quantise.calibration import calibrate

    app = open_on("quantisation", section="calibration", model="pokemon", calibration=".pikachu.\n.mew.")
    ranges = calibrate(lmviz.load(ROOT / "sample_models/pokemon"), [".pikachu.", ".mew."])
    shown = {row["name"]: (row["low"], row["high"]) for row in charted(app, 0)}
    assert shown == {name: pytest.approx((one.low, one.high)) for name, one in ranges.items()}
    whole = written(app)
    app = go(app, section="calibration", model="pokemon", calibration=".pikachu.\n.mew.", outer="0.1")
    assert written(app) != whole and not complaints(app)


@pytest.mark.nightly
def test_training_for_it_beats_rounding_afterwards_at_the_same_size_and_as_many_steps(open_on: Open) -> None:
    app = open_on("quantisation", section="aware", model="pokemon", steps="40", rate="0.005")
    assert [row[0] for row in table(app)] == ["FP32", "rounded to INT4 (PTQ)"]
    (train,) = [button for button in app.button if button.label == "Train"]
    app = settled(train.click().run())
    assert not complaints(app)
    fp32, rounded, longer, longer_rounded, trained = table(app)
    assert trained[0] == "trained for INT4 (QAT)"
    assert trained[1] == longer_rounded[1] == rounded[1] != longer[1] == fp32[1]
    assert float(trained[2]) < float(rounded[2]) and float(trained[2]) < float(longer_rounded[2])
    gain = float(rounded[2]) - float(trained[2])
    assert f"**{gain:.4f}**" in written(app) and f"loss of {rounded[2]}" in written(app)
    assert app.query_params["trains"] == "true"
    app.segmented_control(key=f"{BOUND}format").set_value("int8").run()
    assert "trains" not in app.query_params


@pytest.mark.nightly
def test_a_training_that_rounds_is_started_by_the_link_and_compared_with_its_twin(open_on: Open) -> None:
    app = open_on("quantisation", section="aware", model="pokemon", steps="40", rate="0.005", granularity="channel")
    (door,) = [link.proto.query_string for link in app.get("page_link") if "changes" in link.proto.query_string]
    app = go(app.switch_page("pages/training.py"), **dict(parse_qsl(door)))
    assert not complaints(app) and "learns with its matrices in INT4" in written(app)
    app.button(key="go").click().run()
    run = app.query_params["run"]
    runs = Runs()
    try:
        wait_for(runs, run)
        scheme = runs.get(run).recipe.quantisation
        assert (scheme.format, scheme.granularity, runs.get(run).steps) == ("int4", "channel", 40)
        app = go(app.switch_page("pages/quantisation.py"), section="aware", run=run)
        assert [row[0] for row in table(app)] == ["FP32", "rounded to INT4 (PTQ)", "trained for INT4 (QAT)"]
        (twin,) = [button for button in app.button if button.label == "Train it without rounding"]
        twin.click().run()
        wait_for(runs, runs.all()[0].id)
        app.run()
    finally:
        runs.close()
    assert not complaints(app)
    fp32, rounded, _, longer_rounded, trained = table(app)
    assert trained[1] == longer_rounded[1] == rounded[1] != fp32[1]
    checkpoint = quantise_model(runs.model_at(run, 40), Scheme("int4", granularity="channel")).checkpoint
    corpus = read_corpus(runs.recipe(run), ROOT, checkpoint.tokenizer)
    assert float(trained[2]) == pytest.approx(mean_loss(checkpoint.model, corpus.train), abs=1e-4)
    assert float(trained[2]) < float(longer_rounded[2])


def wait_for(runs: Runs, run: str) -> None:
    end = time.monotonic() + 120
    while runs.get(run).state != "done":
        assert time.monotonic() < end, runs.get(run)
        time.sleep(0.05)


def table(app: AppTest) -> list[list[str]]:
    """The rows of the comparison."""
    (body,) = [e.proto.body for e in app.get("html") if 'class="plain"' in e.proto.body]
    rows = body.split("<tbody>")[1].split("<tr")[1:]
    return [[cell.split("</td>")[0] for cell in row.split("<td>")[1:]] for row in rows]


@pytest.mark.nightly
@pytest.mark.parametrize(
    "query",
    [
        {"weight": "nowhere", "cell": "[999,999]"},
        {"model": "nowhere"},
        {"section": "model", "prompt": "!!!", "model": "pokemon"},
        {"section": "model", "prompt": "", "model": "pokemon"},
        {"section": "calibration", "calibration": "!!!", "model": "pokemon"},
        {"section": "aware", "format": "bf16", "model": "small-ever"},
        {"section": "aware", "model": "pokemon", "trains": "true", "text": "!"},
        {"format": "int3", "group": "7", "keep": "0", "steps": "9999", "section": "none", "cell": "[-1]"},
    ],
    ids=str,
)
def test_a_strange_link_is_no_crash(open_on: Open, query: dict[str, str]) -> None:
    assert not settled(open_on("quantisation", **query)).exception


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize(("section", "part", "written_as"), [("model", "temperature", "5"), ("aware", "rate", "0.1")])
def test_a_link_past_the_end_of_a_slider_is_left_out(open_on: Open, section: str, part: str, written_as: str) -> None:
    app = open_on("quantisation", section=section, **{part: written_as})
    assert not complaints(app)
    assert part in app.info[0].value and part not in app.query_params


@pytest.mark.parametrize("section", ["calibration", "aware"])
def test_a_format_that_a_section_lacks_is_said_to_have_changed(open_on: Open, section: str) -> None:
    app = open_on("quantisation", section=section, model="pokemon", format="fp16")
    assert any("FP16 became INT8" in caption.value for caption in app.caption)


def test_a_model_too_small_to_gain_says_why(open_on: Open) -> None:
    assert "too small to gain" in written(open_on("quantisation", section="model", model="small-ever"))
    assert "too small to gain" not in written(open_on("quantisation", section="model", model="pokemon"))
