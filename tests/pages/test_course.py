"""The course, page by page: its overview, the bar that follows, the questions, the hand-out, and what it remembers."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.lessons.folders import FOLDER
from lmviz.lessons.progress import Progress
from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from lmviz.ui.course import kept
from lmviz.ui.course.chapters import chapters, quiz
from lmviz.ui.depth import DEPTHS
from lmviz.ui.text import LANGUAGES, Language, Translator
from tests.pages.conftest import Open, complaints, errors, go, is_drawn, picture, scene, written
from tests.words import ENGLISH


def links(app: AppTest) -> dict[str, str]:
    """Where each link of the page leads, by what it says."""
    return {one.proto.label: one.proto.query_string for one in app.get("page_link")}


def address(app: AppTest, name: str) -> str:
    """A part of the address bar."""
    found = app.query_params[name]
    return found if isinstance(found, str) else str(found[0])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_overview_has_all_chapters_and_what_is_done(open_on: Open, lang: str) -> None:
    t = Translator(Language(lang))
    app = open_on("course", lang=lang)
    assert not complaints(app)
    read, _ = chapters(Language(lang))
    assert all(one.goal in written(app) and one.title in written(app) for one in read)
    assert t("course.done_of", n=0, all=3) in written(app) and t("course.begin") in links(app)
    go(app, lang=lang, course="~guess.7~tokens.1")
    assert t("course.done_of", n=3, all=3) in written(app) and t("course.done_of", n=1, all=4) in written(app)
    assert "course=tokens.1~guess.7~tokens.1" in links(app)[t("course.go_on")].replace("%7E", "~")
    assert address(app, "course") == "~guess.7~tokens.1"
    go(app, lang=lang, course="~wrong.1")  # somebody else's link: what was done stays done
    assert address(app, "course") == "~guess.7~tokens.1~wrong.1"
    everything = "~".join(["", *(f"{one.name}.{2 ** len(one.tasks) - 1:x}" for one in read)])
    go(app, lang=lang, course=everything)
    assert t("course.all_done") in written(app) and t("course.door.debugging") in links(app)


@pytest.mark.nightly
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_task_opens_where_it_begins_and_is_not_done_there(open_on: Open, lang: str) -> None:
    read, _ = chapters(Language(lang))
    t = Translator(Language(lang))
    for chapter in read:
        for i, task in enumerate(chapter.tasks):
            if task.view is None or (i and task.view == chapter.tasks[i - 1].view):
                continue
            app = open_on(task.view.page, **task.view.query, lang=lang, course=f"{chapter.name}.{i}")
            assert not errors(app), (chapter.name, i)
            assert task.do.partition("**\n")[0].removesuffix("**") in written(app)
            assert t("course.of", n=i + 1, all=len(chapter.tasks)) in written(app)
            assert "**✓**" not in written(app), (chapter.name, i)


def test_what_is_done_is_ticked_answered_and_kept_in_the_link(open_on: Open) -> None:
    app = open_on("step_through", model="sentences", prompt="Le chat dort sur le canapé", course="guess.1", lang="fr")
    assert "**✓**" in written(app) and "`` Le chat dort sur le canapé ``" in written(app)
    assert address(app, "course") == "guess.1~guess.2"
    assert picture(app, "kept_course") | {"lang": 0, "words": 0} == {
        "since": -1,
        "done": "~guess.2",
        "at": "guess.1",
        "look": "",
        "lang": 0,
        "words": 0,
    }
    app.switch_page("pages/generation.py").run()
    assert address(app, "course") == "guess.1~guess.2", "the course follows to another page"
    assert "Y aller" in links(app)
    app.button(key="course_leave").click().run()
    assert "course" not in app.query_params and "**✓**" not in written(app)
    app.switch_page("pages/course.py").run()
    assert address(app, "course") == "~guess.2"


def test_what_a_task_found_is_told_with_the_text_it_was_found_in(open_on: Open) -> None:
    begun, grown = "The cat sits on the", "The cat sits on the mat"
    place = {"model": "sentences", "step": "probabilities", "depth": "story"}
    app = open_on("step_through", **place, prompt=grown, course="guess.1")
    said = f"The text is now `` {grown} ``"
    assert said in written(app)
    go(app, **place, prompt="The dog", course="guess.2~guess.2")
    back = dict(parse_qsl(links(app)[ENGLISH("course.back")]))
    assert back["prompt"] == grown, "back leads to what one has left"
    go(app, **place, prompt=begun, course="guess.1~guess.2")
    assert "The text is now" not in written(app), "another text is on screen"
    go(app, **back)
    assert said in written(app)


@pytest.mark.parametrize("depth", DEPTHS)
def test_nobody_is_told_to_try_again_before_a_first_try(open_on: Open, depth: str) -> None:
    app = open_on("tokenizer", tokenizer="gpt2", course="tokens.0", depth=depth)
    assert ENGLISH("course.skip") in links(app) and ENGLISH("course.again") not in links(app)
    go(app, tokenizer="gpt2", text="abc", course="tokens.0", depth=depth)
    assert ENGLISH("course.again") in links(app)


def test_a_link_made_by_hand_opens_as_deep_as_the_course_does(open_on: Open) -> None:
    for course, depth in (("guess.0", "story"), ("attention.0", "story"), ("attention.1", "numbers")):
        app = open_on("step_through", model="names", prompt=".mar", course=course)
        assert not complaints(app) and app.selectbox(key="depth").value == depth
        assert address(app, "depth") == depth
    assert ENGLISH("course.go_there") not in links(app)
    app.selectbox(key="depth").select("story").run()  # at which nobody can do it
    assert "depth=numbers" in links(app)[ENGLISH("course.go_there")]
    app.selectbox(key="depth").select("code").run()
    link = {"model": "names", "course": address(app, "course"), "depth": address(app, "depth")}
    assert open_on("step_through", **link).selectbox(key="depth").value == "code"  # who has chosen it keeps it
    go(app, model="pokemon", course="guess.1")
    app.query_params.pop("depth")
    assert app.run().selectbox(key="depth").value == "code"


ON_CARDS = [  # a page that shows what a task asks for, and the numbers of the answer
    ("generation", {"model": "names", "prompt": ".", "n": "4", "course": "writing.0"}, r"[\d.]+%"),
    ("generation", {"model": "names", "prompt": ".", "n": "9", "temperature": "2", "course": "writing.0"}, r"[\d.]+%"),
    ("embeddings", {"model": "names", "section": "near", "id": "5", "course": "embeddings.3"}, r"\d\.\d+"),
    ("debugging", {"family": "memory", "d_model": "64", "batch": "64", "course": "wrong.2"}, r"\d+\.\d MB"),
]  # fmt: skip


@pytest.mark.parametrize(("page", "place", "number"), ON_CARDS)
def test_the_card_writes_a_number_as_the_page_does(
    open_on: Open, page: str, place: dict[str, str], number: str
) -> None:
    app = open_on(page, **place, depth="numbers")
    (card,) = [one.value for one in app.markdown if "**✓**" in one.value]
    pictures = [one.proto.json for one in app.get("bidi_component")]
    charts = [one.proto.alt for one in app.get("vega_lite_chart")]
    shown = " ".join([written(app).replace(card, ""), *pictures, *charts])
    found = re.findall(number, card)
    assert found and all(one in shown for one in found), (found, card)


def test_a_question_is_predicted_and_then_revealed(open_on: Open) -> None:
    app = open_on("step_through", model="names", prompt=".mar", course="guess.0")
    (asked,) = app.radio
    assert "24.4%" not in written(app)
    asked.set_value(asked.options[0] and 0).run()
    assert not complaints(app) and "24.4%" in written(app) and app.radio[0].disabled
    assert ENGLISH("course.see") in links(app)
    go(app, model="names", prompt=".em", course="guess.0")
    assert not app.radio[0].disabled, "another text is another question"


def test_a_question_that_is_answered_is_not_said_to_be_asked_again(open_on: Open) -> None:
    place = {"model": "names", "prompt": ".mar", "course": "guess.0"}
    app = open_on("step_through", **place)
    app.radio[0].set_value(0).run()
    go(app, **place, step="probabilities")
    assert ENGLISH("course.again") not in links(app) and ENGLISH("course.to_question") in links(app)


def test_in_front_of_a_room_the_open_card_says_nothing_twice(open_on: Open) -> None:
    place = {"model": "sentences", "prompt": "The cat sits on the mat", "present": "true"}
    for course in ("guess.1", "guess.3"):
        app = open_on("step_through", **place, course=course)
        assert app.button(key="course_line").icon.endswith("expand_less:")
        line = app.button(key="course_line").label
        told = [one.value for one in app.markdown if "**✓**" in one.value or "check_circle" in one.value]
        assert told and all(line.rpartition("**")[2] != one.rpartition("**")[2] for one in told), (line, told)
        assert "**✓** The text" not in line and ENGLISH("course.understood") not in line


def elements_of_card(app: AppTest) -> list[int]:
    """How many elements the card has, and the row of its task."""
    blocks, found = list(app.main.children.values()), []
    while blocks:
        one = blocks.pop(0)
        blocks += list(getattr(one, "children", {}).values())
        if any(
            name in str(getattr(one.proto, "id", ""))
            for name in ("course_bar", "course_task", "course_head", "course_ways")
        ):
            found.append(len(one.children))
    return found


def test_no_task_leaves_an_element_of_its_card_behind(open_on: Open) -> None:
    place = {"model": "names", "prompt": ".mar", "lang": "en"}
    app = open_on("step_through", **place, course="attention.0")
    asked = elements_of_card(app)
    app.radio[0].set_value(0).run()
    told = elements_of_card(app)
    go(app, **place, course="attention.1")
    assert asked == told == elements_of_card(app) and len(asked) == 4
    go(app, **place, course="attention.6")
    assert elements_of_card(app)[:2] == asked[:2]


@pytest.mark.nightly
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_task_that_goes_on_from_another_leads_there_until_that_is_done(open_on: Open, lang: str) -> None:
    t, (read, _) = Translator(Language(lang)), chapters(Language(lang))
    for page, place, course, ran in (
        ("training", {}, "learning.4", {"run": "1-a"}),
        ("debugging", {"family": "no_learning", "pitfall": "rate_too_high"}, "wrong.1", {"ran": "true"}),
    ):
        name, _, at = course.partition(".")
        before = next(one for one in read if one.name == name).tasks[int(at) - 1]
        label = t("course.first", title=before.do.partition("\n\n")[0])
        app = open_on(page, **place, course=course, lang=lang)
        assert f"course={name}.{int(at) - 1}" in links(app)[label]
        go(app, **place, **ran, course=course, lang=lang)
        assert label not in links(app)


def test_a_guess_is_judged_once(open_on: Open) -> None:
    for choice in range(4):
        app = open_on("step_through", model="names", prompt=".mar", course="attention.0", lang="en")
        app.radio[0].set_value(choice).run()
        (told,) = [one.value for one in app.markdown if "may look at" in one.value and "How many" not in one.value]
        is_right = app.radio[0].options[choice] == "4"
        assert ("✓" in told) == is_right and ("✗" in told) == (not is_right) and told.count("4") == 1
        assert "it is 4" not in written(app)


def test_a_wrong_guess_has_no_tick_beside_its_task(open_on: Open) -> None:
    for choice in range(4):
        app = open_on("step_through", model="names", prompt=".mar", course="attention.0", lang="en")
        app.radio[0].set_value(choice).run()
        assert not [one.value for one in app.markdown if "check_circle" in one.value]
        is_right = app.radio[0].options[choice] == "4"
        assert any(one.value.startswith(":green[**✓" if is_right else ":orange[**✗") for one in app.markdown)


def test_the_mixing_is_predicted_with_the_numbers_of_this_run(open_on: Open) -> None:
    app = open_on(
        "step_through", model="names", prompt=".mar", step="blocks.0.attn.pattern", course="attention.4", lang="en"
    )
    asked = app.radio[0].label
    share, rest, left, right = (float(one) for one in re.findall(r"-?\d+\.\d+", asked.replace("−", "-")))
    assert "76.3%" in asked and "23.7%" in asked and (left, right) == (-0.41, 0.94)
    mixed = round(share / 100 * left + rest / 100 * right, 2)
    app.radio[0].set_value(0).run()
    (told,) = [one.value for one in app.markdown if "are" in one.value and "together" in one.value]
    assert str(mixed).replace("-", "−") in told


def test_what_the_course_asks_is_not_told_beside_the_picture(open_on: Open) -> None:
    place = {"model": "names", "prompt": ".mar", "step": "blocks.0.attn.masked", "lang": "en"}
    app = open_on("step_through", **place, course="attention.2")
    first = ENGLISH("exercise.first")
    assert scene(app)["say"]["text"] == first
    app.radio[0].set_value(0).run()
    assert "‹m›" in scene(app)["say"]["text"]
    go(app, **(place | {"prompt": ".em"}))
    assert scene(app)["say"]["text"] == first
    app.button(key="course_leave").click().run()
    assert "fits ‹m› best" in scene(app)["say"]["text"]
    app.session_state["predict"] = True  # opened by hand
    shown = ENGLISH("exercise.first.shown")
    assert scene(app.run())["say"]["text"] == shown and scene(app)["ahead"] == []
    app.radio[0].set_value(0).run()
    assert "fits ‹m› best" in scene(app)["say"]["text"]


PREDICTED = {
    "tokenizer": "tokenizer",
    "embeddings": "x",
    "norm": "blocks.0.norm_1.normed",
    "qkv": "blocks.0.attn.q",
    "softmax": "blocks.0.attn.pattern",
    "residual": "blocks.0.x_mid",
    "mlp": "blocks.0.mlp.hidden",
    "logits": "logits",
    "probabilities": "probabilities",
    "loss": "loss",
}  # a step of each stage, and so what it makes


@pytest.mark.sampled(3)
@pytest.mark.parametrize("grain", ["stage", "op"])
@pytest.mark.parametrize("stage", PREDICTED)
def test_what_is_to_be_predicted_is_nowhere_to_be_read(open_on: Open, stage: str, grain: str) -> None:
    app = open_on("step_through", model="names", prompt=".mar", step=PREDICTED[stage], by=grain, target="y", lang="en")
    told = scene(app)
    app.session_state["predict"] = True
    hidden = scene(app.run())
    (asked,) = app.radio
    here = next(one for one in told["map"] if one["here"])
    assert here["kind"] == stage
    run = Models().record(Request(read_reference("names"), ".mar", target="y"))
    at = next(one for one in run.navigator.stages if one.kind == stage)
    made = {value.address for step in run.trace[at.first : at.last + 1] for value in step.outputs}
    assert hidden["picture"]["kind"] == "tensors"
    assert not made & {panel["address"] for panel in hidden["picture"]["panels"]}
    assert {one["shape"] for one in hidden["map"]} == {"", "?"}
    assert not hidden["strip"] and hidden["inspector"] is None and not hidden["ahead"]
    assert (hidden["tokens"] == []) == (stage == "tokenizer")
    asked.set_value(0).run()
    shown = scene(app)
    assert {name: shown[name] for name in ("map", "picture", "strip", "tokens")} == {
        name: told[name] for name in ("map", "picture", "strip", "tokens")
    }


def test_what_the_course_asks_is_nowhere_to_be_read(open_on: Open) -> None:
    place = {"model": "names", "prompt": ".mar", "depth": "code"}
    app = open_on("step_through", **place, step="norm_final.scaled", course="logits.0")
    assert {one["shape"] for one in scene(app)["map"]} == {"", "?"}, "each ends with the number of logits"
    app.session_state["ledger_open"] = True
    assert ENGLISH("exercise.first") in written(app.run()) and not app.dataframe
    go(app, **place, step="logits", course="logits.0")
    assert "logits" not in {panel["address"] for panel in scene(app)["picture"]["panels"]}
    assert scene(app)["say"]["text"] == ENGLISH("exercise.first")
    app.radio[0].set_value(0).run()
    assert "logits" in {panel["address"] for panel in scene(app)["picture"]["panels"]} and len(app.dataframe) == 1
    go(app, **place, step="blocks.0.attn.masked", course="attention.2")
    assert {one["shape"] for one in scene(app)["map"]} > {"1×4×64"}, "no shape tells where a token looks"
    go(app, **place, step="blocks.0.attn.z", course="attention.2")
    assert "blocks.0.attn.pattern" not in {panel["address"] for panel in scene(app)["picture"]["panels"]}
    assert not is_drawn(app, "whole_model"), "ribbons tell where it looks, and lanes how many tokens there are"
    app.radio[0].set_value(0).run()
    assert picture(app, "whole_model")["chances"]
    go(app, **place, step="blocks.0.attn.v", course="attention.0")
    assert not picture(app, "whole_model")["chances"]
    go(app, **place, step="probabilities", course="tokens.2")
    assert not is_drawn(app, "whole_model")


def test_the_end_of_a_chapter_says_what_is_known_now_and_where_to_go_on(open_on: Open) -> None:
    read, _ = chapters(Language("en"))
    app = open_on("step_through", model="names", course="guess.3~guess.3")
    assert read[0].understood in written(app) and ENGLISH("course.missing", n=1) in written(app)
    assert ENGLISH("course.next_chapter", title="Tokens") in links(app)
    go(app, model="names", course="wrong.6")
    assert {ENGLISH("course.to_quiz"), ENGLISH("course.door.training")} <= links(app).keys()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_questions_are_judged_at_once_and_stand_in_the_link(open_on: Open, lang: str) -> None:
    t, asked = Translator(Language(lang)), quiz(Language(lang))
    app = open_on("course", section="quiz", lang=lang)
    app.radio(key="quiz 0").set_value(asked[0].right).run()
    app.radio(key="quiz 1").set_value((asked[1].right + 1) % 3).run()
    assert not complaints(app)
    assert t("course.quiz.result", right=1, n=2) in written(app)
    assert asked[0].why in written(app) and t("course.quiz.wrong", answer=asked[1].options[asked[1].right]) in written(
        app
    )
    assert address(app, "answers") == "[1,1,-1,-1,-1,-1,-1,-1]"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_hand_out_has_what_to_do_and_the_notes_on_demand(open_on: Open, lang: str) -> None:
    chapter = chapters(Language(lang))[0][3]
    app = open_on("course", section="print", chapter="attention", lang=lang)
    assert not complaints(app)
    assert chapter.title in written(app) and chapter.notes not in written(app)
    assert written(app).count("☐") == len(chapter.tasks)
    app.toggle[0].set_value(True).run()
    assert chapter.notes in written(app) and "{share}" not in written(app)


def test_a_hostile_chapter_is_shown_as_text_and_a_wrong_one_as_a_sentence(
    open_on: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    (tmp_path / "bad.md").write_text(
        "---\ntitle: <b>x</b> ![p](http://a/b.png)\ngoal: <script>alert(1)</script>\nminutes: 1\ntasks:\n"
        "  - view: step_through?model=names&prompt=.em\n    check: own_text\nunderstood: so\n"
        "---\n<iframe src=x></iframe>\n## Do\n> {text}",
        encoding="utf-8",
    )
    (tmp_path / "wrong.md").write_text("---\ntitle: x\n---\n", encoding="utf-8")
    app = open_on("course")
    assert not errors(app) and "wrong.md" in app.warning[0].value and "2" in app.warning[0].value
    assert "<script>" not in written(app) and "![" not in written(app)
    go(app, course="bad.0")
    app.switch_page("pages/step_through.py")
    go(app, course="bad.0", model="names", prompt=".em")
    assert not errors(app) and "<iframe" not in written(app)


def test_an_unknown_chapter_or_senseless_progress_ends_nothing(open_on: Open) -> None:
    app = open_on("step_through", model="names", course="nothing.3")
    assert not complaints(app) and ENGLISH("course.unknown") in [one.value for one in app.info]
    app = open_on("step_through", model="names", course="{}")
    assert not complaints(app) and any("course" in one.value for one in app.info)


def test_what_the_device_kept_is_joined_unless_the_course_was_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    memory: dict[str, object] = {}
    monkeypatch.setattr(kept.state, "remember", memory.setdefault)
    monkeypatch.setattr(kept.state, "keep", memory.__setitem__)
    monkeypatch.setattr(kept.state, "course", lambda: memory.setdefault("here", Progress()))
    monkeypatch.setattr(kept.state, "keep_course", lambda progress: memory.__setitem__("here", progress))
    memory["here"] = Progress.parse("guess.1~guess.1")
    for wrong in (
        {},
        {"since": 0, "done": 3},
        {"since": -1, "done": ""},
        {"since": True, "done": ""},
        {"since": 0, "done": "x"},
    ):
        kept._on_event(wrong)
    assert str(memory["here"]) == "guess.1~guess.1"
    kept._on_event({"since": 2, "done": "~guess.2"})
    assert str(memory["here"]) == "guess.1~guess.3", "at first both are joined"
    kept._on_event({"since": 3, "done": "~tokens.1"})
    assert str(memory["here"]) == "guess.1~tokens.1", "begun anew in another tab"
    kept._on_event({"since": 2, "done": "~guess.7"})
    assert str(memory["here"]) == "guess.1~tokens.1", "what is older is forgotten"
    kept.begin_anew()
    assert str(memory["here"]) == "" and memory[kept.SINCE] == 4
