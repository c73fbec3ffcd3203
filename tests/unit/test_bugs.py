"""The bug lab: every bug edits a real source, parts from the healthy model, and is judged by the doctor."""

from __future__ import annotations

import linecache
import math
from dataclasses import replace

import pytest
import torch

import lmviz
from lmviz.debug.bugs.bug import Edit, apply, diff
from lmviz.debug.bugs.catalogue import BUGS, bug_named
from lmviz.debug.bugs.difference import first_difference
from lmviz.debug.bugs.models import broken, healthy, why_not
from lmviz.debug.bugs.source import broken_source, diff_of, healthy_source
from lmviz.debug.bugs.training import _difference_of, train_pair
from lmviz.debug.invariants import checks_of
from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.bug import WithBug
from lmviz.registry.kinds import read_reference
from lmviz.registry.recording import Request
from lmviz.services.services import Services
from lmviz.stages.stages import stages_of
from lmviz.trace.step import Trace
from tests.conftest import ROOT

IN_MODEL = [name for name, bug in BUGS.items() if not bug.in_loop]
TRAINED = [name for name, bug in BUGS.items() if bug.retrain]
SIMPLE = read_reference("simple-llm")
LLAMA = read_reference("names-llama")
OF_LLAMA = {name for name in IN_MODEL if BUGS[name].edits.keys() == {"llama"}}
ROTATIONS = {"rotated_backwards", "neighbours_paired", "keys_from_one", "keys_in_wrong_order"}
INVISIBLE = {"k_and_v_swapped", "wrong_gelu", *ROTATIONS}


@pytest.fixture(scope="module")
def services() -> Services:
    return Services()


@pytest.fixture(scope="module")
def simple() -> Checkpoint:
    return lmviz.load(ROOT / "sample_models" / "simple-llm")


@pytest.fixture(scope="module")
def llama() -> Checkpoint:
    return lmviz.load(ROOT / "sample_models" / "names-llama")


def recorded(checkpoint: Checkpoint) -> Trace:
    with torch.no_grad():
        return lmviz.record(checkpoint.model, checkpoint.tokenizer.encode(checkpoint.card.prompts[0]).ids_tensor)


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_a_small_edit_of_a_source(name: str) -> None:
    for file in BUGS[name].edits:
        lines = diff_of(BUGS[name], file)
        assert 1 <= sum(line.mark in "+-" for line in lines) <= 8
        assert compile(broken_source(BUGS[name], file), file, "exec")
    assert BUGS[name].source.url.startswith("https://")


def test_a_diff_gives_back_both_texts() -> None:
    before, after = "a\nb\nc\n", "a\nB\nc\nd\n"
    lines = diff(before, after)
    assert [(line.mark, line.number, line.text) for line in lines if line.mark in "+-"] == [
        ("-", 2, "b"),
        ("+", 2, "B"),
        ("+", 4, "d"),
    ]


def test_an_edit_that_does_not_fit_its_source_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 1"):
        apply((Edit("x", "y"),), "xx")


def test_an_unknown_bug_is_refused() -> None:
    with pytest.raises(UserError, match="no bug called nonsense"):
        bug_named("nonsense")


