"""Each check of the course: what it does not take for done, and what it has measured when the thing is done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.lessons.chapter import Link
from lmviz.registry.models import Models
from lmviz.services.services import Services
from lmviz.train.runs import Runs
from lmviz.train.texts import preset
from lmviz.ui.course.checks import CHECKS
from lmviz.ui.course.details import Found, Measured, Number, Share, filled
from lmviz.ui.course.seen import Seen, question_of
from lmviz.ui.course.views import KINDS, place_of, senseless
from lmviz.ui.place import Place
from lmviz.ui.shell import FIRST, LISTED
from lmviz.ui.text import Language
from tests.waiting import until_rests
from tests.words import ENGLISH, FRENCH

MAR = {"model": "names", "prompt": ".mar"}
HEAD_OFF = '[["head","blocks.0.attn.pattern",1]]'
CELL_EDIT = '[["cell","x",[0,3,0],5.0]]'
STEPS = 30


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    runs = Runs(tmp_path_factory.mktemp("runs"))
    yield Services(Models(open_runs=lambda: runs))
    runs.close()


def at(page: str, **query: str) -> Place:
    assert senseless(Link(page, query)) == ()
    return place_of(Link(page, query), Language("en"))


def seen(
    services: Services, check: str, view: Place, begun: Place | None = None, chosen: int | None = None
) -> Found | None:
    name, _, argument = check.partition(" ")
    found = CHECKS[name].find(Seen(view, services, begun, chosen), argument)
    assert found is None or set(found) <= CHECKS[name].details
    assert not any(isinstance(one, float) for one in (found or {}).values())  # who shows it says how it is written
    return found


def value(found: Found, name: str) -> float:
    number = found[name]
    assert isinstance(number, Number)
    return number.value


STEP = at("step_through", **MAR)
PLAN = at("training", changes='{"training.steps":300}')
CASES = [  # a check; where it is not done; where it is; something that it then finds
    ("reached softmax", STEP, at("step_through", **MAR, step="blocks.0.attn.pattern"), ("n", 4)),
    (
        "pinned masked",
        at("step_through", **MAR, cell='["blocks.0.attn.pattern",[0,0,3,1]]'),
        at("step_through", **MAR, cell='["blocks.0.attn.masked",[0,0,3,1]]'),
        ("row", "r"),
    ),
    ("pinned masked", STEP, at("step_through", **MAR, cell='["blocks.0.attn.masked",[0,0,3,1]]'), ("column", "m")),
    (
        "pinned masked",  # what is hatched was not made of anything
        at("step_through", **MAR, cell='["blocks.0.attn.masked",[0,0,0,2]]'),
        at("step_through", **MAR, cell='["blocks.0.attn.masked",[0,0,2,2]]'),
        ("column", "a"),
    ),
    (
        "pinned x",
        at("step_through", **MAR, cell='["x",[0,9,0]]'),
        at("step_through", **MAR, cell='["x",[0,2,7]]'),
        ("column", 7),
    ),
    ("pinned rows", at("embeddings", **MAR), at("embeddings", **MAR, cell='["rows",[3,5]]'), ("row", "r")),
    (
        "pinned rows",
        at("embeddings", **MAR, cell='["rows",[9,5]]'),
        at("embeddings", **MAR, cell='["rows",[1,5]]'),
        ("column", 5),
    ),
    (
        "pinned x",
        at("embeddings", **MAR, section="sum"),
        at("embeddings", **MAR, section="sum", cell='["x",[2,5]]'),
        ("row", "a"),
    ),
    ("followed", STEP, replace(STEP, focus=1), ("token", "m")),  # type: ignore[call-arg]
    ("followed", replace(STEP, focus=3), replace(STEP, focus=2), ("token", "a")),  # type: ignore[call-arg]
    ("head_off", at("step_through", **MAR, edits=CELL_EDIT), at("step_through", **MAR, edits=HEAD_OFF), ("head", 1)),
    ("edited", at("step_through", **MAR, edits=HEAD_OFF), at("step_through", **MAR, edits=CELL_EDIT), ("token", "i")),
    (
        "text_grew",
        at("step_through", model="names", prompt=".em"),
        at("step_through", model="names", prompt=".mari"),
        ("text", ".mari"),
    ),
    ("own_text", STEP, at("step_through", model="names", prompt=".em"), ("text", ".em")),
    (
        "own_text",
        at("generation", model="names", prompt=".em"),
        at("generation", model="names", prompt=".em", n="2"),
        ("n", 2),
    ),
    ("own_text", at("step_through", model="names"), at("step_through", model="names", prompt=".b"), ("text", ".b")),
    (
        "gradient_shown",
        at("step_through", **MAR, grad="true"),
        at("step_through", **MAR, grad="true", target="y"),
        ("loss", Number(pytest.approx(1.3451, abs=1e-4), 2)),
    ),
    (
        "temperature_above 1.5",
        at("step_through", **MAR, temperature="1.5"),
        at("step_through", **MAR, temperature="1.6"),
        ("token", "i"),
    ),
    (
        "temperature_above 1.5",
        at("generation", **MAR, temperature="2"),
        at("generation", **MAR, temperature="2", n="3"),
        ("temperature", Number(2.0, 2)),
    ),
    (
        "temperature_below 0.3",
        at("generation", **MAR, temperature="0.3", n="3"),
        at("generation", **MAR, temperature="0.1", n="3"),
        ("temperature", Number(0.1, 2)),
    ),
    ("written 4", at("generation", **MAR, n="3"), at("generation", **MAR, n="4"), ("n", 4)),
    (
        "top_k_below 6",
        at("generation", **MAR, n="3", top_k="6"),
        at("generation", **MAR, n="3", top_k="3"),
        ("left", 3),
    ),
    ("top_k_below 6", at("generation", **MAR, n="3"), at("generation", **MAR, n="3", top_k="1"), ("of", 27)),
    (
        "top_p_below 0.95",
        at("generation", **MAR, n="3"),
        at("generation", **MAR, n="3", top_p="0.5"),
        ("top_p", Number(0.5, 2)),
    ),
    ("text_cut", at("tokenizer", tokenizer="gpt2"), at("tokenizer", tokenizer="gpt2", text="The cat"), ("n", 2)),
    (
        "piece_looked_at",
        at("tokenizer", tokenizer="gpt2", text="The cat", piece="2"),
        at("tokenizer", tokenizer="gpt2", text="The cat", piece="1"),
        ("piece", " cat"),
    ),
    ("merges_learned 3", at("tokenizer", tab="learn", at="2"), at("tokenizer", tab="learn", at="3"), ("n", 3)),
    (
        "neighbour_chosen",
        at("embeddings", **MAR, section="near"),
        at("embeddings", **MAR, section="near", id="5"),
        ("token", "e"),
    ),
    ("size_changed", PLAN, at("training", changes='{"model.d_model":32}'), ("before", 2832)),
    ("memory_full", at("debugging", family="memory", d_model="16"), at("debugging", family="memory"), ("budget", 192)),
    (
        "memory_fits",
        at("debugging", family="memory", budget="1024", batch="64"),
        at("debugging", family="memory", batch="1"),
        ("batch", 1),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "before", "after", "finds"), CASES, ids=[f"{i} {case[0]}" for i, case in enumerate(CASES)]
)
def test_a_check_sees_what_was_done_and_nothing_else(
    services: Services, check: str, before: Place, after: Place, finds: tuple[str, object]
) -> None:
    begun = {"embeddings": at("embeddings", id="1"), "debugging": at("debugging", family="memory")}
    start = next((place for page, place in begun.items() if isinstance(after, KINDS[page])), STEP)
    assert seen(services, check, before, start) is None
    found = seen(services, check, after, start)
    assert found is not None and found[finds[0]] == finds[1]
    for elsewhere in (at("chat"), at("course"), at("quantisation")):
        assert seen(services, check, elsewhere, start) is None


def test_a_question_is_answered_from_the_run(services: Services) -> None:
    assert seen(services, "answered softmax", STEP) is None
    question = question_of(Seen(STEP, services), "softmax")
    assert question is not None
    found = seen(services, "answered softmax", STEP, chosen=0)
    row = services.models.record(place_request(services)).trace["blocks.0.attn.pattern"].outputs[0].array[0, 0, 3]
    assert (
        found is not None and found["answer"] == ".mar"[int(row.argmax())] and found["share"] == Share(float(row.max()))
    )
    assert seen(services, "answered tokens", STEP, chosen=1)["answer"] == 4  # type: ignore[index]
    assert seen(services, "answered embeddings", STEP, chosen=1)["answer"] == "1×4×64"  # type: ignore[index]


def place_request(services: Services) -> object:
    from lmviz.ui.step_through.recordings import request

    return request(services, STEP)  # type: ignore[arg-type]


def test_the_share_that_is_told_is_that_of_the_run(services: Services) -> None:
    found = seen(services, "own_text", at("step_through", model="names", prompt=".em"), STEP)
    run = services.models.record(replace(place_request(services), prompt=".em"))  # type: ignore[type-var]
    probs = run.trace["readout.probs"].outputs[0].array[0, -1]  # type: ignore[attr-defined]
    assert found == {"text": ".em", "token": run.piece(int(np.argmax(probs))), "share": Share(float(probs.max()))}  # type: ignore[attr-defined]


@pytest.mark.nightly
def test_a_run_is_seen_when_its_loss_has_fallen_and_one_step_of_it_is_watched(services: Services) -> None:
    recipe = preset("pokemon")
    runs = services.models.runs
    run = runs.start(replace(recipe, training=replace(recipe.training, steps=STEPS)), "short")
    until_rests(runs, run)
    plan, watched = at("training", changes=f'{{"training.steps":{STEPS}}}'), at("training", run=run)
    assert seen(services, "loss_below unigram", plan) is None
    found = seen(services, "loss_below unigram", watched)
    assert (
        found is not None
        and 0 < found["step"] <= STEPS
        and value(found, "loss") < value(found, "line") < value(found, "first")
    )  # type: ignore[operator]
    assert seen(services, "trained_longer", watched, plan) is None
    longer = seen(services, "trained_longer", watched, at("training", changes='{"training.steps":10}'))
    assert longer is not None and (longer["steps"], longer["before"]) == (STEPS, 10)
    opened = at("training", run=run, tab="step", scene="4")
    assert seen(services, "scene_reached 5", opened) is None
    step = seen(services, "scene_reached 5", replace(opened, scene=5))  # type: ignore[call-arg]
    assert step is not None and value(step, "loss_after") < value(step, "loss")


@pytest.mark.slow
def test_a_pitfall_counts_when_it_has_run(services: Services) -> None:
    ran = at("debugging", pitfall="all_unknown", ran="true")
    cured = replace(ran, cured=True)  # type: ignore[call-arg]
    assert seen(services, "pitfall_ran all_unknown", ran) is None
    pitfall = PITFALLS["all_unknown"]
    services.pitfalls.result(pitfall.faulty)
    found = seen(services, "pitfall_ran all_unknown", ran)
    assert found is not None and found["steps"] == pitfall.faulty.training.steps
    assert (
        seen(services, "pitfall_ran too_long", ran) is None
        and seen(services, "pitfall_cured all_unknown", cured) is None
    )
    result = services.pitfalls.result(pitfall.cures[0][1])
    mended = seen(services, "pitfall_cured all_unknown", cured)
    assert mended is not None and mended["cured"] == Measured(result.true_loss)


def test_every_check_is_described_and_tried() -> None:
    tried = {case[0].partition(" ")[0] for case in CASES}
    tried |= {"answered", "loss_below", "trained_longer", "scene_reached", "pitfall_ran", "pitfall_cured"}
    assert tried == set(CHECKS) and all(check.find.__doc__ for check in CHECKS.values())


def test_arguments_that_make_no_sense_are_refused() -> None:
    wrong = {"pinned": "a b", "written": "four", "reached": "nowhere", "loss_below": "floor", "pitfall_ran": "none"}
    assert not [name for name, argument in wrong.items() if CHECKS[name].knows(argument)]
    assert (
        not CHECKS["head_off"].knows("1") and not CHECKS["written"].knows("٣") and not CHECKS["written"].knows("1.2.3")
    )


def test_the_course_knows_every_page_that_one_can_go_to() -> None:
    assert {name for name, _ in LISTED} - {FIRST} == set(KINDS)


TWO_OFF = '[["head","blocks.0.attn.pattern",1],["head","blocks.0.attn.pattern",2]]'


def test_what_a_second_change_did_is_told_beside_the_first(services: Services) -> None:
    one, two = (seen(services, "head_off", at("step_through", **MAR, edits=edits)) for edits in (HEAD_OFF, TWO_OFF))
    assert one is not None and two is not None
    assert two["head"] == 2 and two["before"] == one["now_share"] and two["token"] == one["now"]


def test_no_number_is_told_twice_of_what_a_change_did(services: Services) -> None:
    for check, edits, unseated in (("head_off", HEAD_OFF, False), ("edited", '[["cell","x",[0,3,0],50.0]]', True)):
        found = seen(services, check, at("step_through", **MAR, edits=edits))
        assert found is not None and (found["now"] != found["token"]) == unseated, check
        told = filled(ENGLISH, "{before} {after} {likeliest}", found)
        numbers = re.findall(r"[\d.]+%", told)
        assert len(numbers) == len(set(numbers)) == 2 + unseated, told


def test_an_answer_shows_a_token_and_its_id_as_the_picture_does(services: Services) -> None:
    merged = seen(services, "merges_learned 3", at("tokenizer", tab="learn", at="3"))
    looked_at = seen(
        services, "piece_looked_at", at("tokenizer", tokenizer="gpt2", text="I like strawberries", piece="2")
    )
    assert merged is not None and looked_at is not None
    assert filled(FRENCH, "{piece}", merged) == "`` ·th ``"
    assert filled(FRENCH, "{piece} {id}", looked_at) == "`` ·strawberries `` `` 36973 ``"


def test_an_answer_writes_what_was_found_as_the_language_does() -> None:
    assert filled(ENGLISH, "{a} {b} {c}", {"a": " mat", "b": "The cat", "c": " "}) == "`` ·mat `` `` The cat `` `` · ``"
    found: Found = {"share": Share(0.25), "n": 12345, "text": "a`b", "value": Number(0.5, 2)}
    assert filled(FRENCH, "{share}, {n}, {value}", found) == "25,0\u202f%, 12\u202f345, 0,50"
    assert filled(
        ENGLISH, "{text} {nothing} {0} {share.__class__}", found
    ) == "``  a`b  `` – {0} {share.__class__}".replace("``  a`b  ``", "`` a`b ``")


PINNED = MAR | {"cell": '["blocks.0.attn.masked",[0,0,3,1]]', "depth": "numbers"}
AS_IN_THE_PICTURE = [  # a check, where it is done, what stands on the card, and how the picture writes it
    ("pinned masked", at("step_through", **PINNED), "{value}", "−0.01"),
    ("pinned masked", at("step_through", **PINNED, digits="4"), "{value}", "−0.0107"),
    ("pinned logits", at("step_through", **MAR, cell='["logits",[0,3,3]]'), "{value}", "2.45"),
    ("answered residual", at("step_through", **MAR, depth="story"), "{left} + {right}: {answer}", "0.05 + 0.14: 0.19"),
    ("gradient_shown", at("step_through", **MAR, grad="true", target="y"), "{loss}", "1.35"),
    ("answered norm", at("step_through", **MAR), "{answer}", "0.00"),
    ("temperature_above 1.5", at("step_through", **MAR, temperature="2"), "{temperature}", "2.00"),
]  # fmt: skip


@pytest.mark.nightly
@pytest.mark.parametrize(("check", "view", "card", "picture"), AS_IN_THE_PICTURE)
def test_a_number_on_the_card_is_written_as_in_the_picture(
    services: Services, check: str, view: Place, card: str, picture: str
) -> None:
    found = seen(services, check, view, chosen=0)
    assert found is not None and filled(view.t, card, found) == picture
