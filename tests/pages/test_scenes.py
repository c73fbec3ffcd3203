"""Every place of every sample model can be drawn, forwards and backwards."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from lmviz.registry.kinds import read_reference
from lmviz.registry.recording import Recording, Request
from lmviz.services.services import Services
from lmviz.stages.navigation import Grain, Location
from lmviz.ui.pictures import lead_of
from lmviz.ui.step_through import events
from lmviz.ui.step_through.scene import scene
from lmviz.ui.step_through.view import StepThroughView
from tests.conftest import PROMPTS, SAMPLES
from tests.pages.conftest import cells_of


@cache
def run(model: str) -> Recording:
    return Services().models.record(Request(read_reference(model), PROMPTS[model], gradients=True))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("grain", ["stage", "line", "op"])
@pytest.mark.parametrize("model", SAMPLES)
def test_every_place_is_drawn(model: str, grain: Grain, grad: bool) -> None:
    found = run(model)
    for index in range(found.navigator.count(grain)):
        drawn = scene(found, StepThroughView(model=read_reference(model), grad=grad), Location(grain, index), {})
        assert drawn["say"]["title"]


@pytest.mark.parametrize("head", range(4))
def test_the_cell_that_the_loss_reacts_most_to_is_of_the_head_that_is_named_and_not_masked(head: int) -> None:
    found = run("names")
    for stage in found.navigator.stages:
        if stage.kind not in ("scores", "softmax"):
            continue
        drawn = scene(
            found,
            StepThroughView(model=read_reference("names"), grad=True, head=head),
            Location("stage", stage.index),
            {},
        )
        named = re.search(r"In head (\d), .* to \w+\[([\d, ]+)\]", drawn["say"]["text"])
        assert named is not None
        cell = tuple(map(int, named[2].split(", ")))
        assert int(named[1]) == head == cell[1]
        assert cell[3] <= cell[2]
        grad = found.trace[stage.last].outputs[0].grad
        assert grad is not None
        seen = np.tril(np.abs(grad[0, head]))
        assert abs(grad[cell]) == seen.max()


def test_the_line_that_is_lit_made_the_pinned_cell() -> None:
    found = run("pokemon")
    (stage,) = [stage for stage in found.navigator.stages if stage.kind == "scores"]
    for address in ("blocks.0.attn.scores", "blocks.0.attn.masked"):
        view = StepThroughView(model=read_reference("pokemon"), cell=(address, (0, 0, 3, 1)))
        source = scene(found, view, Location("stage", stage.index), {})["source"]
        line = source["lines"][source["lit"]["lines"][0] - source["first"]]["text"]
        assert address.rpartition(".")[2] in line.partition("=")[0] or "masked_fill" in line
    elsewhere = StepThroughView(model=read_reference("pokemon"), cell=("blocks.0.attn.q", (0, 0, 3, 1)))
    own = scene(found, StepThroughView(model=read_reference("pokemon")), Location("stage", stage.index), {})["source"][
        "lit"
    ]
    assert scene(found, elsewhere, Location("stage", stage.index), {})["source"]["lit"] == own


@pytest.mark.parametrize("address", ["blocks.0.attn.pattern", "blocks.0.attn.q", "blocks.0.x_mid"])
def test_a_and_b_are_drawn_on_one_scale_and_their_difference_on_its_own(address: str) -> None:
    found, other = run("pokemon"), Services().models.record(Request(read_reference("pokemon"), ".evo", gradients=True))
    stages = found.navigator.stages
    stage = next(stage for stage in stages if stage.first <= found.trace[address].index <= stage.last)
    view = StepThroughView(model=read_reference("pokemon"), b_prompt=".evo")
    panels = scene(found, view, Location("stage", stage.index), {}, None, other)["picture"]["panels"]
    a, b, apart = [panel for panel in panels if panel["address"] == address]
    assert [panel["mark"] for panel in (a, b, apart)] == ["A", "B", "A − B"]
    assert (a["scale"], a["peak"]) == (b["scale"], b["peak"])
    assert a["scale"] == ("share" if address.endswith("pattern") else "signed")
    finite = cells_of(apart)[np.isfinite(cells_of(apart))]
    assert apart["scale"] == "signed" and apart["peak"] == pytest.approx(float(np.abs(finite).max()), rel=1e-6)


def test_probabilities_have_the_scale_of_shares_and_scores_that_of_signed_numbers() -> None:
    found = run("pokemon")
    for kind, name, scale in (("softmax", "pattern", "share"), ("scores", "masked", "signed")):
        (stage,) = [stage for stage in found.navigator.stages if stage.kind == kind]
        panels = scene(found, StepThroughView(model=read_reference("pokemon")), Location("stage", stage.index), {})[
            "picture"
        ]["panels"]
        (panel,) = [panel for panel in panels if panel["address"].endswith(f".{name}")]
        assert panel["scale"] == scale


def test_a_cell_that_nobody_has_clicked_is_seen_in_its_head() -> None:
    """It was typed, or it is an operand, or a breakpoint has stopped at it: keys that heads share are seen too."""
    found = run("names-llama")
    view = StepThroughView(model=found.request.model, step="blocks.0.attn.pattern", by="stage", head=1)
    for address in ("blocks.0.attn.pattern", "blocks.0.attn.k"):
        value = found.trace.value(address)
        assert value is not None
        for head in range(value.shape[1]):
            cell = (0, head, *(n - 1 for n in value.shape[2:]))
            asked = {"address": address, "cell": list(cell)}
            for event in ("pin", "walk"):
                now = events.EVENTS[event](found, view, asked).head
                assert lead_of(value.shape, value.axes, now, 0, found.config.n_heads) == (0, head), (address, head)
    assert events.EVENTS["pin"](found, view, {"address": address, "cell": [0, 0, 0, 0]}).head == 1  # which reads it too
