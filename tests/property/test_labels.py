"""Names on a map lie over nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lmviz.embed.pca import pca
from lmviz.ui.labels import LETTER, _pixels, placed, places

POINTS = st.integers(1, 40).flatmap(lambda n: arrays(np.float64, (n, 2), elements=st.floats(-10, 10)))


@given(POINTS, st.sampled_from([270, 560]))
def test_no_name_lies_over_another_or_outside(points: np.ndarray, width: int) -> None:
    names, sizes = [f"word{i}" for i in range(len(points))], [13.0] * len(points)
    found = placed(points, names, sizes, width, 390, 26)
    at = _pixels(points, width, 390, 26)
    boxes = []
    for i, place in enumerate(found):
        if place is not None:
            x, y = at[i] + place
            half = LETTER * 13 * len(names[i]) / 2
            boxes.append((x - half, y - 6.5, x + half, y + 6.5))
    for i, a in enumerate(boxes):
        assert a[0] >= 0 and a[1] >= 0 and a[2] <= width and a[3] <= 390
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[i + 1 :])
    assert found[0] is not None or len(points) > 1


@given(POINTS)
def test_names_lie_apart_on_a_map_whose_ends_stay_where_they_are(points: np.ndarray) -> None:
    """Also where many points are one: of twenty names at one place, few are written."""
    names, ends = ["ab"] * len(points), np.array([[-10.0, -10.0], [10.0, 10.0]])
    found = places(points, names, [16] * len(points), 260, ends)
    at = _pixels(points, 560, 200, 0, ends)
    moved = zip(at, found["wide_dx"], found["wide_dy"], strict=True)
    middles = [(x + dx, y + dy) for (x, y), dx, dy in moved if dx is not None]
    for i, (x, y) in enumerate(middles):
        assert all(abs(x - a) >= 16 * LETTER * 2 - 1e-6 or abs(y - b) >= 16 - 1e-6 for a, b in middles[i + 1 :])


@given(arrays(np.float64, (6, 4), elements=st.floats(-10, 10)), st.integers(0, 100))
def test_the_shares_of_a_map_are_those_of_the_vectors_that_are_shown(vectors: np.ndarray, seed: int) -> None:
    plane = pca(vectors)
    assert np.allclose(plane.shares(vectors), plane.kept, atol=1e-9)
    others = np.random.default_rng(seed).normal(size=(6, 4))
    placed_there = plane.place(others)
    assert np.allclose(plane.shares(others), placed_there.var(axis=0) / others.var(axis=0).sum())
