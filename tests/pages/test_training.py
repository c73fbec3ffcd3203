"""The training page: from the plan to a run that is done, its past, and one of its steps, in both languages."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from lmviz.registry.run import RunModel, RunStep
from lmviz.train import drafts
from lmviz.train.initial import build, config_of
from lmviz.train.recipe import Recipe
from lmviz.train.runs import Runs
from lmviz.train.store.series import Series, spread, thinned
from lmviz.train.texts import PRESETS, preset
from lmviz.train.work import trainer
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import LANGUAGES, Translator
from lmviz.ui.training import curves, model_card
from lmviz.ui.training.view import TrainingView
from lmviz.ui.training.watch import REDRAW_SECONDS
from tests.pages.conftest import Open, complaints, in_bar, picture, scene
from tests.waiting import rests, until, until_rests
from tests.words import ENGLISH


def html(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def panels_of(app: AppTest) -> list[dict[str, Any]]:
    """What the pictures of tensors on the page are drawn from."""
    shown = [json.loads(one.proto.json)[0] for one in app.get("bidi_component")]
    return [one for one in shown if "panels" in one]


def said(app: AppTest) -> str:
    return " ".join(element.value for element in (*app.markdown, *app.caption))


@pytest.fixture
def open_training(open_page: Open) -> Open:
    def open_at(**query: str) -> AppTest:
        app = open_page().switch_page("pages/training.py")
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return open_at


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """The same folder as the app's."""
    runs = Runs()
    yield runs
    runs.close()


def short(steps: int = 20) -> Recipe:
    recipe = preset("pokemon")
    return replace(recipe, training=replace(recipe.training, steps=steps))


@pytest.fixture(scope="module")
def trained(runs: Runs) -> str:
    """A short run that is done; tests that use it change nothing."""
    run = runs.start(short(), "Twenty")
    until_rests(runs, run)
    return run


def run_of(app: AppTest) -> str:
    return in_bar(app, "run")


# -- the plan --------------------------------------------------------------------------------------------------------


@pytest.mark.sampled(2)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_with_nothing_chosen_the_lessons_recipe_is_ready_and_one_press_trains_it(
    open_training: Open, runs: Runs, lang: str
) -> None:
    app = open_training(lang=lang)
    assert not complaints(app)
    assert total(app) == 2832
    inputs, targets = re.findall(r"<tr class=.*?</tr>", html(app))[2:4]
    cells = [re.findall(r"<td>(.)</td>", row) for row in (inputs, targets)]
    assert cells == [list(".bulbiza"), list("bulbizar")]
    app.button(key="go").click().run()
    run = run_of(app)
    until(lambda: (found := runs.get(run)).step > 0 and found.loss < found.facts["baselines"]["unigram"])
    if lang == "en":  # once to the end is enough, at night
        runs.stop(run)
    until_rests(runs, run)
    app.run()
    assert not complaints(app)
    assert runs.get(run).state == ("stopped" if lang == "en" else "done")
    spec = app.get("vega_lite_chart")[0].proto.spec
    assert json.dumps(Translator(lang)("train.chart.nats")) in json.dumps(json.loads(spec))
    assert Translator(lang).number(runs.get(run).loss, 3) in html(app)
    runs.delete(run)


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("data", PRESETS)
def test_every_text_can_be_planned_with(open_training: Open, data: str, lang: str) -> None:
    app = open_training(data=data, lang=lang)
    assert not complaints(app)
    for opened in ("data_more", "model_more", "training_more"):
        app.session_state[opened] = True
    app.run()
    assert not complaints(app)