IN_A_MODEL = [
    (name, file)
    for name in IN_MODEL
    for file in ("gpt2", "llama")
    if file in BUGS[name].edits and not BUGS[name].retrain
] + [(name, "gpt2") for name in IN_MODEL if BUGS[name].retrain]


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "file"), IN_A_MODEL)
def test_a_broken_model_shows_its_own_broken_source(
    simple: Checkpoint, llama: Checkpoint, name: str, file: str
) -> None:
    trace = recorded(broken(llama if file == "llama" else simple, BUGS[name]))
    assert trace.failure is None
    files = {step.span.file for step in trace if step.span.file.endswith(f"{file}.py")}
    assert files == {f"{name}/{file}.py"}
    assert "".join(linecache.getlines(f"{name}/{file}.py")) == broken_source(BUGS[name], file)
    assert healthy_source(file) != broken_source(BUGS[name], file)


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "file"), IN_A_MODEL)
def test_the_first_difference_lies_in_the_stage_that_the_bug_breaks(
    simple: Checkpoint, llama: Checkpoint, name: str, file: str
) -> None:
    bug, base = BUGS[name], llama if file == "llama" else simple
    a, b = recorded(healthy(base, bug)), recorded(broken(base, bug))
    difference = first_difference(a, b)
    assert difference is not None
    assert difference.how in ("value", "shape")
    if bug.retrain:  # other weights: everything differs
        return
    addresses = [difference.gone, difference.new, difference.address]
    index = min(a[address].index for address in addresses if address and address in a)
    kinds = [s.kind for s in stages_of(a) if s.first <= index <= s.last]
    if bug.needs_dropout:
        assert difference.address == "blocks.0.attn_kept"
    else:
        assert kinds == [bug.place]
    for step in a[: a[difference.address].index]:
        theirs = b.value(step.address)
        assert theirs is None or theirs.array == pytest.approx(step.outputs[0].array, abs=1e-5, nan_ok=True)


def test_equal_models_have_no_difference(simple: Checkpoint) -> None:
    assert first_difference(recorded(simple), recorded(simple)) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_two_trainings_part_at_a_step_that_is_named(simple: Checkpoint, name: str) -> None:
    found = train_pair(simple, BUGS[name], steps=4)
    assert found.difference is not None
    expected = {"targets_not_shifted": "targets", "padding_trained_on": "targets", "double_softmax": "loss"}
    expected |= {"zero_grad_missing": "gradient", "optimizer_forgets": "weights", "climbs": "gradient"}
    expected |= {"gradient_cut": "gradient", "untied": "gradient"}
    assert found.difference.what == expected[name]
    assert found.difference.step == (2 if name == "zero_grad_missing" else 1)


@pytest.mark.sampled(18)
@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_every_bug_is_seen_by_the_doctor_or_declared_invisible_and_each_alarm_leads_somewhere(
    services: Services, name: str
) -> None:
    base = LLAMA if name in OF_LLAMA else SIMPLE
    found = services.bugs.verdict(BUGS[name], base)
    seen = {finding.check for finding in found}
    assert set(BUGS[name].seen_by) <= seen
    assert (not seen) == (name in INVISIBLE) == (not BUGS[name].seen_by)
    for finding in found:
        place = services.doctor.place_of(WithBug(name, base), services.models.first_prompt(base), finding)
        assert place is not None, finding.check
        assert place.step == finding.step
        if place.where == "loss":
            continue
        run = services.models.record(Request(place.model, place.prompt))
        assert place.where in run.trace or place.where in {stage.kind for stage in run.navigator.stages}
        assert not place.cell or run.trace.value(place.tensor) is not None


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "step", "where", "gradient"),
    [
        ("targets_not_shifted", 1, "loss.wanted", False),
        ("zero_grad_missing", 2, "pos_embed.weight", True),
        ("optimizer_forgets", 2, "tok", False),  # what step 1 left out is seen when step 2 reads it
        ("gradient_cut", 1, "blocks.1.attn.attn_out", True),
    ],
)
def test_two_trainings_are_opened_at_the_first_number_that_differs(
    services: Services, name: str, step: int, where: str, gradient: bool
) -> None:
    place = services.bugs.first_training_difference(BUGS[name], SIMPLE)
    assert place is not None
    assert (place.step, place.tensor, place.gradient) == (step, where, gradient)
    a, b = (
        services.models.record(Request(model, "")).trace.value(where)
        for model in (place.model, place.b_model)
        if model is not None
    )
    assert a is not None and b is not None
    ours, theirs = (v.grad if gradient else v.array for v in (a, b))
    apart = (ours is None) != (theirs is None) or ours[place.cell] != theirs[place.cell]  # type: ignore[index]
    assert apart


