"""How far vectors are from each other, in float64: by angle and by length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmviz.errors import UserError

METRICS = ("cosine", "euclidean")
BLOCK = 8192  # rows at once, so that a vocabulary of 50,000 needs no second copy of its table

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Neighbour:
    """A vector near another one."""

    id: int  # its row
    distance: float


def distances(a: ArrayLike, b: ArrayLike, metric: str = "cosine") -> Matrix:
    """All distances [n, m] between the rows of a [n, d] and of b [m, d].

    "cosine" is 1 − the cosine of the angle: 0 for the same direction, 1 for a right angle, 2 for opposite ones, NaN if
    a vector is 0 and has no direction. "euclidean" is the length of the difference.
    """
    left, right = np.atleast_2d(np.asarray(a, np.float64)), np.atleast_2d(np.asarray(b, np.float64))
    if metric == "cosine":
        with np.errstate(invalid="ignore", divide="ignore"):
            return 1 - np.clip(_directions(left) @ _directions(right).T, -1, 1)
    if metric == "euclidean":
        return np.array([np.linalg.norm(right - row, axis=1) for row in left]).reshape(len(left), len(right))
    raise UserError("A distance must be one of {known}; got {metric!r}.", known=", ".join(METRICS), metric=metric)


def neighbours(vectors: NDArray[Any], id: int, n: int = 5, metric: str = "cosine") -> tuple[Neighbour, ...]:
    """The n rows nearest to a row, the nearest first, itself left out; rows without a direction come last."""
    return nearest(vectors, vectors[id], n, metric, without=(id,))


def nearest(
    vectors: NDArray[Any], to: ArrayLike, n: int = 5, metric: str = "cosine", without: tuple[int, ...] = ()
) -> tuple[Neighbour, ...]:
    """The n rows nearest to any vector [d]."""
    blocks = [vectors[start : start + BLOCK] for start in range(0, len(vectors), BLOCK)]
    found = np.concatenate([distances(to, block, metric)[0] for block in blocks])
    order = [int(id) for id in np.argsort(found, kind="stable") if id not in without]
    return tuple(Neighbour(id, float(found[id])) for id in order[:n])


def _directions(vectors: Matrix) -> Matrix:
    directions: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return directions
