"""Llama with a KV cache: the forward pass of llama.py, for the new positions alone.

Keys are kept as they were turned, and only those that there are: where heads share them, the cache is smaller.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lmviz.model.kv_cache import KVCache, attend, blocks_with_layers, n_cached
from lmviz.model.llama import Llama


def read_on(model: Llama, ids: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
    """What `model` gives for the ids [batch, new] after the positions that are cached; dropout is off."""
    first = n_cached(cache)
    pos = torch.arange(first, first + ids.shape[1], device=ids.device)  # [new]
    angle = pos[:, None] * model.freq  # [new, d_head], in radians
    x = model.tok_embed(ids)  # [batch, new, d_model]
    layers = []
    for block, layer in blocks_with_layers(model, cache):
        q, k, v = _q_k_v(block.attn, block.norm_1(x))
        joined, layer = attend(_turned(q, angle), _turned(k, angle), v, layer)  # [batch, new, d_heads]
        x_mid = x + block.attn.w_o(joined)  # [batch, new, d_model]
        x = x_mid + block.mlp(block.norm_2(x_mid))  # [batch, new, d_model]
        layers.append(layer)
    logits = model.unembed(model.norm_final(x))  # [batch, new, d_vocab]
    return logits, tuple(layers)


def _q_k_v(attn: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    heads, kv_heads = (attn.cfg.n_heads, attn.cfg.d_head), (attn.cfg.n_kv_heads, attn.cfg.d_head)
    q = attn.norm_q(attn.w_q(x).unflatten(-1, heads)).transpose(1, 2)  # [batch, head, new, d_head]
    k = attn.norm_k(attn.w_k(x).unflatten(-1, kv_heads)).transpose(1, 2)  # [batch, kv_head, new, d_head]
    v = attn.w_v(x).unflatten(-1, kv_heads).transpose(1, 2)  # [batch, kv_head, new, d_head]
    return q, k, v


def _turned(x: Tensor, angle: Tensor) -> Tensor:
    """Each pair of numbers turned by the angle of its position: x [batch, head, new, d_head], angle [new, d_head]."""
    first, second = x.chunk(2, dim=-1)
    quarter = torch.cat((-second, first), dim=-1)
    return x * angle.cos().to(x.dtype) + quarter * angle.sin().to(x.dtype)
