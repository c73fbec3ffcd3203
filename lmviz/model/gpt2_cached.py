"""GPT-2 with a KV cache: the forward pass of gpt2.py, for the new positions alone."""

from __future__ import annotations

import torch
from torch import Tensor

from lmviz.model.gpt2 import GPT2
from lmviz.model.kv_cache import KVCache, attend, blocks_with_layers, n_cached, q_k_v


def read_on(model: GPT2, ids: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
    """What `model` gives for the ids [batch, new] after the positions that are cached; dropout is off."""
    first = n_cached(cache)
    pos = torch.arange(first, first + ids.shape[1], device=ids.device)  # [new]
    x = model.tok_embed(ids) + model.pos_embed(pos)  # [batch, new, d_model]
    layers = []
    for block, layer in blocks_with_layers(model, cache):
        joined, layer = attend(*q_k_v(block.attn, block.norm_1(x)), layer)  # [batch, new, d_model]
        x_mid = x + block.attn.w_o(joined)  # [batch, new, d_model]
        x = x_mid + block.mlp(block.norm_2(x_mid))  # [batch, new, d_model]
        layers.append(layer)
    logits = model.unembed(model.norm_final(x))  # [batch, new, d_vocab]
    return logits, tuple(layers)
