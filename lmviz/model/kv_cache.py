"""A KV cache: what attention has computed of the positions before, kept, so that only new positions are computed."""

# torch types whatever a module returns as Any:
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class CachedLayer:
    """The keys and values of one block; a later position changes neither, since no position sees what follows it."""

    k: Tensor  # [batch, kv_head, pos, d_head], turned by their positions where the architecture turns them
    v: Tensor  # [batch, kv_head, pos, d_head]

    def with_new(self, k: Tensor, v: Tensor) -> CachedLayer:
        """Those of new positions after these."""
        return CachedLayer(torch.cat([self.k, k], dim=2), torch.cat([self.v, v], dim=2))


KVCache = tuple[CachedLayer, ...]  # one for each block; empty: nothing is there yet

ReadOn = Callable[[Any, Tensor, KVCache], tuple[Tensor, KVCache]]
"""(model, ids [batch, new], cache) -> logits of the new positions alone, [batch, new, d_vocab], and the next cache."""


def n_cached(cache: KVCache) -> int:
    """How many positions have their keys and values there."""
    return cache[0].k.shape[2] if cache else 0


def blocks_with_layers(model: nn.Module, cache: KVCache) -> Iterator[tuple[Any, CachedLayer | None]]:
    """Each block of a lesson with what is cached of it; None at the beginning of a text."""
    blocks: Any = model.blocks
    return zip(blocks, cache or [None] * len(blocks), strict=True)


def q_k_v(attn: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of new positions, x [batch, new, d_model], where every head has its own."""
    heads = (attn.cfg.n_heads, attn.cfg.d_head)
    q = attn.w_q(x).unflatten(-1, heads).transpose(1, 2)  # [batch, head, new, d_head]
    k = attn.w_k(x).unflatten(-1, heads).transpose(1, 2)  # [batch, head, new, d_head]
    v = attn.w_v(x).unflatten(-1, heads).transpose(1, 2)  # [batch, head, new, d_head]
    return q, k, v


def attend(q: Tensor, k: Tensor, v: Tensor, layer: CachedLayer | None) -> tuple[Tensor, CachedLayer]:
    """Attention of new positions to those before and to one another.

    Args:
        q: [batch, head, new, d_head]; k and v: [batch, kv_head, new, d_head], of the new positions.

    Returns:
        [batch, new, d_heads], the heads side by side; and the layer with the new keys and values.
    """
    layer = CachedLayer(k, v) if layer is None else layer.with_new(k, v)
    n_sharing = q.shape[1] // k.shape[1]
    k_each = layer.k.repeat_interleave(n_sharing, dim=1)  # [batch, head, pos, d_head]
    v_each = layer.v.repeat_interleave(n_sharing, dim=1)  # [batch, head, pos, d_head]
    n_new, n_pos = q.shape[2], layer.k.shape[2]
    scores = q @ k_each.transpose(-2, -1) / math.sqrt(q.shape[-1])  # [batch, head, new, pos]
    causal = torch.ones(n_new, n_pos, dtype=torch.bool, device=q.device).tril(n_pos - n_new)  # [new, pos]
    masked = scores.masked_fill(~causal, -math.inf)  # [batch, head, new, pos]
    pattern = F.softmax(masked, dim=-1)  # [batch, head, new, pos], each row sums to 1
    z = pattern @ v_each  # [batch, head, new, d_head]
    return z.transpose(1, 2).flatten(-2), layer
