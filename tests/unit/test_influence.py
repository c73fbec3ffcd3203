"""What mattered most is measured by what it says: a head switched off, a token hidden from all later ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import lmviz
from lmviz.registry.edits import HeadOff
from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Recording, Request
from lmviz.services import influence as measuring
from lmviz.services.influence import cost, each_head, influence
from lmviz.ui.course.chapters import chapters
from lmviz.ui.text import LANGUAGES

MODELS = Models()
RUNS = {
    "names": ".mari",
    "names-llama": ".anna",
    "pokemon": ".pik",
    "sentences": "La souris a faim, donc elle mange du",
    "small-ever": "Clem",
}


def run_of(model: str, prompt: str, temperature: float = 1.0, edits: tuple[HeadOff, ...] = ()) -> Recording:
    return MODELS.record(Request(read_reference(model), prompt, temperature=temperature, edits=edits))


def share(run: Recording, pos: int, token_id: int) -> float:
    probs = run.trace.value("readout.probs")
    assert probs is not None
    return float(probs.array[0, pos, token_id])


def shares_without_heads(run: Recording, pos: int, token_id: int) -> dict[tuple[str, int], float]:
    """With every head off in its turn, as the page's own button does it."""
    found = {}
    for stage in run.navigator.stages:
        if stage.kind == "softmax":
            value = run.trace[stage.stop].outputs[0]
            for head in range(value.shape[1]):
                off = HeadOff(value.address, head)
                request = run.request
                changed = run_of(str(request.model), request.prompt, request.temperature, (off,))
                found[stage.block_name, head] = share(changed, pos, token_id)
    return found


def shares_with_masked_tokens(run: Recording, pos: int, token_id: int) -> list[float]:
    """With every earlier token in its turn masked for all later ones: −∞ in the scores, before the softmax."""
    found = []
    for key in range(pos):

        def masked(scores: Tensor, key: int = key) -> Tensor:
            scores[:, :, key + 1 :, key] = -math.inf
            return scores

        softmaxes = [run.trace[stage.stop] for stage in run.navigator.stages if stage.kind == "softmax"]
        edits = {step.inputs[0].address: masked for step in softmaxes}
        with torch.no_grad():
            logits = lmviz.record(run.checkpoint.model, run.tokens.ids_tensor, edits=edits).output[0, pos]
        found.append(float(torch.softmax(logits.double() / run.request.temperature, -1)[token_id]))
    return found


@pytest.mark.nightly
@pytest.mark.sampled(3)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("model", RUNS)
def test_the_head_and_the_token_that_matter_most_are_those_of_single_runs(model: str, temperature: float) -> None:
    run = run_of(model, RUNS[model], temperature)
    for pos in {len(run.tokens) - 1, len(run.tokens) // 2}:
        found = influence(MODELS, run, pos)
        assert found is not None and found.head is not None and not found.by_block
        row = run.trace["readout.probs"].outputs[0].array[0, pos]
        assert (found.token_id, found.share) == (int(row.argmax()), float(row.max()))
        heads = shares_without_heads(run, pos, found.token_id)
        assert found.n_heads == len(heads)
        assert found.head.without == pytest.approx(heads[found.head.block, found.head.head], abs=1e-5)
        assert abs(found.head.without - found.share) >= max(abs(one - found.share) for one in heads.values()) - 1e-5
        tokens = shares_with_masked_tokens(run, pos, found.token_id)
        assert found.n_tokens == len(tokens) == pos
        if found.token is None:
            assert pos == 0
        else:
            assert found.token.without == pytest.approx(tokens[found.token.pos], abs=1e-5)
            farthest = float(np.abs(np.array(tokens) - found.share).max())
            assert abs(found.token.without - found.share) == pytest.approx(farthest, abs=1e-5)


@pytest.mark.slow
def test_of_a_large_model_the_heads_of_one_block_are_measured_and_of_a_huge_one_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, models = run_of("names", ".mari"), Models()
    whole = cost(run)
    monkeypatch.setattr(measuring, "AT_ONCE", whole / 10)
    assert cost(run) < whole
    found = influence(models, run, 4)
    assert found is not None and found.head is not None and found.by_block
    assert found.n_heads == 4
    heads = shares_without_heads(run, 4, found.token_id)
    assert found.head.without == pytest.approx(heads[found.head.block, found.head.head], abs=1e-6)
    monkeypatch.setattr(measuring, "MOST", whole / 10**6)
    assert influence(models, run, 3) is None


def test_what_was_changed_by_hand_is_not_measured() -> None:
    run = run_of("names", ".mari", edits=(HeadOff("blocks.0.attn.pattern", 1),))
    assert cost(run) == math.inf
    assert influence(MODELS, run, 4) is None


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("model", ["names", "names-llama", "sentences"])
def test_what_each_head_does_is_what_switching_it_off_changes(model: str) -> None:
    run = run_of(model, RUNS[model])
    pos = len(run.tokens) - 1
    for stage in [stage for stage in run.navigator.stages if stage.kind == "softmax"][:2]:
        found = each_head(MODELS, run, pos, run.trace[stage.stop].outputs[0].address)
        assert found is not None
        theirs = shares_without_heads(run, pos, found.token_id)
        for one in found.heads:
            assert one.without == pytest.approx(theirs[one.block, one.head], rel=1e-4, abs=1e-6)
    changed = run_of(model, RUNS[model], edits=(HeadOff(run.trace[stage.stop].outputs[0].address, 0),))
    assert each_head(MODELS, changed, pos, run.trace[stage.stop].outputs[0].address) is None


def test_the_head_of_the_course_is_the_one_that_changes_the_answer_most() -> None:
    for language in LANGUAGES:
        chapter = next(one for one in chapters(language)[0] if "attention" in one.name)
        (place,) = [task.view.query for task in chapter.tasks if task.check == "head_off" and task.view]
        run = run_of(place["model"], place["prompt"])
        found = each_head(MODELS, run, len(run.tokens) - 1, place["step"])
        assert found is not None
        changes = [abs(one.without - found.share) for one in found.heads]
        assert int(place["head"]) == int(np.argmax(changes)) and max(changes) > 0.1
