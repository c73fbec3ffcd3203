"""What may be done to the scores of the next token before one is drawn; each filter is a line or three of torch.

Scores are [d_vocab], one for every token, on the scale of logits: their softmax is a distribution, and a token with
score -inf is out. Every filter equals the processor of that name in the `transformers` library to the last bit, ties
included, and leaves at least one token in (`ban_repeats` alone may leave none).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def penalise_repeats(scores: Tensor, ids: Sequence[int], penalty: float) -> Tensor:
    """Divide the score of every token in `ids` by the penalty; multiply it if it is negative (Keskar et al. 2019)."""
    used = torch.zeros_like(scores, dtype=torch.bool).index_fill(-1, torch.tensor(ids, dtype=torch.long), True)
    penalised = torch.where(scores < 0, scores * penalty, scores / penalty)
    return torch.where(used, penalised, scores)


def ban_repeats(scores: Tensor, ids: Sequence[int], size: int) -> Tensor:
    """Ban every token that would end a run of `size` tokens which is in `ids` already (Paulus et al. 2018, 2.5)."""
    return scores.index_fill(-1, torch.tensor(repeats(ids, size), dtype=torch.long), -math.inf)


def repeats(ids: Sequence[int], size: int) -> list[int]:
    """The tokens that, put after `ids`, end in a run of `size` tokens which was there before."""
    last = tuple(ids[len(ids) - size + 1 :]) if len(ids) >= size else None
    runs = (tuple(ids[start : start + size]) for start in range(len(ids) - size + 1))
    return sorted({run[-1] for run in runs if run[:-1] == last})


def apply_temperature(scores: Tensor, temperature: float) -> Tensor:
    """Divide by the temperature: below 1 the gaps between scores widen, above 1 they close (Ackley et al. 1985)."""
    return scores / temperature


def keep_top_k(scores: Tensor, k: int) -> Tensor:
    """Cut what scores lower than the k-th token (Fan et al. 2018, 5). Tokens that tie with the k-th stay."""
    threshold = scores.topk(min(k, scores.shape[-1])).values[-1]
    return scores.masked_fill(scores < threshold, -math.inf)


def keep_top_p(scores: Tensor, p: float) -> Tensor:
    """Keep the fewest tokens whose probabilities make p together (Holtzman et al. 2020, 3.1); one token at least.

    Counted from the other end, as `transformers` does: the unlikeliest tokens go, as long as they make 1 - p at most.
    """
    ordered, ids = scores.sort()  # the unlikeliest first
    reached = ordered.softmax(-1).cumsum(-1)
    is_last = torch.arange(len(ids)) == len(ids) - 1
    is_cut = (reached <= 1 - p) & ~is_last
    return scores.masked_fill(torch.zeros_like(is_cut).scatter(-1, ids, is_cut), -math.inf)


def keep_min_p(scores: Tensor, min_p: float) -> Tensor:
    """Cut what is less than `min_p` times as likely as the likeliest token (Nguyen et al. 2024, 3)."""
    probs = scores.softmax(-1)
    return scores.masked_fill(probs < min_p * probs.amax(-1), -math.inf)