@pytest.mark.nightly
@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", ["characters", "words", "bpe"])
@pytest.mark.parametrize("data", [*PRESETS, "pomme", "le chat dort", "a\nb\n", "été 😀\n日本"])
def test_every_text_trains_with_every_tokenizer_that_is_offered(
    open_training: Open, runs: Runs, data: str, kind: str
) -> None:
    """Nothing is missing that only a recipe by hand could add."""
    own = {} if data in PRESETS else {"data": "own", "own": runs.keep_text(data)}
    app = open_training(**({"data": data} | own))
    app.segmented_control(key="recipe tokenizer.kind").set_value(kind).run()
    assert not complaints(app)
    assert not app.button(key="go").disabled


def test_what_cannot_be_trained_says_so_and_keeps_the_button(open_training: Open, runs: Runs) -> None:
    changes = {"training.batch_size": -1}
    app = open_training(changes=json.dumps(changes))
    assert len(complaints(app)) == 1
    assert app.button(key="go").disabled


@pytest.mark.nightly
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_loss_that_blew_up_is_in_sight_and_said_to_have_done_so(open_training: Open, runs: Runs, lang: str) -> None:
    recipe = short(40)
    run = runs.start(
        replace(recipe, training=replace(recipe.training, learning_rate=20.0, schedule="constant")), "Boom"
    )
    until_rests(runs, run)
    curve = runs.series(run, "loss", 10**6)
    losses = dict(zip_of(curve))
    app = open_training(run=run, lang=lang)
    spec = json.dumps(json.loads(app.get("vega_lite_chart")[0].proto.spec))
    top = max(json.loads(re.search(r'"domain": (\[[^\]]*\]), "nice": false, "type": "log"', spec).group(1)))
    assert top >= max(losses.values()) > 8 * runs.get(run).facts["baselines"]["uniform"]
    limit = 2 * max(losses[1], runs.get(run).facts["baselines"]["uniform"])
    step = min(step for step, loss in losses.items() if loss > limit)
    assert re.search(rf"(step|itération) {step}\b", said(app))
    app.toggle[0].set_value(False).run()
    assert '"type": "log"' not in json.dumps(json.loads(app.get("vega_lite_chart")[0].proto.spec))
    runs.delete(run)


@pytest.mark.parametrize("log_steps", [True, False])
def test_the_label_of_a_line_strikes_no_curve_no_line_and_no_label(log_steps: bool) -> None:
    lesson = {"uniform": 3.3, "unigram": 2.92, "bigram": 1.72, "floor": 0.34}
    falling = [(step, 0.34 + 2.96 * math.exp(-step / 25)) for step in range(1, 1501)]
    exploded = [(step, 3.3 if step == 1 else 1e5) for step in range(1, 1501)]
    close = {"uniform": 3.3, "unigram": 2.8, "bigram": 2.33, "floor": 2.3}
    slow = [(step, 2.1 + 1.2 * math.exp(-step / 300)) for step in range(1, 1501)]
    for lines, points, nats, least in (
        (lesson, falling, (0.0, 3.8), {*lesson}),
        (lesson, exploded, (0.2, 1e6), {"uniform"}),
        (close, slow, (0.0, 3.8), {"uniform"}),
        (lesson, [], (0.0, 3.8), {*lesson}),
    ):
        plot = curves.Plot(1500, nats, nats[1] > 100, log_steps)
        found = curves.labelled(lines, points, plot)
        assert found.keys() >= least
        middles = {
            name: plot.up(lines[name]) + (curves.LABEL if place.endswith("over") else -curves.LABEL) / 2
            for name, place in found.items()
        }
        for name, at in middles.items():
            side = found[name].partition(" ")[0]
            half = [one for one in points if (plot.across(one[0]) >= 0.5) == (side == "end")]
            struck = [*(nats for _, nats in half), *(line for other, line in lines.items() if other != name)]
            assert all(abs(at - plot.up(one)) >= curves.LABEL / 2 for one in struck), (name, found)
            beside = [other for key, other in middles.items() if key != name and found[key].startswith(side)]
            assert all(abs(at - other) >= curves.LABEL for other in beside), (name, found)


