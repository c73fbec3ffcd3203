"""How alike several answers are: the course's average distance, on the vectors of a real model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lmviz.embed.distances import distances
from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class AnswerDistances:
    """Distances between answers. The course compares the first one with each of the others."""

    vectors: NDArray[np.float64]  # [answer, d_model]
    all: NDArray[np.float64]  # [answer, answer]
    to_first: tuple[float, ...]  # of the others, in order
    average: float  # of `to_first`


def answer_distances(checkpoint: Checkpoint, answers: Sequence[str], metric: str = "cosine") -> AnswerDistances:
    """The distances between answers, and the course's `calculate_average_distance`: 0 if they are all the same."""
    if len(answers) < 2:
        raise UserError("A distance needs two answers or more; got {n}.", n=len(answers))
    vectors = np.stack([text_vector(checkpoint, answer) for answer in answers])
    between = distances(vectors, vectors, metric)
    to_first = between[0, 1:]
    return AnswerDistances(vectors, between, tuple(to_first.tolist()), float(to_first.mean()))


def text_vector(checkpoint: Checkpoint, text: str) -> NDArray[np.float64]:
    """One vector [d_model] for a text: the mean over its positions of what the model unembeds.

    The mean is the simplest way that works (Reimers & Gurevych 2019, 3). Of a text longer than the context, only the
    end is read.
    """
    ids = checkpoint.tokenizer.encode(text).ids[-checkpoint.config.n_ctx :]
    if not ids:
        raise UserError("The text {text!r} has no token that this model knows.", text=text[:80])
    mean: NDArray[np.float64] = final_vectors(checkpoint, ids).mean(axis=0)
    return mean


def final_vectors(checkpoint: Checkpoint, ids: Sequence[int]) -> NDArray[np.float64]:
    """What goes into the model's unembedding, [pos, d_model]."""
    unembed = getattr(checkpoint.model, "unembed", None)
    if not isinstance(unembed, nn.Module):
        raise UserError("This model has no unembedding by the name of unembed, whose input a vector could be.")
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen.append(inputs[0].detach())

    handle = unembed.register_forward_pre_hook(keep)
    try:
        with torch.no_grad():
            checkpoint.model(torch.tensor([list(ids)]))
    finally:
        handle.remove()
    return seen[0][0].double().numpy()
