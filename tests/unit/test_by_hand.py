"""Arithmetic of numbers that no recorded step stands for: what is written gives the number, and it is torch's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from lmviz.embed.distances import METRICS, distances
from lmviz.explain.by_hand import distance, dot, length, mean, softmax, total
from lmviz.trace.operations.explanation import TERMS, Explanation

VECTORS = st.integers(1, 9).flatmap(
    lambda n: st.tuples(*(st.lists(st.floats(-9, 9, width=32), min_size=n, max_size=n) for _ in range(2)))
)
SIGNS = {" × ": "*", " − ": "-", " / ": "/", "1 − ": "1-", "²": "**2", ")²": ")**2", "√(": "sqrt("}


def calculated(why: Explanation) -> float:
    """What a pocket calculator makes of what is written."""
    terms = "+".join("(" + "".join(map(_typed, term.pieces)) + ")" for term in why.terms) or "0"
    typed = "".join(terms if piece is TERMS else _typed(piece) for piece in why.written)
    return float(eval(typed, {"sqrt": math.sqrt, "exp": math.exp}))


def _typed(piece: object) -> str:
    if not isinstance(piece, str):
        return f"({float(piece)!r})"  # type: ignore[arg-type]
    for sign, typed in SIGNS.items():
        piece = piece.replace(sign, typed)
    return piece


@given(VECTORS)
def test_what_is_written_is_what_comes_out(two: tuple[list[float], list[float]]) -> None:
    a, b = two
    found = [total(a), dot(a, b), length(a), mean([(x, abs(y) + 1) for x, y in zip(a, b, strict=True)]), softmax(a, 0)]
    for why in (*found, *(why for metric in METRICS if any(a) and any(b) for _, why in distance(a, b, metric))):
        if math.isfinite(why.value):
            assert calculated(why) == pytest.approx(why.value, rel=1e-9, abs=1e-9)


@given(VECTORS)
def test_what_comes_out_is_what_torch_and_the_page_compute(two: tuple[list[float], list[float]]) -> None:
    a, b = (torch.tensor(vector, dtype=torch.float64) for vector in two)
    assert dot(a, b).value == pytest.approx(float(a @ b))
    assert length(a).value == pytest.approx(float(a.norm()))
    assert softmax(a, 0).value == pytest.approx(float(F.softmax(a, -1)[0]))
    for metric in METRICS:
        shown = float(distances(a.numpy(), b.numpy(), metric)[0, 0])
        assert distance(a, b, metric)[-1][1].value == pytest.approx(shown, abs=1e-9, nan_ok=True)


def test_what_is_out_has_no_share() -> None:
    why = softmax([1.0, -np.inf, 2.0], 1)
    assert why.value == 0
    assert why.values.tolist() == pytest.approx([math.exp(-1), 0, 1])
