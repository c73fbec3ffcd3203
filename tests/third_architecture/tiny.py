"""The lesson of a third architecture, for the test that adds one: as a real one would be, beside the others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class TinyConfig:
    """No table of positions, no norm, one head for the keys, an MLP with a gate, tied or not."""

    d_vocab: int
    n_ctx: int
    n_layers: int
    d_model: int
    n_heads: int
    d_mlp: int
    tied: bool = True
    slope: float = 0.5
    d_head: int = 4

    def __post_init__(self) -> None:
        assert self.d_model > 0


class Block(nn.Module):
    falling: Tensor

    def __init__(self, cfg: TinyConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.w_q = nn.Linear(cfg.d_model, cfg.n_heads * cfg.d_head, bias=False)
        self.w_k = nn.Linear(cfg.d_model, cfg.d_head, bias=False)
        self.w_v = nn.Linear(cfg.d_model, cfg.d_head, bias=False)
        self.w_o = nn.Linear(cfg.n_heads * cfg.d_head, cfg.d_model, bias=False)
        self.gate = nn.Linear(cfg.d_model, cfg.d_mlp, bias=False)
        self.w_in = nn.Linear(cfg.d_model, cfg.d_mlp, bias=False)
        self.w_out = nn.Linear(cfg.d_mlp, cfg.d_model, bias=False)
        pos = torch.arange(cfg.n_ctx)
        falling = (cfg.slope * (pos - pos[:, None])).masked_fill(pos > pos[:, None], -math.inf)
        self.register_buffer("falling", falling, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n_pos = x.shape[1]
        q = self.w_q(x).unflatten(-1, (self.cfg.n_heads, self.cfg.d_head)).transpose(1, 2)
        k = self.w_k(x).unsqueeze(1)
        v = self.w_v(x).unsqueeze(1)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.cfg.d_head)
        masked = scores + self.falling[:n_pos, :n_pos]
        pattern = F.softmax(masked, dim=-1)
        z = pattern @ v
        x_mid = x + self.w_o(z.transpose(1, 2).flatten(-2))
        hidden = F.silu(self.gate(x_mid)) * self.w_in(x_mid)
        x_out = x_mid + self.w_out(hidden)
        return x_out


class Tiny(nn.Module):
    def __init__(self, cfg: TinyConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.tok_embed = nn.Embedding(cfg.d_vocab, cfg.d_model)
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg.n_layers))
        self.unembed = nn.Linear(cfg.d_model, cfg.d_vocab, bias=False)
        if cfg.tied:
            self.unembed.weight = self.tok_embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tok_embed(ids)
        for block in self.blocks:
            x = block(x)
        logits = self.unembed(x)
        return logits
