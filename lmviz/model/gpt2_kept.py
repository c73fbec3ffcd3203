"""GPT-2 with a KV cache: the forward pass of gpt2.py, for the new positions alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lmviz.model.gpt2 import GPT2
from lmviz.model.kept import Kept, attend, n_kept


def read_on(model: GPT2, ids: Tensor, kept: Kept) -> tuple[Tensor, Kept]:
    """What `model` gives for the ids [batch, new] after the positions that are kept; dropout is off."""
    first = n_kept(kept)
    pos = torch.arange(first, first + ids.shape[1], device=ids.device)  # [new]
    x = model.tok_embed(ids) + model.pos_embed(pos)  # [batch, new, d_model]
    blocks: Any = model.blocks
    layers = []
    for block, layer in zip(blocks, kept or [None] * len(blocks), strict=True):
        joined, layer = attend(block.attn, block.norm_1(x), layer)  # [batch, new, d_model]
        x_mid = x + block.attn.w_o(joined)  # [batch, new, d_model]
        x = x_mid + block.mlp(block.norm_2(x_mid))  # [batch, new, d_model]
        layers.append(layer)
    logits = model.unembed(model.norm_final(x))  # [batch, new, d_vocab]
    return logits, tuple(layers)
