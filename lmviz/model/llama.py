"""Llama (Touvron et al. 2023) and its relatives, written to be read from top to bottom: sizes, parts, whole.

What is new since GPT-2: a norm that only scales, positions as rotations, keys that heads share, an MLP with a gate.
Mistral, Qwen 2 and Qwen 3 are the same with other flags.
"""

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

from lmviz.model.sizes import (
    check_above_zero,
    check_choice,
    check_even,
    check_flags,
    check_fraction,
    check_ids,
    check_sizes,
    one_for_each,
    share_of,
)

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,  # Llama's own
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "gelu": F.gelu,
    "relu": F.relu,
    "tanh": torch.tanh,
}
SCALINGS = ("default", "linear", "llama3")  # of the rotation, for texts longer than a model was first trained on


@dataclass(frozen=True)
class LlamaConfig:
    """The sizes and choices that, with the weights, make one Llama."""

    d_vocab: int
    n_ctx: int
    n_layers: int
    d_model: int
    n_heads: int
    d_mlp: int
    n_kv_heads: int = 0  # heads with a key and a value of their own; 0: all of them
    d_head: int = 0  # even; 0: d_model / n_heads
    activation: str = "silu"
    norm_eps: float = 1e-5
    tied: bool = True  # the unembedding is the token embedding, read the other way
    bias_qkv: bool = False
    bias_o: bool = False
    bias_mlp: bool = False
    norm_qk: bool = False  # queries and keys of each head are normed before they are rotated, as in Qwen 3
    rotary_base: float = 10_000.0
    rotary_scaling: str = "default"
    rotary_factor: float = 1.0  # of the scaling: how many times slower
    rotary_low: float = 1.0  # llama3: pairs with fewer full turns in rotary_n_ctx are slower by the whole factor
    rotary_high: float = 4.0  # llama3: pairs with more turns are left as they are
    rotary_n_ctx: int = 8192  # llama3: the context that the model was first trained on
    dropout: float = 0.0  # of what attention and MLP add to the residual stream; in training only

    def __post_init__(self) -> None:
        check_sizes(d_vocab=self.d_vocab, n_ctx=self.n_ctx, n_layers=self.n_layers)
        check_sizes(d_model=self.d_model, n_heads=self.n_heads, d_mlp=self.d_mlp)
        object.__setattr__(self, "n_kv_heads", one_for_each(self.n_heads, self.n_kv_heads))
        object.__setattr__(self, "d_head", share_of(self.d_model, self.n_heads, self.d_head))
        check_even(d_head=self.d_head)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("rotary_scaling", self.rotary_scaling, SCALINGS)
        check_above_zero(norm_eps=self.norm_eps, rotary_base=self.rotary_base, rotary_factor=self.rotary_factor)
        check_above_zero(rotary_low=self.rotary_low, above_low=self.rotary_high - self.rotary_low)
        check_sizes(rotary_n_ctx=self.rotary_n_ctx)
        check_flags(self.bias_qkv, self.bias_o, self.bias_mlp, self.norm_qk)
        check_fraction(dropout=self.dropout)


def frequencies(cfg: LlamaConfig) -> Tensor:
    """How far each number of a head is turned from one position to the next, in radians: [d_head].

    A number is turned together with the one half a head further on, so each frequency stands there twice.
    """
    pair = torch.arange(0, cfg.d_head, 2, device="cpu").float()
    freq = 1.0 / cfg.rotary_base ** (pair / cfg.d_head)  # the first pair is the fastest (Su et al. 2021, eq. 15)
    if cfg.rotary_scaling == "linear":
        freq = freq / cfg.rotary_factor
    if cfg.rotary_scaling == "llama3":  # slow pairs are made slower, fast ones are left, between them a mixture
        turns = cfg.rotary_n_ctx / (2 * math.pi / freq)
        kept = ((turns - cfg.rotary_low) / (cfg.rotary_high - cfg.rotary_low)).clamp(0, 1)
        freq = (1 - kept) * freq / cfg.rotary_factor + kept * freq
    return torch.cat((freq, freq))


