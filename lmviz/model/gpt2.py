"""GPT-2 (Radford et al. 2019), written to be read from top to bottom: sizes, parts, whole."""

# torch types whatever a module returns as Any:
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.model.sizes import check_above_zero, check_choice, check_fraction, check_heads, check_ids, check_sizes

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # GPT-2's own
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}


@dataclass(frozen=True)
class GPT2Config:
    """The sizes and choices that, with the weights, make one GPT-2."""

    d_vocab: int
    n_ctx: int
    n_layers: int
    d_model: int
    n_heads: int
    d_mlp: int
    activation: str = "gelu_tanh"
    norm_eps: float = 1e-5
    tied: bool = True  # the unembedding is the token embedding, read the other way
    dropout: float = 0.0  # of what attention and MLP add to the residual stream; in training only

    def __post_init__(self) -> None:
        check_sizes(d_vocab=self.d_vocab, n_ctx=self.n_ctx, n_layers=self.n_layers)
        check_sizes(d_model=self.d_model, n_heads=self.n_heads, d_mlp=self.d_mlp)
        check_heads(self.d_model, self.n_heads)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_above_zero(norm_eps=self.norm_eps)
        check_fraction(dropout=self.dropout)

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads


class LayerNorm(nn.Module):
    """Gives every position mean 0 and variance 1, then a learned scale and shift (Ba et al. 2016).

    Not fused, so that the mean and the variance can be seen.
    """

    def __init__(self, cfg: GPT2Config) -> None:
        super().__init__()
        self.eps = cfg.norm_eps
        self.weight = nn.Parameter(torch.ones(cfg.d_model))
        self.bias = nn.Parameter(torch.zeros(cfg.d_model))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=-1, keepdim=True)  # [batch, pos, 1]
        centred = x - mean  # [batch, pos, d_model]
        variance = centred.pow(2).mean(dim=-1, keepdim=True)  # [batch, pos, 1]
        normed = centred / torch.sqrt(variance + self.eps)  # [batch, pos, d_model]
        scaled = normed * self.weight + self.bias  # [batch, pos, d_model]
        return scaled


class Attention(nn.Module):
    """Causal self-attention, not fused, so that scores and pattern can be seen (Vaswani et al. 2017, 3.2)."""

    causal: Tensor

    def __init__(self, cfg: GPT2Config) -> None:
        super().__init__()
        self.cfg = cfg
        self.w_q = nn.Linear(cfg.d_model, cfg.d_model)
        self.w_k = nn.Linear(cfg.d_model, cfg.d_model)
        self.w_v = nn.Linear(cfg.d_model, cfg.d_model)
        self.w_o = nn.Linear(cfg.d_model, cfg.d_model)
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
        attn_out = self.w_o(joined)  # [batch, pos, d_model]
        return attn_out


class MLP(nn.Module):
    """Widens every position on its own, bends it, and brings it back (Vaswani et al. 2017, 3.3)."""

    def __init__(self, cfg: GPT2Config) -> None:
        super().__init__()
        self.w_in = nn.Linear(cfg.d_model, cfg.d_mlp)
        self.w_out = nn.Linear(cfg.d_mlp, cfg.d_model)
        self.activation = ACTIVATIONS[cfg.activation]

    def forward(self, x: Tensor) -> Tensor:
        pre = self.w_in(x)  # [batch, pos, d_mlp]
        hidden = self.activation(pre)  # [batch, pos, d_mlp]
        mlp_out = self.w_out(hidden)  # [batch, pos, d_model]
        return mlp_out


class Block(nn.Module):
    """Attention, then MLP, each of which reads a normed copy of the residual stream and adds to the stream itself."""

    def __init__(self, cfg: GPT2Config) -> None:
        super().__init__()
        self.cfg = cfg
        self.norm_1 = LayerNorm(cfg)
        self.attn = Attention(cfg)
        self.norm_2 = LayerNorm(cfg)
        self.mlp = MLP(cfg)

    def forward(self, x: Tensor) -> Tensor:
        attn_out = self.attn(self.norm_1(x))  # [batch, pos, d_model]
        x_mid = x + attn_out  # [batch, pos, d_model]
        mlp_out = self.mlp(self.norm_2(x_mid))  # [batch, pos, d_model]
        x_out = x_mid + mlp_out  # [batch, pos, d_model]
        return x_out


class DropoutBlock(Block):
    """A block that, in training, zeroes a random part of what it adds to the stream (Srivastava et al. 2014)."""

    def forward(self, x: Tensor) -> Tensor:
        attn_out = self.attn(self.norm_1(x))  # [batch, pos, d_model]
        attn_kept = F.dropout(attn_out, self.cfg.dropout, self.training)  # [batch, pos, d_model]
        x_mid = x + attn_kept  # [batch, pos, d_model]
        mlp_out = self.mlp(self.norm_2(x_mid))  # [batch, pos, d_model]
        mlp_kept = F.dropout(mlp_out, self.cfg.dropout, self.training)  # [batch, pos, d_model]
        x_out = x_mid + mlp_kept  # [batch, pos, d_model]
        return x_out


class GPT2(nn.Module):
    """Token ids in; for every position, one score per token of the vocabulary for what comes next."""

    def __init__(self, cfg: GPT2Config) -> None:
        super().__init__()
        self.cfg = cfg
        self.tok_embed = nn.Embedding(cfg.d_vocab, cfg.d_model)
        self.pos_embed = nn.Embedding(cfg.n_ctx, cfg.d_model)
        block_type = DropoutBlock if cfg.dropout else Block
        self.blocks = nn.ModuleList(block_type(cfg) for _ in range(cfg.n_layers))
        self.norm_final = LayerNorm(cfg)
        self.unembed = nn.Linear(cfg.d_model, cfg.d_vocab, bias=False)
        if cfg.tied:
            self.unembed.weight = self.tok_embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        check_ids(ids.shape, self.cfg.n_ctx)
        tok = self.tok_embed(ids)  # [batch, pos, d_model]
        pos = self.pos_embed(torch.arange(ids.shape[1], device=ids.device))  # [pos, d_model]
        x = tok + pos  # [batch, pos, d_model]
        for block in self.blocks:
            x = block(x)  # [batch, pos, d_model]
        final = self.norm_final(x)  # [batch, pos, d_model]
        logits = self.unembed(final)  # [batch, pos, d_vocab]
        return logits
