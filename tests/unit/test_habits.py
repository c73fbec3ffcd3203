"""Modules in the habits that people have, attached: stages, names, every sampled cell right, every place drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from lmviz.attach.example import Example
from lmviz.attach.run import facts_of, traced
from lmviz.registry.attached import Attached
from lmviz.registry.program import Asked, OwnRun
from lmviz.registry.recording import Recording, Request
from lmviz.stages.navigation import Location, Navigator
from lmviz.trace.opened import opened
from lmviz.trace.saved import save
from lmviz.trace.step import Trace
from lmviz.ui.step_through.inspector import purpose
from lmviz.ui.step_through.scene import scene
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.step_through.whole_scene import whole
from lmviz.ui.text import Language
from tests.property.test_explain_zoo import check_cell
from tests.zoo.habits import HABITS


@cache
def attached(name: str) -> tuple[Example, Trace]:
    torch.manual_seed(0)
    habit = HABITS[name]
    model = habit.make()
    example = Example(model.eval() if isinstance(model, nn.Module) else model, habit.inputs())
    return example, traced(example, Asked())


def test_there_are_enough_of_them() -> None:
    assert len(HABITS) >= 25


@pytest.mark.slow
@pytest.mark.parametrize("name", HABITS)
def test_it_has_its_stages_and_its_names(name: str) -> None:
    habit, (_, trace) = HABITS[name], attached(name)
    assert (trace.failure is not None) is habit.raises
    for address in habit.names:
        assert address in trace, trace.find()
    kinds = {stage.kind for stage in Navigator(trace).stages}
    assert kinds >= set(habit.stages), kinds


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", HABITS)
def test_every_sampled_cell_is_worked_out(name: str) -> None:
    for step in attached(name)[1]:
        for output, value in enumerate(step.outputs):
            if value.array.size:
                check_cell(attached(name)[1], step, output, tuple(n // 2 for n in value.shape))


@pytest.mark.slow
@pytest.mark.parametrize("name", HABITS)
def test_an_address_names_the_tensor_that_was_read(name: str) -> None:
    _, trace = attached(name)
    for value in (value for step in trace for value in (*step.inputs, *step.outputs) if value.address):
        assert trace.value(value.address) is value
        assert value.role == "activation" or value.address not in trace


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", HABITS)
def test_every_place_of_it_is_drawn_also_from_a_file(name: str, tmp_path: Path) -> None:
    example, trace = attached(name)
    save(trace, tmp_path / "it", facts_of(example, trace))
    read = opened(tmp_path / "it")
    run = OwnRun.of(read.trace, read.more)
    view = StepThroughView(model=Attached("own"))
    recording = Recording(Request(view.model, ""), run, run.tokens, 0, None, Navigator(run.trace))
    places = [Location("stage", stage.index) for stage in recording.navigator.stages]
    places += [Location("op", index) for index in range(0, len(run.trace), max(1, len(run.trace) // 6))]
    for place in places:
        drawn = scene(recording, view, place, {})
        assert "{" not in drawn["say"]["text"] and json.dumps(drawn)
    for step in run.trace:
        assert "{" not in purpose(recording, step.address, view)
    assert json.dumps(whole(recording, replace(view, map="all")), allow_nan=False)


@pytest.mark.parametrize(
    ("lang", "said"), [(Language("en"), "those of the first"), (Language("fr"), "ceux du premier")]
)
def test_what_vmap_did_for_many_says_whose_numbers_they_are(lang: Language, said: str) -> None:
    trace = attached("heads by vmap")[1]
    run = OwnRun.of(trace, facts_of(*attached("heads by vmap")))
    view = StepThroughView(model=Attached("own"), lang=lang)
    recording = Recording(Request(view.model, ""), run, run.tokens, 0, None, Navigator(trace))

    def notes(address: str) -> list[str]:
        picture = scene(recording, view, Location("op", trace[address].index), {})["picture"]
        assert picture["kind"] == "tensors"
        return [panel["note"] for panel in picture["panels"]]

    assert all(said in note for note in notes("pattern"))
    assert not any(notes("embed"))


def test_a_bias_that_layers_share_is_part_of_the_scores_of_each() -> None:
    kinds = [stage.kind for stage in Navigator(attached("a bias that layers share")[1]).stages]
    assert kinds.count("residual") == 4 and kinds.count("scores") == 2, kinds


@pytest.mark.filterwarnings("ignore")
def test_packed_weights_which_compare_with_nothing_are_drawn() -> None:
    example = Example(torch.ao.nn.quantized.dynamic.Linear(4, 3), (torch.ones(1, 4),))
    trace = traced(example, Asked())
    run = OwnRun.of(trace, facts_of(example, trace))
    view = StepThroughView(model=Attached("own"))
    recording = Recording(Request(view.model, ""), run, run.tokens, 0, None, Navigator(trace))
    assert "W_prepack" in scene(recording, view, Location("op", 0), {})["say"]["settings"]
