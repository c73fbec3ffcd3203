"""Embeddings, distances and maps against torch's own functions."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from lmviz.embed.distances import distances
from lmviz.embed.lookup import OneHotLookup
from lmviz.embed.pca import pca


def test_a_one_hot_product_is_an_embedding_forwards_and_backwards() -> None:
    torch.manual_seed(0)
    weight, ids = torch.randn(11, 4), torch.tensor([[1, 5, 1], [10, 0, 3]])
    ours, theirs = OneHotLookup(weight), torch.nn.Embedding.from_pretrained(weight, freeze=False)
    assert torch.equal(ours(ids), theirs(ids))
    ours(ids).pow(2).sum().backward()
    theirs(ids).pow(2).sum().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


def test_distances_are_those_of_torch() -> None:
    a, b = torch.randn(5, 7, dtype=torch.float64), torch.randn(6, 7, dtype=torch.float64)
    cosine = 1 - F.cosine_similarity(a[:, None], b[None], dim=-1)
    np.testing.assert_allclose(distances(a, b), cosine, atol=1e-12)
    np.testing.assert_allclose(distances(a, b, "euclidean"), torch.cdist(a, b), atol=1e-12)


def test_a_map_is_that_of_the_covariance() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 6)) @ np.diag([5, 4, 3, 2, 1, 0.5])
    variances, directions = np.linalg.eigh(np.cov(vectors.T))
    found = pca(vectors, 3)
    np.testing.assert_allclose(found.kept, variances[::-1][:3] / variances.sum(), rtol=1e-9)
    np.testing.assert_allclose(np.abs(found.axes @ directions[:, ::-1][:, :3]), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(found.points.var(axis=0, ddof=1), variances[::-1][:3], rtol=1e-9)
