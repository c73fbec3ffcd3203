"""The debugging page, in both languages: pitfalls, doctor, bug lab, game and exercises."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.debug.bugs.catalogue import BUGS
from lmviz.debug.doctor import CHECKS
from lmviz.debug.doctor.curves import RULES
from lmviz.debug.exercises.pitfalls import ASKED
from lmviz.debug.exercises.stages import questions
from lmviz.debug.game import LEVELS
from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.registry.kinds import read_reference
from lmviz.registry.recording import Request
from lmviz.registry.run import RunStep
from lmviz.services.services import Services
from lmviz.train.texts import preset
from lmviz.ui.text import LANGUAGES, Translator
from tests.conftest import ROOT
from tests.pages.conftest import Open, cells_of, complaints, go, picture, scene
from tests.waiting import until
from tests.words import ENGLISH, FRENCH

OURS = r"\b(doctor|bug|lab|game|pitfall|memory|exercise|tips|debug|cure|answer)\.[a-z_]+"
PLACES = [
    {},
    {"family": "memory"},
    {"family": "poor_predictions"},
    {"family": "tips"},
    {"section": "doctor"},
    {"section": "doctor", "way": "run"},
    {"section": "doctor", "way": "log"},
    {"section": "lab"},
    {"section": "game"},
    {"section": "exercises"},
]


def words(app: AppTest) -> str:
    elements = (*app.markdown, *app.caption, *app.success, *app.info, *app.radio, *app.button, *app.selectbox)
    return "\n".join(str(getattr(element, "value", "")) + str(getattr(element, "label", "")) for element in elements)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: "-".join(place.values()) or "first")
def test_every_section_opens_in_both_languages(open_on: Open, place: dict[str, str], lang: str) -> None:
    app = open_on("debugging", lang=lang, **place)
    assert not complaints(app)
    assert not re.findall(OURS, words(app))
    assert app.segmented_control


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_check_bug_and_pitfall_has_its_words(lang: str) -> None:
    for check in (*CHECKS, *RULES, "known_tokens", "beats_counting", "sampling"):
        for part in ("title", "failed", "measured", "means", "mend"):
            assert Translator(lang).has(f"doctor.{check}.{part}"), f"{check}.{part}"
    for bug in BUGS:
        assert Translator(lang).has(f"bug.{bug}") and Translator(lang).has(f"bug.{bug}.tell")
    for name, pitfall in PITFALLS.items():
        for part in ("", ".setup", ".symptom", ".why", ".ask"):
            assert Translator(lang).has(f"pitfall.{name}{part}")
        assert all(Translator(lang).has(f"cure.{cure}") for cure, _ in pitfall.cures)
        assert all(Translator(lang).has(f"answer.{option}") for option in ASKED[name].options)
    sources = "".join(path.read_text() for path in (ROOT / "lmviz/debug").rglob("*.py"))
    for why in {*re.findall(r'not_measured\("\w+", "(\w+)"', sources), "does_not_run"}:
        assert Translator(lang).has(f"doctor.why_not.{why}"), why


@pytest.mark.nightly
def test_a_pitfall_goes_wrong_and_is_cured(open_on: Open) -> None:
    app = open_on("debugging", pitfall="rate_too_low")
    app.radio(key="predict.rate_too_low").set_value("still").run()
    app.button(key="pitfall.sick").click().run()
    assert app.query_params["ran"] in ("true", ["true"])
    assert any(ENGLISH("answer.still") in element.value for element in app.success)
    assert ENGLISH("doctor.falls.failed") in words(app)
    assert "the mean of its last steps" in words(app)  # and no other of the losses at the end
    app.button(key="pitfall.cure.rate").click().run()
    assert not complaints(app)
    assert ENGLISH("cure.rate", rate="0.001") in words(app)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_what_a_pitfall_does_is_told_only_once_it_has_run(open_on: Open, lang: str) -> None:
    """Neither a symptom nor a curve stands by the question that asks for it."""
    t = Translator(lang)
    for name in PITFALLS:
        app = open_on("debugging", pitfall=name, lang=lang)
        said = words(app)
        assert not complaints(app) and not app.get("vega_lite_chart")
        assert t(f"pitfall.{name}.ask") in app.radio(key=f"predict.{name}").label
        assert t.texts("pitfall.")[f"pitfall.{name}.setup"].partition("{")[0] in said
        assert t(f"pitfall.{name}.symptom") not in said.replace("`", "")
        assert all(app.button(key=f"pitfall.cure.{cure}").disabled for cure, _ in PITFALLS[name].cures)


@pytest.mark.nightly
def test_a_wrong_prediction_is_told_what_happened(open_on: Open) -> None:
    app = open_on("debugging", pitfall="not_shifted")
    app.radio(key="predict.not_shifted").set_value("names").run()
    app.button(key="pitfall.sick").click().run()
    assert any(ENGLISH("answer.the_same_token") in element.value for element in app.info)


@pytest.mark.nightly
def test_the_doctor_examines_a_model_with_a_bug_in_it(open_on: Open) -> None:
    app = open_on("debugging", section="doctor", model="bug/no_mask@simple-llm")
    assert not complaints(app)
    assert ENGLISH("doctor.causality.failed") in words(app)


def test_a_folder_that_is_not_there_is_told_in_a_sentence(open_on: Open) -> None:
    app = open_on("debugging", section="doctor", model=str(ROOT / "nowhere"), lang="fr")
    assert not app.exception
    assert "Il n’y a pas de dossier" in app.error[0].value


@pytest.mark.parametrize(
    "model", ["bug/{x}@names", "bug/{@names", "bug/nosuch@names", "moment/race!1@bug/{x}@names", "moment/pitfall!1@{x}"]
)
def test_a_name_in_a_link_is_never_taken_for_a_sentence(open_on: Open, model: str) -> None:
    app = open_on("debugging", section="doctor", way="model", model=model)
    assert not app.exception and app.error


@pytest.mark.nightly
@pytest.mark.parametrize(("temperature", "alarm"), [("0.8", False), ("0", True), ("100", True)])
def test_a_temperature_that_leaves_no_choice_or_only_noise_is_told(
    open_on: Open, temperature: str, alarm: bool
) -> None:
    app = open_on("debugging", section="doctor", model="names", temperature=temperature)
    assert not app.exception
    assert (ENGLISH("doctor.sampling.failed") in words(app)) is alarm


@pytest.mark.nightly
def test_a_training_is_examined_while_it_goes_on_and_an_alarm_opens_its_step(open_on: Open) -> None:
    services, plan = Services(), preset("pokemon")
    fast = services.training.train(
        replace(plan, training=replace(plan.training, steps=60, learning_rate=3.0)), "too fast"
    )
    slow = services.training.train(replace(plan, training=replace(plan.training, steps=100_000)), "slow")
    try:
        until(lambda: services.models.runs.get(fast).state == "done" and services.models.runs.get(slow).step >= 10)
        app = open_on("debugging", section="doctor", way="run", run=slow)
        assert not complaints(app)
        assert re.search(r"Still training: step [\d,]+ of 100,000", words(app))
        assert ENGLISH("doctor.the_model") not in words(app)
        services.models.runs.stop(slow)
        until(lambda: services.models.runs.get(slow).state not in ("queued", "running"))
        app.run()
        assert not app.exception and not app.error
        assert "Still training" not in words(app)
        assert ENGLISH("doctor.the_model") in words(app)
        go(app, run=fast)
        assert not app.exception and not app.error
        assert ENGLISH("doctor.falls.failed.rises") in words(app)
        assert ENGLISH("doctor.beats_counting.failed.worse_than_chance") in words(app)
        (link,) = {link.proto.query_string for link in app.get("page_link") if "60" in link.proto.label}
        assert f"runs%2F{fast}%2160.0" in link and "step=loss" in link
        assert services.models.record(Request(RunStep(fast, 60), "")).trace.loss == pytest.approx(
            services.models.runs.series(fast, "loss").numbers[-1]
        )
    finally:
        services.models.runs.close()
        for run in (fast, slow):
            services.models.runs.delete(run)


def test_a_step_of_a_race_opens_in_the_step_through_with_both_trainings(open_page: Open) -> None:
    names = {kind: f"moment/race!2.0@{kind}/zero_grad_missing@simple-llm" for kind in ("cured", "bug")}
    app = open_page(model=names["cured"], b_model=names["bug"], step="pos", by="op", grad="true",
                    cell='["pos_embed.weight",[0,20]]')  # fmt: skip
    assert not complaints(app)
    drawn = scene(app)
    assert "zero_grad is missing · training step 2" in drawn["compared"]
    assert drawn["inspector"]["agrees"]
    assert abs(drawn["inspector"]["other"] - drawn["inspector"]["value"]) > 0.1
    app = open_page(model=names["bug"], step="pos", by="op", grad="true", cell='["pos_embed.weight",[0,20]]')
    assert not scene(app)["inspector"]["agrees"]  # what the weight holds is more than this step's gradient


def test_predictions_are_shown_after_any_token(open_on: Open) -> None:
    app = open_on("debugging", family="tips", model="names", prompt=".marianne", pos="1")
    assert not complaints(app)
    run = Services().models.record(Request(read_reference("names"), ".marianne"))
    likeliest = int(run.trace["readout.probs"].outputs[0].array[0, 1].argmax())
    boxes = picture(app, "tips.positions")
    assert (len(boxes["pieces"]), boxes["chosen"]) == (len(run.tokens), 1)
    assert any(f"`{run.piece(likeliest)}`" in one.proto.text for one in app.get("progress"))


def test_a_pasted_log_is_read_and_diagnosed(open_on: Open) -> None:
    app = open_on("debugging", section="doctor", way="log")
    log = "\n".join(f"step {step}: loss {3 - step / 100 if step < 60 else 9}" for step in range(100))
    app.text_area(key="debug.log").set_value(log).run()
    assert not complaints(app)
    assert "100 lines read" in words(app)
    assert ENGLISH("doctor.stays_down.failed") in words(app)
    app.text_area(key="debug.log").set_value("nothing <b>to</b> see").run()
    assert not app.exception
    assert "No line of this log has a loss" in app.warning[0].value


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_log_with_headings_that_say_nothing_is_read_as_the_reader_says(open_on: Open, lang: str) -> None:
    app = open_on("debugging", section="doctor", way="log", lang=lang)
    rows = "\n".join(f"{i},{3 - i / 100},{i % 7}" for i in range(60))
    app.text_area(key="debug.log").set_value(f"<b>a</b>,b,c\n{rows}").run()
    assert not app.exception
    assert "b" in app.warning[0].value and not app.get("vega_lite_chart")
    app.selectbox(key="log.role.b").set_value("loss").run()
    assert not complaints(app)
    assert app.get("vega_lite_chart")
    assert Translator(lang)("doctor.log.axis.count") in words(app)
    app.selectbox(key="log.role.<b>a</b>").set_value("step").run()
    assert Translator(lang)("doctor.log.axis.step") in words(app)
    app.text_area(key="debug.log").set_value("step,b\n1,5\n2,4").run()  # another log: nothing of it is chosen
    assert app.warning


def test_what_is_only_guessed_is_said(open_on: Open) -> None:
    app = open_on("debugging", section="doctor", way="log")
    app.text_area(key="debug.log").set_value("\n".join(f"{i} {3 - i / 100}" for i in range(60))).run()
    assert not complaints(app)
    assert "column 2 is the loss of the training" in app.info[0].value


@pytest.mark.sampled(4)
@pytest.mark.parametrize("bug", ["heads_not_transposed", "zero_grad_missing", "k_and_v_swapped", "untied"])
def test_a_bug_is_shown_with_its_edit_its_effect_and_its_verdict(open_on: Open, bug: str) -> None:
    app = open_on("debugging", section="lab", bug=bug)
    assert not complaints(app)
    edit = " ".join(element.proto.body for element in app.get("html"))
    assert 'class="gone"' in edit or 'class="new"' in edit
    if BUGS[bug].seen_by:
        assert ENGLISH(f"doctor.{BUGS[bug].seen_by[0]}.failed") in words(app)
    else:
        assert ENGLISH("lab.invisible") in words(app)


def test_a_bug_without_a_place_in_a_model_says_so(open_on: Open) -> None:
    app = open_on("debugging", section="lab", bug="norm_axis", model="pokemon")
    assert not complaints(app)
    assert any(ENGLISH("lab.no_such_part") in element.value for element in app.info)


@pytest.mark.parametrize("place", [{"section": "lab", "bug": "nonsense"}, {"pitfall": "nonsense"}])
def test_a_name_that_nothing_has_is_left_out_of_a_link(open_on: Open, place: dict[str, str]) -> None:
    app = open_on("debugging", lang="fr", **place)
    assert not app.exception and not app.error
    assert FRENCH("note.link", parts=list(place)[-1]) in [element.value for element in app.info]


def test_a_link_to_a_pitfall_opens_its_family(open_on: Open) -> None:
    app = open_on("debugging", pitfall="too_little_training")
    assert not complaints(app)
    assert ENGLISH("pitfall.too_little_training.setup", steps=20) in words(app)


def test_tips_say_that_only_the_end_of_a_long_text_is_read(open_on: Open) -> None:
    app = open_on("debugging", family="tips", prompt="The " * 60)
    assert not app.exception
    assert any("60" in element.value for element in app.caption)


def test_healthy_and_broken_open_side_by_side_in_the_step_through(open_page: Open) -> None:
    app = open_page(model="simple-llm", b_model="bug/no_mask@simple-llm", step="blocks.0.attn.pattern")
    assert not complaints(app)
    drawn = scene(app)
    assert "simple-llm · No mask" in drawn["compared"]
    broken = open_page(model="bug/no_mask@simple-llm", step="blocks.0.attn.pattern")
    lines = "\n".join(line["text"] for line in scene(broken)["source"]["lines"])
    assert "masked = scores  #" in lines
    assert any(not check["holds"] for check in scene(broken)["strip"])


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("level", "shows"), [(1, True), (3, False)])
def test_a_puzzle_hides_its_source_and_at_level_3_what_must_hold(open_page: Open, level: int, shows: bool) -> None:
    app = open_page(model=f"puzzle/{level}-7", step="softmax")
    assert not complaints(app)
    drawn = scene(app)
    assert drawn["source"]["lines"] == []
    assert drawn["source"]["why"] == ENGLISH("game.hidden")
    assert bool(drawn["strip"]) is shows


def test_a_level_decides_by_its_own_rule_whether_a_puzzle_shows_what_must_hold(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LEVELS, 1, replace(LEVELS[1], invariants=False))
    assert not scene(open_page(model="puzzle/1-7", step="softmax"))["strip"]


@pytest.mark.nightly
@pytest.mark.parametrize("puzzle_first", [True, False])
def test_a_puzzle_cannot_be_compared_with_the_healthy_model(open_page: Open, puzzle_first: bool) -> None:
    healthy = Services().game.puzzle(7, 1).model
    a, b = ("puzzle/1-7", healthy) if puzzle_first else (healthy, "puzzle/1-7")
    app = open_page(model=a, b_model=b, step="blocks.0.attn.scores")
    assert not complaints(app)
    drawn = scene(app)
    assert drawn["compared"].startswith(f"B: {a}")
    (difference,) = [panel for panel in drawn["picture"]["panels"] if panel["mark"] == "A − B"]
    assert not cells_of(difference).any()


@pytest.mark.nightly
def test_a_puzzle_is_played_to_its_end(open_on: Open) -> None:
    one = Services().game.puzzle(5, 2)
    app = open_on("debugging", section="game", level="2", seed="5")
    app.button(key="game.ask").click().run()
    assert ENGLISH("game.probes", n=3) in words(app)
    for choose in (
        lambda: app.radio(key="bug.2.5").set_value(one.bug),
        lambda: app.selectbox(key="place.2.5").set_value(BUGS[one.bug].place),
    ):  # what is not complete is told, and does not count
        next(button for button in app.button if button.label == ENGLISH("game.answer")).click().run()
        assert [element.value for element in app.warning] == [ENGLISH("game.incomplete")]
        choose()
    next(button for button in app.button if button.label == ENGLISH("game.answer")).click().run()
    assert any("24 points" in element.value for element in app.success)
    assert ENGLISH(f"bug.{one.bug}.tell") in words(app)
    assert re.search(r"Points \*\*24\*\* · Streak \*\*1\*\*", words(app))
    app = open_on(
        "debugging", **{name: bar[0] if isinstance(bar, list) else bar for name, bar in app.query_params.items()}
    )
    assert any("24 points" in element.value for element in app.success)  # a reload keeps what was asked and answered
    assert re.search(r"Points \*\*24\*\* · Streak \*\*1\*\*", words(app))
    app.button(key="game.next").click().run()
    assert app.query_params["seed"] in ("6", ["6"])
    assert not complaints(app)


@pytest.mark.parametrize(
    "probes", ['["nosuch"]', "[999]", "[-1]", "[[1]]", "{", '["norm","norm","norm","norm","norm"]']
)
def test_probes_in_a_link_that_make_no_sense_are_left_out(open_on: Open, probes: str) -> None:
    app = open_on("debugging", section="game", level="2", seed="5", probes=probes)
    assert not app.exception and not app.error
    left = 0 if "norm" in probes else 4
    assert ENGLISH("game.probes", n=left) in words(app)


def test_the_doctor_does_not_give_a_puzzle_away(open_on: Open) -> None:
    app = open_on("debugging", section="doctor", model="puzzle/1-1", lang="fr")
    assert not app.exception
    assert "Ce modèle est une énigme" in app.error[0].value


def test_exercises_are_ticked_when_the_tensors_agree(open_on: Open) -> None:
    app = open_on("debugging", section="exercises", model="pokemon")
    run = Services().models.record(Request(read_reference("pokemon"), ".pik", "a"))
    pieces = tuple(run.piece(i) for i in range(27))
    found = questions(run.trace, run.tokens, pieces)
    first = next(question for question in found if question.about == "softmax")
    key = f"ask.pokemon|.pik|a|{first.name}.{first.about}"
    app.radio(key=key).set_value(first.answer).run()
    assert not complaints(app)
    assert ENGLISH("exercise.right") in words(app)
    assert re.search(r"check_circle", app.radio(key=key).label)
    second = next(question for question in found if question.about == "logits")
    key = f"ask.pokemon|.pik|a|{second.name}.{second.about}"
    app.radio(key=key).set_value((second.answer + 1) % len(second.options)).run()
    assert ENGLISH("exercise.wrong", answer="27") in words(app)


CHARTS = ({"family": "memory"}, {"section": "lab", "bug": "climbs", "model": "names"})


@pytest.mark.sampled(2)
@pytest.mark.parametrize("query", CHARTS, ids=lambda query: list(query.values())[-1])
def test_a_french_chart_has_french_numbers(open_on: Open, query: dict[str, str]) -> None:
    charts = open_on("debugging", lang="fr", **query).get("vega_lite_chart")
    assert charts
    for chart in charts:
        config = json.loads(chart.proto.spec)["config"]
        assert config["locale"]["number"]["decimal"] == ","
        assert config["axisQuantitative"]["labelLimit"] == 0, "no number of an axis is shortened"
