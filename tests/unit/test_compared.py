"""A, B and A − B, on every page that compares."""

from __future__ import annotations

import numpy as np
import pytest

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


def test_both_have_one_scale_and_their_difference_its_own() -> None:
    drawn = matrices.three((np.array([[3.0]]), np.array([[3.01]])), ("w",), ("row", "col"))
    assert [(one.mark, one.name) for one in drawn] == [("A", "w"), ("B", "w"), ("A − B", "w")]
    assert [one.peak for one in drawn] == pytest.approx([3.01, 3.01, 0.01], rel=1e-3)
    rounded = matrices.three((np.array([[3.0]]), np.array([[3.0 + 3e-7]])), ("w",), ("row", "col"))
    assert rounded[2].peak > 3e-5, "rounding has no colour"
    shares = matrices.three((np.array([[0.9]]), np.array([[0.8]])), ("pattern",), ("query", "key"), share=True)
    assert [one.share for one in shares] == [True, True, False]
