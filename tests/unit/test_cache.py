"""What is kept: made once, within its limits, and never mistaken for another."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import nn

import lmviz
from lmviz.registry.cache import Budget
from lmviz.registry.holdings import holdings, model_bytes
from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from tests.conftest import ROOT


@dataclass(frozen=True)
class Weight:
    """So many bytes of one owner."""

    owner: object
    size: int

    def n_bytes(self) -> int:
        return self.size


def words(thing: object) -> Iterator[Weight]:
    """A word takes a byte a letter; a list of words, its words."""
    for word in thing if isinstance(thing, list) else [thing]:
        if isinstance(word, str):
            yield Weight(word, len(word))


def budget(n_bytes: int = 1000) -> Budget:
    return Budget(n_bytes, words)


def test_a_thing_is_made_once_for_many_threads() -> None:
    cache, made, barrier = budget().cache(2), [], threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        cache.get(0, lambda: made.append(1) or "thing")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def kept(cache: object, *keys: int) -> list[int]:
    return [key for key in keys if key in cache]  # type: ignore[operator]


def test_the_most_recent_are_kept() -> None:
    cache = budget().cache(2)
    for key in (1, 2, 1, 3):
        cache.get(key, lambda key=key: key)
    assert kept(cache, 1, 2, 3) == [1, 3]


def test_two_caches_share_one_limit_and_the_oldest_of_both_goes_first() -> None:
    shared = budget(6)
    a, b = shared.cache(9), shared.cache(9)
    a.get(1, lambda: "aaa")
    b.get(2, lambda: "bb")
    a.get(1, lambda: "never")
    a.get(3, lambda: "ccc")
    assert kept(a, 1, 3) == [1, 3] and kept(b, 2) == []
    assert shared.spent() == 6


def test_a_part_that_two_things_hold_counts_once_and_the_parts_of_a_key_count_too() -> None:
    shared, word = budget(8), "words"
    cache = shared.cache(9)
    cache.get(1, lambda: [word])
    cache.get(2, lambda: [word, "abc"])
    assert shared.spent() == 8 and kept(cache, 1, 2) == [1, 2]
    cache.get("key", lambda: 0)
    assert kept(cache, 1, 2) == []


def test_what_was_made_last_is_kept_however_large() -> None:
    cache = budget(3).cache(9)
    cache.get(1, lambda: "too many")
    assert kept(cache, 1) == [1]


def test_what_was_dropped_is_looked_for_when_it_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking takes as long as a click."""
    looked: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: looked.append(1))
    cache = budget(1600).cache(1)
    for key in range(21):
        cache.get(key, lambda key=key: f"{key:010}")
    assert len(looked) == 1  # 20 words of 10 bytes were dropped: one time they were more than 100
    cache.get("large", lambda: "x" * 500)
    cache.get("next", lambda: "")
    assert len(looked) == 2


def test_a_failed_making_is_not_kept() -> None:
    cache = budget().cache(2)
    with pytest.raises(ValueError, match="no"):
        cache.get(0, lambda: (_ for _ in ()).throw(ValueError("no")))
    assert not cache._making  # visitors choose the keys: none of what failed is held on to
    assert cache.get(0, lambda: 3) == 3


def test_models_tensors_and_recordings_are_found_wherever_they_are_held() -> None:
    checkpoint = lmviz.load(ROOT / "sample_models/pokemon")
    trace = lmviz.record(checkpoint.model, torch.tensor([[0, 1]]))
    found = {id(one.owner): one for one in holdings((checkpoint, {"a": [trace]}, torch.zeros(3)))}
    assert sum(one.n_bytes() for one in found.values()) == (
        model_bytes(checkpoint.model) + sum(segment.recorder.spent for segment in trace.segments) + 12
    )
    assert not list(holdings(("text", 3, nn.Linear)))


def test_a_recording_counts_the_model_that_it_keeps_alive() -> None:
    models = Models()
    recording = models.record(Request(read_reference("pokemon"), ".pik"))
    segments = recording.trace.segments
    weights, activations = model_bytes(recording.checkpoint.model), sum(one.recorder.spent for one in segments)
    assert models._budget.spent() == weights + activations
