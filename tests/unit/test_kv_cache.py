"""Writing with a KV cache: what each step kept, computed and found different."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.generate.cached import CachedReader, can_cache
from lmviz.generate.generation import Writing, generate
from lmviz.generate.settings import Settings
from lmviz.model.architectures import architecture_of
from lmviz.model.checkpoint import Checkpoint, load
from tests.conftest import SAMPLES

GREEDY = Settings("greedy", max_new_tokens=12)


@pytest.fixture(scope="module", params=SAMPLES)
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return load(request.param)


def test_with_a_cache_the_same_text_is_written(checkpoint: Checkpoint) -> None:
    prompt = (1, 2, 3)
    cached = Writing(checkpoint, prompt, GREEDY, cached=CachedReader(checkpoint)).first(12)
    assert cached.new_ids == generate(checkpoint, prompt, GREEDY).new_ids
    assert all(step.cache is not None and step.cache.difference < 1e-4 for step in cached.steps)


def test_a_step_computes_only_the_new_position_until_the_text_slides(checkpoint: Checkpoint) -> None:
    n_ctx, prompt = checkpoint.config.n_ctx, (1, 2, 3)
    if n_ctx > 60:
        n_ctx, checkpoint = 6, replace(checkpoint, config=replace(checkpoint.config, n_ctx=6))
    length = n_ctx + 2 - len(prompt) + 1
    steps = Writing(checkpoint, prompt, replace(GREEDY, max_new_tokens=length), cached=CachedReader(checkpoint))
    uses = [step.cache for step in steps.first(length).steps]
    for index, use in enumerate(uses):
        assert use is not None
        n_read = min(n_ctx, len(prompt) + index)
        first_or_slid = index == 0 or len(prompt) + index > n_ctx
        assert (use.n_kept, use.n_new) == ((0, n_read) if first_or_slid else (n_read - 1, 1))


def test_what_is_kept_is_counted_in_bytes(checkpoint: Checkpoint) -> None:
    config = checkpoint.config
    reader = CachedReader(checkpoint)
    writing = Writing(checkpoint, (1, 2), GREEDY, cached=reader)
    before = writing.n_bytes
    (step,) = writing.first(1).steps
    assert step.cache is not None
    n_heads = architecture_of(config).key_heads(config)
    assert {tensor.shape for tensor in step.cache.tensors} == {(1, n_heads, 2, config.d_head)}
    assert [(tensor.layer, tensor.name) for tensor in step.cache.tensors] == [
        (layer, name) for layer in range(config.n_layers) for name in "kv"
    ]
    assert step.cache.n_bytes == 2 * config.n_layers * 2 * n_heads * config.d_head * 4 == reader.n_bytes
    assert writing.n_bytes == before + step.logits.nbytes + reader.n_bytes


def test_another_text_is_not_read_with_what_was_kept_of_this_one() -> None:
    checkpoint = load("names")
    reader, plain = CachedReader(checkpoint), torch.zeros(checkpoint.config.d_vocab)
    for ids, n_kept in (((1, 2, 3), 0), ((1, 2, 3, 4), 3), ((1, 2, 5, 4, 6), 0), ((1, 2, 5), 0), ((1, 2, 5, 4), 3)):
        found, use = reader.next_logits(ids, plain)
        assert use.n_kept == n_kept
        with torch.no_grad():
            assert torch.allclose(found, checkpoint.model(torch.tensor([ids]))[0, -1], atol=1e-4)


def test_a_difference_that_a_broken_cache_makes_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = load("names")
    reader = CachedReader(checkpoint)
    writing = Writing(checkpoint, (1, 2, 3), GREEDY, cached=reader)
    writing.first(1)
    reader._cache = tuple(replace(layer, k=layer.k + 1.0, v=-layer.v) for layer in reader._cache)
    (_, second) = writing.first(2).steps
    assert second.cache is not None and second.cache.difference > 0.01


def test_a_model_of_another_class_has_no_cache() -> None:
    checkpoint = load("names")

    class Changed(type(checkpoint.model)):  # type: ignore[misc]
        def forward(self, ids: Tensor) -> Tensor:
            logits: Tensor = super().forward(ids)
            return -logits

    changed: nn.Module = Changed(checkpoint.config)
    assert can_cache(checkpoint) and not can_cache(replace(checkpoint, model=changed))
    with pytest.raises(UserError, match="KV cache"):
        CachedReader(replace(checkpoint, model=changed))
