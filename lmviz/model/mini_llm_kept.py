"""The mini-LLM with a KV cache: the forward pass of mini_llm.py, for the new positions alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lmviz.model.kept import Kept, attend, n_kept
from lmviz.model.mini_llm import MiniLLM


def read_on(model: MiniLLM, ids: Tensor, kept: Kept) -> tuple[Tensor, Kept]:
    """What `model` gives for the ids [batch, new] after the positions that are kept."""
    first = n_kept(kept)
    pos = torch.arange(first, first + ids.shape[1], device=ids.device)  # [new]
    x = model.tok_embed(ids) + model.pos_embed(pos)  # [batch, new, d_model]
    blocks: Any = model.blocks
    layers = []
    for block, layer in zip(blocks, kept or [None] * len(blocks), strict=True):
        joined, layer = attend(block.attn, x, layer)  # [batch, new, d_model]
        x_mid = x + joined  # [batch, new, d_model]
        x = x_mid + block.mlp(x_mid)  # [batch, new, d_model]
        layers.append(layer)
    logits = model.unembed(x)  # [batch, new, d_vocab]
    return logits, tuple(layers)
