"""Arithmetic that no recorded step stands for: sums, products and distances of vectors that a page shows.

In float64, like every explanation. Vectors are [d].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmviz.trace.operations.explanation import TERMS, Explanation, Piece, Term, Terms, write


def total(numbers: ArrayLike) -> Explanation:
    """a + b + …"""
    values = _floats(numbers)
    return Explanation(r"\sum_i a_i", _terms(values, lambda i: (float(values[i]),)), float(values.sum()))


def mean(fractions: Sequence[tuple[float, float]]) -> Explanation:
    """(a/b + c/d + …) / n, of one fraction just a/b; fractions are given as (above, below)."""
    above, below = (_floats([pair[i] for pair in fractions]) for i in (0, 1))
    values = above / below
    written: tuple[Piece, ...] = (TERMS,) if len(values) == 1 else write("({terms}) / {n}", n=float(len(values)))
    terms = _terms(values, lambda i: (float(above[i]), " / ", float(below[i])))
    return Explanation(r"\frac{1}{n} \sum_i \frac{a_i}{b_i}", terms, float(values.mean()), written)


def dot(a: ArrayLike, b: ArrayLike) -> Explanation:
    """a · b"""
    left, right = _floats(a), _floats(b)
    values = left * right
    terms = _terms(values, lambda i: (float(left[i]), " × ", float(right[i])))
    return Explanation(r"\sum_i a_i \, b_i", terms, float(values.sum()))


def length(a: ArrayLike) -> Explanation:
    """|a|, the root of the sum of the squares."""
    numbers = _floats(a)
    terms = _terms(numbers**2, lambda i: (float(numbers[i]), "²"))
    return Explanation(r"\sqrt{\sum_i a_i^2}", terms, float(np.linalg.norm(numbers)), ("√(", TERMS, ")"))


def distance(a: ArrayLike, b: ArrayLike, metric: str) -> tuple[tuple[str, Explanation], ...]:
    """How far a is from b, line by line; the last line is the distance.

    Returns:
        "euclidean": the length of the difference. "cosine": the dot product, both lengths, and
        1 − a · b / (|a| |b|), NaN where a vector is 0 and has no direction. Each with its name.
    """
    left, right = _floats(a), _floats(b)
    if metric == "euclidean":
        values = (left - right) ** 2
        terms = _terms(values, lambda i: ("(", float(left[i]), " − ", float(right[i]), ")²"))
        root = float(np.sqrt(values.sum()))
        return (("euclidean", Explanation(r"\sqrt{\sum_i (a_i - b_i)^2}", terms, root, ("√(", TERMS, ")"))),)
    product, first, second = dot(left, right), length(left), length(right)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = float(np.divide(product.value, first.value * second.value))
    written = write("1 − {dot} / ({a} × {b})", dot=product.value, a=first.value, b=second.value)
    apart = Explanation(r"1 - \frac{a \cdot b}{|a| \, |b|}", (), 1 - float(np.clip(cosine, -1, 1)), written)
    return ("dot", product), ("length_a", first), ("length_b", second), ("cosine", apart)


def softmax(scores: ArrayLike, own: int) -> Explanation:
    """The share of e^s among all: what is -inf has none."""
    numbers = _floats(scores)
    highest = float(numbers.max())
    values = np.exp(numbers - highest)
    terms = _terms(values, lambda i: ("exp(", float(numbers[i]), " − ", highest, ")"))
    written = write("exp({x} − {m}) / {all}", x=float(numbers[own]), m=highest, all=float(values.sum()))
    return Explanation(r"\frac{e^{s - m}}{\sum_i e^{s_i - m}}", terms, float(values[own] / values.sum()), written)


def _floats(numbers: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(numbers, np.float64)


def _terms(values: NDArray[np.float64], written: Callable[[int], tuple[Piece, ...]]) -> Terms:
    def term(i: int) -> Term:
        return Term(str(i), (float(values[i]),), float(values[i]), (None,), written(i))

    return Terms(values, term)
