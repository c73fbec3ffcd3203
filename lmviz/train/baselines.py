"""Losses to compare a model with: what counting alone would reach on the same targets."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lmviz.train.data import IGNORED, Windows

Context = tuple[int, ...]


@dataclass(frozen=True)
class Baselines:
    """Nats per target."""

    uniform: float  # ln d_vocab: every token as likely as any other
    unigram: float  # knowing only how often each token is the target
    bigram: float  # knowing also the token before
    floor: float  # knowing all that the model sees: no model of this context does better on these texts


def baselines(windows: Windows, d_vocab: int) -> Baselines:
    """The entropy of a target given 0, 1 or all tokens before it, counted over the windows themselves."""
    counted = windows.targets != IGNORED
    targets = windows.targets[counted]
    return Baselines(
        uniform=math.log(d_vocab),
        unigram=_conditional_entropy(torch.zeros_like(targets), targets),
        bigram=_conditional_entropy(windows.inputs[counted], targets),
        floor=_conditional_entropy(_prefixes(windows.inputs)[counted], targets),
    )


def double_softmax_floor(d_vocab: int) -> float:
    """The loss in nats below which no model gets that puts softmax before a loss that has a softmax of its own.

    The first softmax gives at best a 1 and zeros; the second makes e / (e + d_vocab - 1) of that 1.
    """
    return math.log1p((d_vocab - 1) / math.e)


def counted_loss(counted: Windows, measured: Windows, n_seen: int, d_vocab: int) -> float:
    """Nats per target of `measured` under counts from `counted`, given the last `n_seen` tokens.

    Every count starts at 1, so that what was never seen is unlikely and not impossible (Laplace).
    """
    counts: dict[Context, Counter[int]] = defaultdict(Counter)
    for context, target in _pairs(counted):
        counts[_last(context, n_seen)][target] += 1
    losses = []
    for context, target in _pairs(measured):
        seen = counts[_last(context, n_seen)]
        losses.append(-math.log((seen[target] + 1) / (seen.total() + d_vocab)))
    return sum(losses) / len(losses)


def _pairs(windows: Windows) -> Iterator[tuple[Context, int]]:
    """Every target with all the tokens that its window shows before it."""
    for inputs, targets in zip(windows.inputs.tolist(), windows.targets.tolist(), strict=True):
        for pos, target in enumerate(targets):
            if target != IGNORED:
                yield tuple(inputs[: pos + 1]), target


def _last(context: Context, n_seen: int) -> Context:
    return context[len(context) - n_seen :] if n_seen else ()


def _prefixes(inputs: Tensor) -> Tensor:
    """For every position of every window, a number that stands for all of the window up to there: [window, pos]."""
    found, before, n_found = [], torch.zeros(len(inputs), dtype=torch.long), 0
    for ids in inputs.T:
        different, before = torch.unique(before * (inputs.max() + 1) + ids, return_inverse=True)
        found.append(before + n_found)
        n_found += len(different)
    return torch.stack(found, dim=1)


def _conditional_entropy(contexts: Tensor, targets: Tensor) -> float:
    """Shannon 1948: the mean of -ln p(target | context), with p from the counts of these same pairs."""
    n_ids = int(targets.max()) + 1
    different, n_contexts = torch.unique(contexts, return_counts=True)
    pairs, n_pairs = torch.unique(contexts * n_ids + targets, return_counts=True)
    n_of_context = n_contexts[torch.searchsorted(different, pairs // n_ids)]
    return float((n_pairs * torch.log(n_of_context / n_pairs.double())).sum()) / len(targets)
