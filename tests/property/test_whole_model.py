"""Laws of the whole model's picture: what it draws is what was recorded."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Recording, Request
from lmviz.stages.navigation import Navigator
from lmviz.stages.stage import Stage
from lmviz.stages.whole_model import ALL, MEAN, MOST_BLOCKS, MOST_LANES, MOST_SHARES, WholeModel, whole_model
from lmviz.trace.recorder import record
from lmviz.trace.step import Array
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.step_through.whole_scene import whole
from tests.by_transformers import of_transformers
from tests.conftest import PROMPTS, SAMPLES
from tests.examples import times

MODELS = Models()
MOST_BYTES = 700_000  # of what is sent of a recording, whatever the model's size
TEXTS = st.builds(
    lambda model, reps: (model, (PROMPTS[model] + (" " if " " in PROMPTS[model] else "")) * reps),
    st.sampled_from(SAMPLES),
    st.integers(1, 4),
)


def recorded(model: str, text: str) -> Recording:
    return MODELS.record(Request(read_reference(model), text))


def check_laws(found: WholeModel, navigator: Navigator, n_pos: int) -> None:
    """What holds of every causal model."""
    assert [pos for lane in found.lanes for pos in lane] == list(range(n_pos))
    attending = [part.shares for part in found.parts if part.shares is not None]
    assert attending
    for shares in attending:
        assert shares.shape == (len(found.heads), len(found.lanes), len(found.lanes))
        assert shares.sum(-1) == pytest.approx(1, abs=1e-5)
        assert (shares >= 0).all() and not np.triu(shares, 1).any()
    assert sum(shares.size for shares in attending) <= MOST_SHARES
    assert all((part.lengths >= 0).all() for part in found.parts if part.lengths is not None)
    assert found.chances is not None
    assert (np.diff(found.chances.shares, axis=1) <= 0).all() and (found.chances.shares.sum(1) <= 1 + 1e-5).all()
    stages = [part.stage.index for part in found.parts]
    assert stages == sorted(set(stages)) and set(stages) <= {stage.index for stage in navigator.stages}


def _made_by(run: Recording, stage: Stage) -> Array:
    return np.concatenate([step.outputs[0].array.ravel() for step in run.trace[stage.first : stage.last + 1]])


@pytest.mark.slow
@times(2)
@given(TEXTS, st.integers(ALL, 4))
def test_what_is_drawn_of_a_sample_was_recorded(asked: tuple[str, str], head: int) -> None:
    run = recorded(*asked)
    found = run.whole(head)
    check_laws(found, run.navigator, len(run.tokens))
    assert found.heads == (MEAN, *range(found.n_heads)) and not found.shares_a_lane and not found.groups_blocks
    patterns = [step.outputs[0].array[0] for step in run.trace if step.address.endswith(".pattern")]
    drawn = [part.shares for part in found.parts if part.shares is not None]
    for pattern, shares in zip(patterns, drawn, strict=True):
        assert np.array_equal(shares[1:], pattern)
        assert shares[0] == pytest.approx(pattern.mean(0), abs=1e-6)
    for part in found.parts:
        if part.stage.kind in ("embeddings", "mix", "mlp", "residual", "final_norm", "logits"):
            made = run.trace[part.stage.stop].outputs[0].array[0].astype(float)
            assert part.lengths == pytest.approx(np.linalg.norm(made, axis=1), rel=1e-5)
            assert part.cells is not None and np.isin(part.cells, _made_by(run, part.stage)).all()
    assert [part.stage.kind for part in found.parts if part.is_stream] == ["embeddings"] + ["residual"] * 2 * len(drawn)
    probs = run.trace["readout.probs"].outputs[0].array[0]
    assert found.chances is not None and np.array_equal(found.chances.shares[:, 0], probs.max(1))
    assert found.chances.rest == pytest.approx(np.sort(probs.astype(float))[:, :-5].sum(1), rel=1e-9, abs=0)


@cache
def large() -> tuple[Navigator, int]:
    """Fourteen blocks of `transformers`' Llama, whose heads share keys, and more tokens than there are lanes."""
    model = of_transformers(
        "llama", num_hidden_layers=MOST_BLOCKS + 2, hidden_size=8, intermediate_size=8, num_key_value_heads=2,
        max_position_embeddings=128,
    )  # fmt: skip
    ids = torch.arange(MOST_LANES + 6)[None] % 40
    with torch.no_grad():
        trace = record(model, ids)
    return Navigator(trace), ids.shape[1]


@pytest.mark.parametrize("head", [MEAN, 3, ALL])
def test_of_a_large_model_neighbours_are_drawn_as_one_and_rows_still_sum_to_1(head: int) -> None:
    navigator, n_pos = large()
    found = whole_model(navigator, n_pos, asked=head)
    assert found.groups_blocks and found.shares_a_lane and len(found.blocks) <= MOST_BLOCKS
    assert [name for block in found.blocks for name in block.names] == [str(i) for i in range(MOST_BLOCKS + 2)]
    assert found.heads == ((MEAN, *range(4)) if head == ALL else (head,)) and found.n_heads == 4
    shares = [part.shares for part in found.parts if part.shares is not None]
    streams = [part.stage.kind for part in found.parts if part.is_stream]
    assert streams == ["embeddings"] + ["residual"] * 2 * len(found.blocks)
    assert len(shares) == len(found.blocks) and sum(one.size for one in shares) <= MOST_SHARES
    for one in shares:
        assert one.sum(-1) == pytest.approx(1, abs=1e-5) and not np.triu(one, 1).any()
    if head != ALL:
        first = [step for step in navigator.trace if step.op == "softmax"][: len(found.blocks[0].names)]
        weights = np.mean([step.outputs[0].array[0].astype(float) for step in first], axis=0)
        weights = weights.mean(0) if head == MEAN else weights[head]
        asks, read = found.lanes[-1], found.lanes[3]
        sent = weights[asks.start : asks.stop, read.start : read.stop].sum(1).mean()
        assert shares[0][0, -1, 3] == pytest.approx(sent, abs=1e-6)


def test_what_is_sent_is_bounded_whatever_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    navigator, n_pos = large()
    run = recorded("names", ".mar")
    monkeypatch.setattr(type(run), "whole", lambda self, asked: whole_model(navigator, n_pos, asked=asked))
    monkeypatch.setattr("lmviz.ui.step_through.whole_scene._lane_text", lambda run, lane: "x" * 20)
    for shown in ("", "3", "all"):
        view = StepThroughView(model=run.request.model, map=shown)
        assert len(json.dumps(whole(run, view), allow_nan=False)) < MOST_BYTES