@pytest.mark.slow
def test_a_weight_holds_what_the_loop_left_in_it(services: Services) -> None:
    """A gradient that was not zeroed is the sum of this step's and those before: the arithmetic of one step is less."""
    run = services.models.record(
        Request(read_reference("moment/gradients_afresh!3.0@bug/zero_grad_missing@simple-llm"), "")
    )
    weight = run.trace.value("pos_embed.weight")
    assert weight is not None and weight.grad is not None
    cell = (1, 14)
    why = run.explain("pos_embed.weight", cell, gradient=True)
    assert why is not None
    assert weight.grad[cell] == pytest.approx(3 * why.value, rel=1e-4)


@pytest.mark.parametrize(
    "name",
    ["moment/nonsense!1@names", "moment/race!1@names", "moment/one_batch!999@names", "moment/pitfall!1@x", "moment/"],
)
def test_a_moment_that_does_not_exist_is_refused(services: Services, name: str) -> None:
    with pytest.raises(UserError):
        services.models.record(Request(read_reference(name), ""))


def test_bugs_say_where_they_have_no_place(simple: Checkpoint) -> None:
    pokemon = lmviz.load(ROOT / "sample_models" / "pokemon")
    assert why_not(BUGS["heads_not_transposed"], pokemon) == "too_few_heads"
    assert why_not(BUGS["norm_axis"], pokemon) == "no_such_part"
    assert why_not(BUGS["heads_not_transposed"], simple) == ""
    with pytest.raises(UserError, match="no place"):
        broken(pokemon, BUGS["norm_axis"])


def test_keys_that_nobody_shares_are_in_no_order(llama: Checkpoint) -> None:
    config = replace(llama.config, n_kv_heads=4)  # type: ignore[type-var]
    assert why_not(BUGS["keys_in_wrong_order"], llama) == ""
    assert why_not(BUGS["keys_in_wrong_order"], replace(llama, config=config)) == "no_sharing"


def test_positions_that_all_start_at_one_change_nothing_but_the_angles(llama: Checkpoint) -> None:
    """Why the bug of the lab is in the keys alone."""
    edits = {"angle": lambda angle: angle + llama.model.freq}
    ids = llama.tokenizer.encode(".mar").ids_tensor
    with torch.no_grad():
        moved = lmviz.record(llama.model, ids, edits=edits)
        assert torch.allclose(moved.output, llama.model(ids), atol=1e-4)
        assert not torch.allclose(broken(llama, BUGS["keys_from_one"]).model(ids), llama.model(ids), atol=0.1)


def test_turning_the_wrong_numbers_changes_lengths(llama: Checkpoint) -> None:
    def kept(checkpoint: Checkpoint) -> set[bool]:
        trace = recorded(checkpoint)
        checks = [check for stage in stages_of(trace) for check in checks_of(trace, stage)]
        return {check.holds for check in checks if check.name == "lengths_kept"}

    assert kept(llama) == kept(broken(llama, BUGS["rotated_backwards"])) == {True}
    assert kept(broken(llama, BUGS["neighbours_paired"])) == {False}


@pytest.mark.slow
def test_the_same_bug_twice_gives_the_same_weights(simple: Checkpoint) -> None:
    first, second = (broken(simple, BUGS["double_softmax"]).model.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_training_that_turns_to_nan_has_parted() -> None:
    a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    b.load_state_dict(a.state_dict())
    assert _difference_of(3, (1.0, 1.0), a, b) is None
    found = _difference_of(3, (1.0, math.nan), a, b)
    assert found is not None and (found.step, found.what) == (3, "loss")
    with torch.no_grad():
        b.weight[1, 0] = math.nan
    found = _difference_of(3, (1.0, 1.0), a, b)
    assert found is not None and (found.where, found.cell) == ("weight", (1, 0))