def test_a_run_s_first_steps_have_room_and_time_to_be_seen(open_training: Open, trained: str, runs: Runs) -> None:
    """Of a run of many steps the loss falls in the first few: half of the axis is theirs, and of the points."""
    many = replace(runs.get(trained), recipe=short(1500))
    assert curves.is_log_steps(TrainingView(), many) and not curves.is_log_steps(TrainingView(log_steps=False), many)
    spec = curves._loss_spec(ENGLISH, ("a",), ("train",), 1500, (0.0, 3.8), False, True, False, 1)
    (across,) = {json.dumps(layer["encoding"]["x"]["scale"]) for layer in spec["layer"]}
    assert json.loads(across) == {"type": "symlog", "constant": 1, "domain": [0, 1500], "nice": False}
    steps = np.arange(1, 1501)
    kept = thinned(steps, np.exp(-steps / 20.0), curves.POINTS).steps
    assert (kept <= 60).sum() >= 25 and len(kept) <= curves.POINTS
    app = open_training(run=trained, log_steps="true")
    assert '"symlog"' in app.get("vega_lite_chart")[0].proto.spec
    written = [int(step) for step in re.findall(r"<b>(\d+)</b>", html(app))]
    assert written == spread([20, 10, 5, 2, 1, 0], 5), "what it writes is told from the whole run"
    assert trainer.seen_after(60) - trainer.seen_after(0) > 4 * REDRAW_SECONDS, "the fall is seen in several pictures"


@pytest.mark.parametrize(("lang", "least"), [("en", "1e−5"), ("fr", "1e−5")])
def test_rates_are_written_without_empty_zeros(open_training: Open, lang: str, least: str) -> None:
    slider = next(one for one in open_training(lang=lang).select_slider if one.key.endswith("learning_rate"))
    assert slider.options[0] == least
    assert not any(re.search(r"[.,]\d*0($|e)", one) for one in slider.options)


def total(app: AppTest) -> int:
    return sum(map(math.prod, picture(app, "sizes")["parts"]))


def test_the_number_of_parameters_follows_the_sizes(open_training: Open) -> None:
    app = open_training()
    app.select_slider(key="recipe model.d_model").set_value(32).run()
    assert total(app) == 7168
    app.segmented_control(key="recipe model.architecture").set_value("gpt2").run()
    assert not complaints(app)
    assert total(app) != 7168
    assert json.loads(in_bar(app, "changes")) == {"model.architecture": "gpt2", "model.d_model": 32}


@pytest.mark.parametrize("architecture", ["mini_llm", "gpt2"])
@pytest.mark.parametrize("name", model_card.SIZES)
def test_each_place_of_a_slider_has_the_count_of_the_model_of_that_size(name: str, architecture: str) -> None:
    recipe = preset("pokemon")
    recipe = replace(recipe, model=replace(recipe.model, architecture=architecture))
    config = config_of(recipe.model, 26)
    for size in model_card.options(recipe, name):
        model = build(replace(recipe.model, **{name: size}), 26)
        counts = map(math.prod, model_card.shapes(model_card.with_size(config, name, size)))
        assert sum(counts) == sum(weight.numel() for weight in model.parameters())


def test_a_link_brings_back_the_plan_and_what_makes_no_sense_in_it_is_said(open_training: Open) -> None:
    app = open_training(data="names", changes='{"training.steps":70,"training.seed":4}')
    assert app.select_slider(key="recipe training.steps").value == 70
    for wrong in ('{"training.steps":"many"}', '{"data.texts":"x"}', '{"nothing.at_all":1}', '{"model.n_heads":3}'):
        app = open_training(changes=wrong)
        assert len(complaints(app)) == 1
        assert "Traceback" not in complaints(app)[0]
    app = open_training(changes="[1]", data="nobody")
    assert any("changes" in element.value for element in app.info)
    assert len(complaints(app)) == 1


