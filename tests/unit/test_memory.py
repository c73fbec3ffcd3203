"""Memory: the estimate against what torch measures, a real limit that is really reached, and its cures."""

from __future__ import annotations

from dataclasses import replace

import pytest

import lmviz
from lmviz.debug.memory.cures import cures, needed
from lmviz.debug.memory.estimate import estimate
from lmviz.debug.memory.trial import LARGEST, MEGABYTE, Trial, try_out
from lmviz.errors import UserError
from lmviz.train.initial import config_of, sizes_of
from lmviz.train.memory import memory_of
from lmviz.train.recipe import ModelRecipe
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

WIDE = Trial(
    ModelRecipe("gpt2", n_ctx=64, n_layers=4, d_model=256, n_heads=4, d_mlp=1024), 500, 32, 64, limit=96 * MEGABYTE
)


@pytest.mark.nightly
@pytest.mark.sampled(3)
@pytest.mark.parametrize(("sample", "batch_size"), [("pokemon", 8), ("names-llama", 8), ("simple-llm", 64)])
def test_the_estimate_is_within_a_fifth_of_what_torch_measures(sample: str, batch_size: int) -> None:
    config = lmviz.load(ROOT / "sample_models" / sample).config
    trial = Trial(sizes_of(config), config.d_vocab, batch_size, config.n_ctx)
    measured = try_out(trial)
    estimated = estimate(config, "adam", batch_size)
    assert measured.ended == "finished"
    assert estimated.total == pytest.approx(measured.peak, rel=0.2)
    assert estimated["weights"] == measured.weights == measured.gradients
    assert estimated["optimizer"] == pytest.approx(measured.optimizer, rel=0.1)  # a step count for each tensor
    assert estimated["block"] + estimated["ends"] == pytest.approx(measured.activations, rel=0.2)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("architecture", ["gpt2", "mini_llm"])
def test_the_parts_add_up_to_the_memory_of_a_training(architecture: str, dropout: float) -> None:
    if architecture == "mini_llm" and dropout:
        return
    sizes = ModelRecipe(architecture, n_ctx=20, n_layers=3, d_model=24, n_heads=2, d_mlp=40, dropout=dropout)
    config = config_of(sizes, 50)
    parts, memory = estimate(config, "adamw", 7), memory_of(config, "adamw", 7)
    assert parts.total - parts["working"] == memory.total
    assert parts["block"] + parts["ends"] == memory.activations


@pytest.mark.nightly
def test_a_real_limit_is_reached_told_and_cured() -> None:
    failed = try_out(WIDE)
    assert failed.ended == "out_of_memory"
    assert failed.asked > 0
    assert failed.during in ("forward", "backward")
    assert failed.line
    found = cures(WIDE)
    assert [cure.name for cure in found] == ["batch", "model", "length"]
    for cure in found:
        assert cure.needed <= WIDE.limit < needed(WIDE)
        assert try_out(cure.trial).ended == "finished"


@pytest.mark.nightly
def test_the_line_that_asked_for_too_much_is_a_line_of_the_model() -> None:
    failed = try_out(replace(WIDE, limit=32 * MEGABYTE))
    assert failed.place.startswith(("gpt2.py:", "plain_loop.py:", "initial.py:"))


def test_a_trial_that_takes_too_long_is_ended() -> None:
    assert try_out(WIDE, time_limit=0.01).ended == "timed_out"


def test_a_limit_beyond_the_machines_is_refused() -> None:
    with pytest.raises(UserError, match="4096 megabytes"):
        try_out(replace(WIDE, limit=LARGEST + 1))
