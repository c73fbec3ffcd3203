"""Laws of distances, maps and n-grams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lmviz.embed.distances import distances
from lmviz.embed.fasttext import ngrams
from lmviz.embed.pca import pca

VECTORS = array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=7).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-50, 50).map(float))
)


@given(VECTORS)
def test_distances_are_symmetric_and_nothing_is_far_from_itself(vectors: np.ndarray) -> None:
    for metric, most in (("cosine", 2), ("euclidean", np.inf)):
        between = distances(vectors, vectors, metric)
        np.testing.assert_allclose(between, between.T, atol=1e-9)
        far = between[~np.isnan(between)]
        assert ((far >= 0) & (far <= most)).all()
    assert not distances(vectors, vectors, "euclidean").diagonal().any()


@given(VECTORS)
def test_a_map_on_all_axes_loses_nothing(vectors: np.ndarray) -> None:
    n_axes = min(vectors.shape)
    full = pca(vectors, n_axes)
    np.testing.assert_allclose(full.points @ full.axes + full.mean, vectors, atol=1e-8)
    np.testing.assert_allclose(full.axes @ full.axes.T, np.eye(n_axes), atol=1e-9)
    assert sum(full.kept) == pytest.approx(1) or not any(full.kept)
    assert list(full.kept) == sorted(full.kept, reverse=True)


@given(VECTORS)
def test_a_map_does_not_turn_round_when_the_vectors_are_listed_backwards(vectors: np.ndarray) -> None:
    forwards, backwards = pca(vectors, 1), pca(vectors[::-1], 1)
    if len(set(np.round(pca(vectors, min(2, *vectors.shape)).kept, 6))) > 1:  # else the first axis is not unique
        largest = np.abs(forwards.axes[0])
        if np.sort(largest)[-1] - np.sort(largest)[-2] > 1e-6:
            np.testing.assert_allclose(forwards.points, backwards.points[::-1], atol=1e-6)


@given(st.text(min_size=1, max_size=12))
def test_ngrams_cover_the_word_and_its_ends(word: str) -> None:
    grams = ngrams(word)
    assert grams[-1] == f"<{word}>" or f"<{word}>" in grams
    assert len(set(grams)) == len(grams)
    assert all(gram in f"<{word}>" for gram in grams)