def test_another_architecture_leaves_behind_the_settings_that_it_lacks(open_training: Open) -> None:
    for start in ({}, {"start": "pokemon"}):
        app = open_training(data="names", changes='{"model.architecture":"mini_llm","model.dropout":0.1}', **start)
        assert not complaints(app)
    app = open_training(data="names", changes='{"model.dropout":0.1}', start="pokemon")
    assert not complaints(app)


def test_ones_own_text_is_cut_and_trained(open_training: Open, runs: Runs) -> None:
    app = open_training(data="own")
    assert not complaints(app)  # nothing typed yet
    assert app.button(key="go").disabled and ENGLISH("train.waits") in " ".join(one.value for one in app.caption)
    app.text_area(key="own_text").set_value("le chat dort\nle chien dort\nla souris court\n" * 5).run()
    assert not complaints(app)
    assert "<td>·</td>" in html(app)
    app.select_slider(key="recipe training.steps").set_value(10).run()
    app.button(key="go").click().run()
    run = run_of(app)
    until_rests(runs, run)
    assert runs.get(run).state == "done"
    assert runs.recipe(run).data.texts[1] == "le chien dort"
    runs.delete(run)


def test_ones_own_text_is_there_after_a_reload_until_others_have_taken_its_place(
    open_training: Open, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_training(data="own")
    app.text_area(key="own_text").set_value("le chat dort\nle chien court").run()
    again = open_training(data="own", own=in_bar(app, "own"))  # a session that knows nothing of the first
    assert again.text_area(key="own_text").value == "le chat dort\nle chien court"
    assert again.button(key="go")
    monkeypatch.setattr(drafts, "MOST_KEPT", 2)
    for text_of_others in ("un", "deux"):
        runs.keep_text(text_of_others)
    assert len(list((runs.folder / drafts.FOLDER).iterdir())) == 2
    gone = open_training(data="own", own=in_bar(app, "own"))
    assert gone.text_area(key="own_text").value == ""
    assert complaints(gone) == [ENGLISH("The text of this link is not kept any more: paste it again.")]
    assert len(complaints(open_training(data="own", own="../runs.sqlite"))) == 1


def test_a_run_can_start_from_a_sample_model(open_training: Open, runs: Runs) -> None:
    app = open_training(data="pokemon", start="names", changes='{"training.steps":5}')
    assert not complaints(app)
    assert app.select_slider(key="recipe model.d_model").disabled
    app.button(key="go").click().run()
    run = run_of(app)
    until_rests(runs, run)
    assert (runs.get(run).state, runs.get(run).recipe.model.d_model) == ("done", 64)
    runs.delete(run)


# -- a run -----------------------------------------------------------------------------------------------------------


@pytest.mark.nightly
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("tab", ["", "curves", "time", "step", "compare", "export"])
def test_every_part_of_a_run_is_shown(open_training: Open, trained: str, tab: str, lang: str) -> None:
    app = open_training(run=trained, tab=tab, lang=lang)
    assert not complaints(app)
    assert "{" not in said(app)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("number_of_scene", range(1, 6))
def test_every_scene_of_a_step_is_shown(open_training: Open, trained: str, number_of_scene: int, lang: str) -> None:
    app = open_training(run=trained, tab="step", opened="7", scene=str(number_of_scene), lang=lang)
    assert not complaints(app)
    assert f"**{number_of_scene}.**" in said(app)


def test_the_loss_of_a_step_is_the_mean_of_what_is_written_and_the_one_reported(
    open_training: Open, runs: Runs, trained: str
) -> None:
    app = open_training(run=trained, tab="step", opened="7", scene="3")
    reported = runs.series(trained, "loss", steps=(7, 7)).numbers[0]
    assert said(app).count(f"**{reported:.6f}**") == 2
    for p, nats in re.findall(r"<td>([\d.]+)</td><td>−ln [\d.]+ = ([\d.]+)</td>", html(app)):
        assert float(nats) == pytest.approx(-math.log(float(p)), abs=2e-4 / float(p))


def test_the_mean_loss_of_a_step_says_that_it_is_of_the_whole_batch(open_page: Open, runs: Runs, trained: str) -> None:
    app = open_page(model=str(RunStep(trained, 7, 0)), step="loss")
    shown = scene(app)["picture"]
    assert shown["n_texts"] == runs.get(trained).facts["n_windows"] > 1
    rows = [float(row["nll"]) for row in shown["rows"] if row["target"] is not None]
    assert shown["mean"] == pytest.approx(dict(zip_of(runs.series(trained, "loss", 10**6)))[7], abs=1e-5)
    assert shown["mean"] != pytest.approx(sum(rows) / len(rows), abs=1e-3)


def zip_of(curve: Series) -> Iterator[tuple[int, float]]:
    return zip(curve.steps.tolist(), curve.numbers.tolist(), strict=True)


def test_the_update_of_a_weight_is_written_out_as_torch_made_it(open_training: Open, trained: str) -> None:
    cell = json.dumps(["blocks.0.attn.w_q.weight", [3, 4]])
    app = open_training(run=trained, tab="step", opened="7", scene="5", look="blocks.0.attn.w_q.weight", cell=cell)
    assert not complaints(app)
    worked = {line["symbol"]: line for line in picture(app, "update")["lines"]}
    assert worked["Δ"]["formula"] == "m̂ / (√(v̂) + ε)" and worked["Δ"]["uses"] == ["m̂", "v̂", "ε"]
    assert worked["w′"]["formula"] == "w − η × Δ"
    by_hand, by_torch = re.findall(r"<b>(−?0\.\d{7,})</b>", html(app))[-2:]
    assert by_hand == by_torch


def test_the_gradient_of_a_cell_is_written_out(open_training: Open, trained: str) -> None:
    cell = json.dumps(["blocks.0.x_mid", [3, 4]])
    app = open_training(run=trained, tab="step", opened="7", scene="4", look="blocks.0.x_mid", cell=cell)
    assert not complaints(app)
    assert r"\partial" in app.latex[0].value
    recorded = re.search(r"Recorded by torch: (\S+)", said(app))
    assert recorded is not None
    assert f"<b>{recorded[1]}</b>" in html(app)


def test_the_way_through_a_step_goes_backwards_through_every_tensor_that_has_a_gradient(
    open_training: Open, trained: str
) -> None:
    app = open_training(run=trained, tab="step", opened="7", scene="3")
    app.button(key="one_next").click().run()
    way = app.selectbox(key="step_stage").options
    assert re.match(r"1 · .* · loss\.loss$", way[0])
    assert re.match(r".* · x$", way[-1])
    assert (in_bar(app, "scene"), in_bar(app, "look")) == ("4", "loss.loss")
    app.button(key="one_next").click().run()
    assert way[1].endswith(f" · {in_bar(app, 'look')}")
    shown = [one["address"] for one in picture(app, "step_gradients")["panels"]]
    assert shown == ["value", "slope"]
    app = open_training(run=trained, tab="step", opened="7", scene="4", look="x")
    app.button(key="one_next").click().run()
    assert in_bar(app, "scene") == "5"
    assert app.button(key="one_next").disabled
    assert not complaints(app)


def test_the_whole_model_is_seen_as_it_learns(open_training: Open, trained: str, runs: Runs) -> None:
    """After the newest checkpoint, or the one that is looked at; where nobody sees it, nothing is recorded."""
    steps = [stop.step for stop in runs.stops(trained)]
    shares = {}
    for step in (-1, 0, steps[-1]):
        app = open_training(run=trained, step=str(step), map="mean" if step else "")
        assert not complaints(app)
        drawn = picture(app, "training_whole")
        assert drawn["times"] == {"steps": steps, "at": step if step >= 0 else steps[-1]} and not drawn["walked"]
        assert drawn["map"] == ("mean" if step else "")
        shares[step] = [part["shares"] for part in drawn["parts"]]
    assert shares[-1] == shares[steps[-1]] != shares[0]
    app = open_training(run=trained, tab="curves")
    assert not any(one.proto.component_name.endswith("whole_model") for one in app.get("bidi_component"))


def test_two_times_are_compared(open_training: Open, trained: str) -> None:
    app = open_training(run=trained, tab="time", step="20", b_step="0")
    assert not complaints(app)
    compared = [one["panels"] for one in panels_of(app)]
    assert [[panel["mark"] for panel in panels] for panels in compared] == [["A", "B", "A − B"]] * 2
    assert [{panel["name"] for panel in panels} for panels in compared] == [{"pattern"}, {"tok_embed.weight"}]
    assert [panel["scale"] for panel in compared[0]] == ["share", "share", "signed"]
    assert compared[1][0]["peak"] == compared[1][1]["peak"] != compared[1][2]["peak"]
    again = open_training(run=trained, tab="time", step="0", b_step="0").run()
    (same,) = [one["panels"] for one in panels_of(again) if one["panels"][0]["name"] == "tok_embed.weight"]
    assert same[0]["peak"] == compared[1][0]["peak"], "a scale over time"


@pytest.mark.nightly
def test_a_run_s_picture_keeps_its_scale_over_time(open_page: Open, trained: str, runs: Runs) -> None:
    for step in ("x", "blocks.0.attn.scores", "logits"):
        places = [scene(open_page(model=f"runs/{trained}@{stop.step}", step=step)) for stop in runs.stops(trained)]
        peaks = [{p["address"]: p["peak"] for p in place["picture"]["panels"]} for place in places]
        assert len(peaks) >= 2 and all(one == pytest.approx(peaks[0]) for one in peaks), step


@pytest.mark.nightly
def test_a_run_is_paused_stepped_resumed_renamed_and_deleted(open_training: Open, runs: Runs) -> None:
    run = runs.start(short(10**6), "Long")
    until(lambda: runs.get(run).step > 0)
    app = open_training(run=run)
    app.button(key="do pause").click().run()
    until_rests(runs, run)
    at = runs.get(run).step
    app.run().button(key="do single").click().run()
    until(lambda: runs.get(run).step == at + 1 and rests(runs, run))
    app.run().text_input(key="run_name").set_value("Mine").run()
    assert runs.get(run).name == "Mine"
    app.button(key="do resume").click().run()
    until(lambda: runs.get(run).step > at + 1)
    app.run().button(key="do stop").click().run()
    until_rests(runs, run)
    assert runs.get(run).state == "stopped"
    app.run().checkbox(key=f"sure {run}").check().run().button(key="do delete").click().run()
    assert run not in {one.id for one in runs.all()}
    assert not complaints(app)


def test_a_run_that_waits_says_its_place(open_training: Open, runs: Runs) -> None:
    busy = [runs.start(short(10**6), f"Busy {i}") for i in range(runs.limits.at_once)]
    until(lambda: all(runs.get(one).state == "running" for one in busy))
    waiting = [runs.start(short(), f"Waits {i}") for i in range(2)]
    app = open_training(run=waiting[1])
    assert ENGLISH("train.queued", place=2) in said(app)
    for one in (*busy, *waiting):
        runs.delete(one)
    assert not complaints(app)


def test_a_run_that_came_to_no_number_says_so_and_opens_the_step(open_training: Open, runs: Runs) -> None:
    recipe = short()
    wild = replace(recipe.training, optimizer="sgd", schedule="constant", learning_rate=1e38)
    run = runs.start(replace(recipe, training=wild), "Wild")
    until_rests(runs, run)
    step = runs.get(run).details["step"]
    app = open_training(run=run)
    assert len(app.error) == 1
    assert f"Step {step} gave a loss of" in app.error[0].value
    app.button(key="open_bad").click().run()
    assert not app.exception
    assert len(app.warning) == 1
    runs.delete(run)


def test_a_number_that_is_older_than_the_run_says_of_which_step_it_is(open_training: Open, runs: Runs) -> None:
    recipe = short(30)
    wild = replace(recipe.training, optimizer="sgd", schedule="constant", learning_rate=100.0)
    run = runs.start(replace(recipe, training=wild), "Wilder")
    until_rests(runs, run)
    measured = int(runs.series(run, "accuracy", 10).steps[-1])
    assert measured < runs.get(run).step
    assert f"Accuracy, step {measured}" in html(open_training(run=run))
    runs.delete(run)


def test_a_link_to_a_run_that_is_gone_opens_a_plan(open_training: Open) -> None:
    app = open_training(run="0123456789ab", tab="step")
    assert not complaints(app)
    assert [element.value for element in app.info] == [ENGLISH("train.gone")]
    assert app.button(key="go")


def test_a_new_training_starts_from_a_checkpoint(open_training: Open, runs: Runs, trained: str) -> None:
    app = open_training(run=trained, tab="export", step="10")
    app.button(key="start_here").click().run()
    assert not complaints(app)
    assert in_bar(app, "start") == str(RunModel(trained, 10))
    app.button(key="go").click().run()
    run = run_of(app)
    until_rests(runs, run)
    first, before = runs.model_at(run, 0).model, runs.model_at(trained, 10).model
    assert all(bool((a == b).all()) for a, b in zip(first.parameters(), before.parameters(), strict=True))
    runs.delete(run)


def test_duplicating_takes_the_recipe_into_a_plan(open_training: Open, trained: str) -> None:
    app = open_training(run=trained)
    app.button(key="do duplicate").click().run()
    assert not complaints(app)
    assert app.select_slider(key="recipe training.steps").value == 20


# -- in the step-through ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_step_through_moves_through_the_checkpoints_of_a_run(open_page: Open, trained: str, lang: str) -> None:
    app = open_page(model=str(RunModel(trained, 5)), step="blocks.0.attn.pattern", lang=lang)
    assert not complaints(app)
    first = scene(app)["picture"]["panels"]
    app.select_slider(key="time").set_value(20).run()
    assert not complaints(app)
    assert in_bar(app, "model") == str(RunModel(trained, 20))
    assert [one["address"] for one in scene(app)["picture"]["panels"]] == [one["address"] for one in first]
    assert scene(app)["picture"]["panels"] != first


def test_a_training_step_opens_in_the_step_through(open_page: Open, trained: str) -> None:
    app = open_page(model=str(RunStep(trained, 7, 3)), step="loss")
    assert not complaints(app)
    assert len(scene(app)["picture"]["rows"]) == 8
    assert scene(app)["tokens"][0]["text"] == "u"
    assert str(StepThroughView().model) == "small-ever"
    assert TrainingView().data == "pokemon"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_store_that_cannot_be_read_is_a_sentence_and_not_a_traceback(
    open_training: Open, trained: str, runs: Runs, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    from lmviz.train.store import database

    app = open_training(run=trained, lang=lang)
    with runs._database.connected() as lock, monkeypatch.context() as patch:
        patch.setattr(database, "PATIENCE", 0.01)
        lock.execute("BEGIN EXCLUSIVE")
        app.run()
        app.text_input(key="run_name").set_value("Other").run()
        lock.execute("ROLLBACK")
    assert not app.exception
    assert runs.get(trained).name == "Twenty"
    monkeypatch.setattr(Runs, "all", _full)
    app.run()
    assert not app.exception
    assert len(app.error) == 1


def _full(self: Runs) -> tuple[()]:
    """A disk without room, as the system says it."""
    import errno

    from lmviz.train.store.files import sentences

    with sentences(self.folder):
        raise OSError(errno.ENOSPC, "No space left on device")
