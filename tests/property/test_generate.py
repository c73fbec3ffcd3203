"""Laws of generation, whatever the scores and the settings."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmviz.generate.columns import columns
from lmviz.generate.draw import draw
from lmviz.generate.filters import repeats
from lmviz.generate.measures import MEASURES, diversity
from lmviz.generate.settings import Settings, notes

SCORES = st.lists(st.floats(-80, 80, width=32) | st.sampled_from([0.0, 1.0, -math.inf]), min_size=1, max_size=60)
LOGITS = (SCORES | st.lists(st.floats(-3, 3, width=32), min_size=2, max_size=9)).filter(
    lambda scores: max(scores) > -math.inf
)
SETTINGS = st.builds(
    Settings,
    strategy=st.sampled_from(["sample", "sample", "sample", "greedy"]),
    repetition_penalty=st.just(1.0) | st.floats(0.01, 100),
    no_repeat_ngram=st.integers(0, 4),
    temperature=st.sampled_from([0.0, 1.0, 1.0]) | st.floats(0.001, 1000),
    top_k=st.just(0) | st.integers(1, 80),
    top_p=st.just(1.0) | st.floats(0, 1),
    min_p=st.just(0.0) | st.floats(0, 1),
)


@given(LOGITS, SETTINGS, st.data())
def test_every_column_is_a_distribution_that_only_loses_tokens(
    logits: list[float], chosen: Settings, data: st.DataObject
) -> None:
    ids = data.draw(st.lists(st.integers(0, len(logits) - 1), min_size=1, max_size=20))
    made = columns(torch.tensor(logits), ids, chosen)
    for before, after in pairwise(made):
        kept = after.scores > -np.inf
        assert not (kept & (before.scores == -np.inf)).any()
        assert set(after.cut) == set(np.flatnonzero((before.scores > -np.inf) & ~kept))
        assert (after.why is None) == (not after.is_on)
        if after.n_kept:
            assert after.probs.sum() == pytest.approx(1, abs=1e-5)
            assert (after.probs[~kept] == 0).all()


@given(LOGITS, SETTINGS, st.data())
def test_filters_never_keep_what_they_must_cut(logits: list[float], chosen: Settings, data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(0, len(logits) - 1), min_size=1, max_size=20))
    by_name = {column.name: column for column in columns(torch.tensor(logits), ids, chosen)}
    names = list(by_name)
    for before, after in ((by_name[names[i]], by_name[name]) for i, name in enumerate(names[1:])):
        if not after.is_on:
            continue
        kept, probs = after.scores > -np.inf, before.probs.astype(np.float64)
        match after.name:
            case "no_repeat_ngram":
                assert not kept[repeats(ids, chosen.no_repeat_ngram)].any()
            case "top_k":
                n_higher = (before.scores[:, None] < before.scores[None, :]).sum(axis=1)
                assert (n_higher[kept] < chosen.top_k).all()
                assert n_higher[kept].size >= min(chosen.top_k, before.n_kept)
            case "top_p":
                likelier = np.sort(probs[kept])[1:].sum()  # without the unlikeliest of those kept, it is too little
                assert likelier < chosen.top_p + 1e-5
                assert probs[kept].sum() > chosen.top_p - 1e-5
            case "min_p":
                assert (probs[kept] >= chosen.min_p * probs.max() - 1e-7).all()
                assert (probs[~kept] < chosen.min_p * probs.max() + 1e-7).all()


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40).filter(any), st.floats(0, 1, exclude_max=True))
def test_a_draw_never_takes_what_is_impossible(weights: list[float], number: float) -> None:
    probs = (np.array(weights) / np.sum(weights)).astype(np.float32)
    if not (probs > 0).any():
        return
    drawn = draw(probs, number)
    start, end = drawn.share
    assert probs[drawn.chosen] > 0
    assert start <= number < end
    assert end - start == pytest.approx(probs[drawn.chosen], abs=1e-5)


@given(SETTINGS, st.integers(1, 100))
def test_whatever_is_told_can_be_said(chosen: Settings, d_vocab: int) -> None:
    assert all(sentence.format(**details) for sentence, details in notes(chosen, d_vocab))


@given(st.lists(st.lists(st.integers(0, 3), max_size=8), max_size=5))
def test_measures_are_shares(texts: list[list[int]]) -> None:
    measured = diversity(texts)
    for name in MEASURES:
        share, counts = getattr(measured, name), getattr(measured, f"{name}_of")
        assert share is None if not counts else 0 <= share <= 1
        assert all(0 <= n <= of for n, of in counts)
