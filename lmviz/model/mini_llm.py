"""The mini-LLM of a school lesson: what is left of GPT-2 when nothing is kept that it can do without.

No normalisation, no output projection, no bias in attention; at the lesson's sizes, 2,832 numbers in all.
"""

# torch types whatever a module returns as Any:
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.model.sizes import check_heads, check_ids, check_sizes


@dataclass(frozen=True)
class MiniLLMConfig:
    """The sizes of one mini-LLM; as they stand, the lesson's."""

    d_vocab: int = 27
    n_ctx: int = 8
    n_layers: int = 1
    d_model: int = 16
    n_heads: int = 1
    d_mlp: int = 32

    def __post_init__(self) -> None:
        check_sizes(d_vocab=self.d_vocab, n_ctx=self.n_ctx, n_layers=self.n_layers)
        check_sizes(d_model=self.d_model, n_heads=self.n_heads, d_mlp=self.d_mlp)
        check_heads(self.d_model, self.n_heads)

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads


class Attention(nn.Module):
    """Every position asks the ones up to itself what they hold, and mixes the answers (Vaswani et al. 2017, 3.2)."""

    causal: Tensor

    def __init__(self, cfg: MiniLLMConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.w_q = nn.Linear(cfg.d_model, cfg.d_model, bias=False)
        self.w_k = nn.Linear(cfg.d_model, cfg.d_model, bias=False)
        self.w_v = nn.Linear(cfg.d_model, cfg.d_model, bias=False)
        causal = torch.ones(cfg.n_ctx, cfg.n_ctx, dtype=torch.bool).tril()  # True: this query may see this key
        self.register_buffer("causal", causal, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n_pos = x.shape[1]
        heads = (self.cfg.n_heads, self.cfg.d_head)
        q = self.w_q(x).unflatten(-1, heads).transpose(1, 2)  # [batch, head, pos, d_head]
        k = self.w_k(x).unflatten(-1, heads).transpose(1, 2)  # [batch, head, pos, d_head]
        v = self.w_v(x).unflatten(-1, heads).transpose(1, 2)  # [batch, head, pos, d_head]
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.cfg.d_head)  # [batch, head, query, key]
        masked = scores.masked_fill(~self.causal[:n_pos, :n_pos], -math.inf)  # [batch, head, query, key]
        pattern = F.softmax(masked, dim=-1)  # [batch, head, query, key], each row sums to 1
        z = pattern @ v  # [batch, head, pos, d_head]
        joined = z.transpose(1, 2).flatten(-2)  # [batch, pos, d_model], the heads side by side
        return joined


class MLP(nn.Module):
    """Looks at every position on its own: widens it, keeps what is above zero, brings it back."""

    def __init__(self, cfg: MiniLLMConfig) -> None:
        super().__init__()
        self.w_in = nn.Linear(cfg.d_model, cfg.d_mlp)
        self.w_out = nn.Linear(cfg.d_mlp, cfg.d_model)

    def forward(self, x: Tensor) -> Tensor:
        pre = self.w_in(x)  # [batch, pos, d_mlp]
        hidden = F.relu(pre)  # [batch, pos, d_mlp]
        mlp_out = self.w_out(hidden)  # [batch, pos, d_model]
        return mlp_out


class Block(nn.Module):
    """Attention, then MLP; each adds what it found to the residual stream."""

    def __init__(self, cfg: MiniLLMConfig) -> None:
        super().__init__()
        self.attn = Attention(cfg)
        self.mlp = MLP(cfg)

    def forward(self, x: Tensor) -> Tensor:
        attn_out = self.attn(x)  # [batch, pos, d_model]
        x_mid = x + attn_out  # [batch, pos, d_model]
        mlp_out = self.mlp(x_mid)  # [batch, pos, d_model]
        x_out = x_mid + mlp_out  # [batch, pos, d_model]
        return x_out


class MiniLLM(nn.Module):
    """Token ids in; for every position, one score per token of the vocabulary for what comes next.

    The lesson computes the last position only. The causal mask lets us add the others without changing it.
    """

    def __init__(self, cfg: MiniLLMConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.tok_embed = nn.Embedding(cfg.d_vocab, cfg.d_model)
        self.pos_embed = nn.Embedding(cfg.n_ctx, cfg.d_model)
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg.n_layers))
        self.unembed = nn.Linear(cfg.d_model, cfg.d_vocab, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        check_ids(ids.shape, self.cfg.n_ctx)
        tok = self.tok_embed(ids)  # [batch, pos, d_model]
        pos = self.pos_embed(torch.arange(ids.shape[1], device=ids.device))  # [pos, d_model]
        x = tok + pos  # [batch, pos, d_model]
        for block in self.blocks:
            x = block(x)  # [batch, pos, d_model]
        logits = self.unembed(x)  # [batch, pos, d_vocab]
        return logits
