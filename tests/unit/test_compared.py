"""A, B and A − B, on every page that compares."""

from __future__ import annotations

import numpy as np

from lmviz.ui import compared, matrices


def test_a_difference_is_taken_where_both_have_a_cell() -> None:
    a, b, apart = compared.three(np.arange(6.0).reshape(2, 3), np.ones((3, 2)))
    assert apart.cells.tolist() == [[-1, 0], [2, 3]]
    assert (a.cells.shape, b.cells.shape) == ((2, 3), (3, 2))
    assert [(side.mark, side.sign, side.result) for side in (a, b, apart)] == [
        ("A", "", False),
        ("B", "−", False),
        ("A − B", "=", True),
    ]


def test_what_is_the_same_does_not_differ_and_masks_have_a_difference_too() -> None:
    scores = np.array([[-np.inf, 1.0, np.inf]])
    assert compared.three(scores, scores)[2].cells.tolist() == [[0, 0, 0]]
    mask = np.array([[True, False]])
    assert compared.three(mask, ~mask)[2].cells.tolist() == [[1, -1]]


def test_all_three_have_one_scale() -> None:
    drawn = matrices.three((np.array([[1.0]]), np.array([[-3.0]])), ("w",), ("row", "col"))
    assert [(one.peak, one.mark, one.name) for one in drawn] == [(4, "A", "w"), (4, "B", "w"), (4, "A − B", "w")]