class RMSNorm(nn.Module):
    """Gives every position the mean square 1, then a learned scale (Zhang and Sennrich 2019, eq. 4).

    Not fused, so that the mean square can be seen.
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        mean_square = x.pow(2).mean(dim=-1, keepdim=True)  # one number for each vector
        normed = x / torch.sqrt(mean_square + self.eps)
        scaled = normed * self.weight
        return scaled


class Attention(nn.Module):
    """Causal self-attention whose queries and keys are turned by their position (Su et al. 2021, 3.2.2).

    Some heads may share a key and a value (Ainslie et al. 2023). Not fused, so that scores and pattern can be seen.
    """

    def __init__(self, cfg: LlamaConfig) -> None:
        super().__init__()
        self.cfg = cfg
        d_queries, d_keys = cfg.n_heads * cfg.d_head, cfg.n_kv_heads * cfg.d_head
        self.w_q = nn.Linear(cfg.d_model, d_queries, bias=cfg.bias_qkv)
        self.w_k = nn.Linear(cfg.d_model, d_keys, bias=cfg.bias_qkv)
        self.w_v = nn.Linear(cfg.d_model, d_keys, bias=cfg.bias_qkv)
        self.w_o = nn.Linear(d_queries, cfg.d_model, bias=cfg.bias_o)
        self.norm_q = RMSNorm(cfg.d_head, cfg.norm_eps) if cfg.norm_qk else nn.Identity()
        self.norm_k = RMSNorm(cfg.d_head, cfg.norm_eps) if cfg.norm_qk else nn.Identity()

    def forward(self, x: Tensor, angle: Tensor) -> Tensor:
        n_pos = x.shape[1]
        heads = (self.cfg.n_heads, self.cfg.d_head)
        kv_heads = (self.cfg.n_kv_heads, self.cfg.d_head)
        q = self.norm_q(self.w_q(x).unflatten(-1, heads)).transpose(1, 2)  # [batch, head, pos, d_head]
        k = self.norm_k(self.w_k(x).unflatten(-1, kv_heads)).transpose(1, 2)  # [batch, kv_head, pos, d_head]
        v = self.w_v(x).unflatten(-1, kv_heads).transpose(1, 2)  # [batch, kv_head, pos, d_head]

        cos = angle.cos().to(x.dtype)  # [pos, d_head]
        sin = angle.sin().to(x.dtype)  # [pos, d_head]
        q_1, q_2 = q.chunk(2, dim=-1)  # [batch, head, pos, pair], the two numbers of each pair
        q_quarter = torch.cat((-q_2, q_1), dim=-1)  # [batch, head, pos, d_head], each pair turned by 90°
        q_rot = q * cos + q_quarter * sin  # [batch, head, pos, d_head], each pair turned by its angle
        k_1, k_2 = k.chunk(2, dim=-1)  # [batch, kv_head, pos, pair]
        k_quarter = torch.cat((-k_2, k_1), dim=-1)  # [batch, kv_head, pos, d_head]
        k_rot = k * cos + k_quarter * sin  # [batch, kv_head, pos, d_head]

        k_each, v_each = k_rot, v
        if self.cfg.n_kv_heads < self.cfg.n_heads:  # neighbouring heads share a key and a value
            n_sharing = self.cfg.n_heads // self.cfg.n_kv_heads
            k_each = k_rot.repeat_interleave(n_sharing, dim=1)  # [batch, head, pos, d_head]
            v_each = v.repeat_interleave(n_sharing, dim=1)  # [batch, head, pos, d_head]

        scores = q_rot @ k_each.transpose(-2, -1) / math.sqrt(self.cfg.d_head)  # [batch, head, query, key]
        causal = torch.ones(n_pos, n_pos, dtype=torch.bool, device=x.device).tril()  # [query, key], True: it may see it
        masked = scores.masked_fill(~causal, -math.inf)  # [batch, head, query, key]
        pattern = F.softmax(masked, dim=-1)  # [batch, head, query, key], each row sums to 1
        z = pattern @ v_each  # [batch, head, pos, d_head]
        joined = z.transpose(1, 2).flatten(-2)  # [batch, pos, d_heads], the heads side by side
        attn_out = self.w_o(joined)  # [batch, pos, d_model]
        return attn_out


class MLP(nn.Module):
    """Widens every position twice: what the gate lets through is brought back (Shazeer 2020, eq. 6)."""

    def __init__(self, cfg: LlamaConfig) -> None:
        super().__init__()
        self.w_gate = nn.Linear(cfg.d_model, cfg.d_mlp, bias=cfg.bias_mlp)
        self.w_in = nn.Linear(cfg.d_model, cfg.d_mlp, bias=cfg.bias_mlp)
        self.w_out = nn.Linear(cfg.d_mlp, cfg.d_model, bias=cfg.bias_mlp)
        self.activation = ACTIVATIONS[cfg.activation]

    def forward(self, x: Tensor) -> Tensor:
        pre = self.w_gate(x)  # [batch, pos, d_mlp]
        gate = self.activation(pre)  # [batch, pos, d_mlp]
        wide = self.w_in(x)  # [batch, pos, d_mlp]
        hidden = gate * wide  # [batch, pos, d_mlp]
        mlp_out = self.w_out(hidden)  # [batch, pos, d_model]
        return mlp_out


class Block(nn.Module):
    """Attention, then MLP, each of which reads a normed copy of the residual stream and adds to the stream itself."""

    def __init__(self, cfg: LlamaConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.norm_1 = RMSNorm(cfg.d_model, cfg.norm_eps)
        self.attn = Attention(cfg)
        self.norm_2 = RMSNorm(cfg.d_model, cfg.norm_eps)
        self.mlp = MLP(cfg)

    def forward(self, x: Tensor, angle: Tensor) -> Tensor:
        attn_out = self.attn(self.norm_1(x), angle)  # [batch, pos, d_model]
        x_mid = x + attn_out  # [batch, pos, d_model]
        mlp_out = self.mlp(self.norm_2(x_mid))  # [batch, pos, d_model]
        x_out = x_mid + mlp_out  # [batch, pos, d_model]
        return x_out


class DropoutBlock(Block):
    """A block that, in training, zeroes a random part of what it adds to the stream (Srivastava et al. 2014)."""

    def forward(self, x: Tensor, angle: Tensor) -> Tensor:
        attn_out = self.attn(self.norm_1(x), angle)  # [batch, pos, d_model]
        attn_kept = F.dropout(attn_out, self.cfg.dropout, self.training)  # [batch, pos, d_model]
        x_mid = x + attn_kept  # [batch, pos, d_model]
        mlp_out = self.mlp(self.norm_2(x_mid))  # [batch, pos, d_model]
        mlp_kept = F.dropout(mlp_out, self.cfg.dropout, self.training)  # [batch, pos, d_model]
        x_out = x_mid + mlp_kept  # [batch, pos, d_model]
        return x_out


class Llama(nn.Module):
    """Token ids in; for every position, one score per token of the vocabulary for what comes next."""

    freq: Tensor

    def __init__(self, cfg: LlamaConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.tok_embed = nn.Embedding(cfg.d_vocab, cfg.d_model)
        self.register_buffer("freq", frequencies(cfg), persistent=False)
        block_type = DropoutBlock if cfg.dropout else Block
        self.blocks = nn.ModuleList(block_type(cfg) for _ in range(cfg.n_layers))
        self.norm_final = RMSNorm(cfg.d_model, cfg.norm_eps)
        self.unembed = nn.Linear(cfg.d_model, cfg.d_vocab, bias=False)
        if cfg.tied:
            self.unembed.weight = self.tok_embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        check_ids(ids.shape, self.cfg.n_ctx)
        x = self.tok_embed(ids)  # [batch, pos, d_model]
        pos = torch.arange(ids.shape[1], device=ids.device)  # [pos]
        angle = pos[:, None] * self.freq  # [pos, d_head], in radians
        for block in self.blocks:
            x = block(x, angle)  # [batch, pos, d_model]
        final = self.norm_final(x)  # [batch, pos, d_model]
        logits = self.unembed(final)  # [batch, pos, d_vocab]
        return logits
