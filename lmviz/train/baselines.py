"""Losses to compare a model with: what counting alone would reach on the same targets."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

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
    pairs = list(_pairs(windows))
    return Baselines(
        uniform=math.log(d_vocab),
        unigram=_conditional_entropy([((), target) for _, target in pairs]),
        bigram=_conditional_entropy([(context[-1:], target) for context, target in pairs]),
        floor=_conditional_entropy(pairs),
    )


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


def _conditional_entropy(pairs: list[tuple[Context, int]]) -> float:
    """Shannon 1948: the mean of -ln p(target | context), with p from the counts of these same pairs."""
    contexts = Counter(context for context, _ in pairs)
    return sum(-n * math.log(n / contexts[context]) for (context, _), n in Counter(pairs).items()) / len(pairs)
