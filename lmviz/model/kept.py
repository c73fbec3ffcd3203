"""A KV cache: what attention has computed of the positions before, kept, so that only new positions are computed."""

# torch types whatever a module returns as Any:
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class KeptLayer:
    """The keys and values of one block; a later position changes neither, since no position sees what follows it."""

    k: Tensor  # [batch, head, kept, d_head]
    v: Tensor  # [batch, head, kept, d_head]


Kept = tuple[KeptLayer, ...]  # one for each block; empty: nothing is kept yet

ReadOn = Callable[[Any, Tensor, Kept], tuple[Tensor, Kept]]
"""(model, ids [batch, new], kept) -> logits of the new positions alone [batch, new, d_vocab], and what is now kept."""


def n_kept(kept: Kept) -> int:
    """How many positions have their keys and values there."""
    return kept[0].k.shape[2] if kept else 0


def attend(attn: Any, x: Tensor, kept: KeptLayer | None) -> tuple[Tensor, KeptLayer]:
    """Attention of new positions to those kept and to one another, with the weights of a lesson's `Attention`.

    Args:
        attn: has `cfg`, `w_q`, `w_k`, `w_v` and `causal`.
        x: [batch, new, d_model], of the new positions.

    Returns:
        [batch, new, d_model], the heads side by side; and the layer with the new keys and values at its end.
    """
    heads = (attn.cfg.n_heads, attn.cfg.d_head)
    q = attn.w_q(x).unflatten(-1, heads).transpose(1, 2)  # [batch, head, new, d_head]
    k = attn.w_k(x).unflatten(-1, heads).transpose(1, 2)  # [batch, head, new, d_head]
    v = attn.w_v(x).unflatten(-1, heads).transpose(1, 2)  # [batch, head, new, d_head]
    if kept is not None:
        k = torch.cat([kept.k, k], dim=2)  # [batch, head, pos, d_head]
        v = torch.cat([kept.v, v], dim=2)  # [batch, head, pos, d_head]
    n_pos, n_before = k.shape[2], k.shape[2] - q.shape[2]
    scores = q @ k.transpose(-2, -1) / math.sqrt(attn.cfg.d_head)  # [batch, head, new, pos]
    masked = scores.masked_fill(~attn.causal[n_before:n_pos, :n_pos], -math.inf)  # [batch, head, new, pos]
    pattern = F.softmax(masked, dim=-1)  # [batch, head, new, pos], each row sums to 1
    z = pattern @ v  # [batch, head, new, d_head]
    return z.transpose(1, 2).flatten(-2), KeptLayer(k, v)
