"""A map of vectors: the plane on which they spread out most (principal components, Pearson 1901, Hotelling 1933)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmviz.errors import UserError

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Map:
    """Vectors on a few axes. `points @ axes + mean` is what the map knows of the vectors."""

    points: Matrix  # [n, n_axes]
    axes: Matrix  # [n_axes, d], each of length 1 and at right angles to the others
    mean: NDArray[np.float64]  # [d]
    kept: tuple[float, ...]  # the share of the variance on each axis; all 0 if the vectors are all the same

    def shares(self, vectors: ArrayLike) -> tuple[float, ...]:
        """The share of the variance of other vectors [n, d] along each axis; all 0 if they are all the same."""
        matrix = np.asarray(vectors, np.float64)
        off = matrix - matrix.mean(axis=0)
        along = ((off @ self.axes.T) ** 2).sum(axis=0)
        total = float((off**2).sum())
        return tuple((along / total if total > 0 else np.zeros(len(self.axes))).tolist())

    def place(self, vectors: ArrayLike) -> Matrix:
        """Where other vectors [n, d] lie on the same map."""
        placed: Matrix = (np.asarray(vectors, np.float64) - self.mean) @ self.axes.T
        return placed


def pca(vectors: ArrayLike, n_axes: int = 2) -> Map:
    """The map of vectors [n, d] that keeps the most variance, by singular value decomposition, in float64.

    A direction and its opposite are equally good; of the two, each axis is the one whose largest entry is positive.
    """
    matrix = np.atleast_2d(np.asarray(vectors, np.float64))
    n, d = matrix.shape
    if n < 2 or not 1 <= n_axes <= min(n, d):
        raise UserError(
            "A map of {n_axes} axes needs as many vectors, and two at least, of as many numbers; got {n} of {d}.",
            n_axes=n_axes,
            n=n,
            d=d,
        )
    if not np.isfinite(matrix).all():
        raise UserError("A map needs finite numbers; these vectors have NaN or infinite ones.")
    mean = matrix.mean(axis=0)
    _, lengths, directions = np.linalg.svd(matrix - mean, full_matrices=False)
    axes = _with_fixed_signs(directions[:n_axes])
    total = (lengths**2).sum()
    kept = lengths[:n_axes] ** 2 / total if total > 0 else np.zeros(n_axes)
    return Map((matrix - mean) @ axes.T, axes, mean, tuple(kept.tolist()))


def _with_fixed_signs(axes: Matrix) -> Matrix:
    largest = np.abs(axes).argmax(axis=1)
    signs = np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)
    return axes * signs[:, None]
