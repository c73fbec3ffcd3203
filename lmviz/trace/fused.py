"""Fused attention, opened: what one call computes at once, written out so that each part can be seen.

The functions below are what a fused call is defined to do. They are recorded like any other source and shown beside the
real call, whose output stands; the two must agree to float tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

OPENED: dict[str, Callable[..., Any]] = {}


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """What `torch.nn.functional.scaled_dot_product_attention` is documented to compute (Vaswani et al. 2017, eq. 1)."""
    if enable_gqa:
        key = key.repeat_interleave(query.size(-3) // key.size(-3), -3)
        value = value.repeat_interleave(query.size(-3) // value.size(-3), -3)
    factor = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    scores = query @ key.transpose(-2, -1) * factor
    masked = scores
    if is_causal:
        causal = torch.ones(query.size(-2), key.size(-2), dtype=torch.bool, device=query.device).tril()
        masked = scores.masked_fill(~causal, -math.inf)
    elif attn_mask is not None and attn_mask.dtype is torch.bool:
        masked = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        masked = scores + attn_mask
    pattern = F.softmax(masked, dim=-1)
    output = pattern @ value
    return output


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Tensor:
    """What `torch.nn.MultiheadAttention` computes from [pos, batch, d_model] (or [pos, d_model]), without dropout."""
    if query.dim() == 2:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
    if in_proj_weight is not None:
        q_proj_weight, k_proj_weight, v_proj_weight = in_proj_weight.chunk(3)
    assert q_proj_weight is not None and k_proj_weight is not None and v_proj_weight is not None
    b_q, b_k, b_v = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
    heads = (num_heads, embed_dim_to_check // num_heads)
    q = F.linear(query, q_proj_weight, b_q).unflatten(-1, heads).permute(1, 2, 0, 3)  # [batch, head, pos, d_head]
    k = F.linear(key, k_proj_weight, b_k).unflatten(-1, heads).permute(1, 2, 0, 3)  # [batch, head, pos, d_head]
    v = F.linear(value, v_proj_weight, b_v).unflatten(-1, heads).permute(1, 2, 0, 3)  # [batch, head, pos, d_head]
    scores = q @ k.transpose(-2, -1) / math.sqrt(heads[1])  # [batch, head, query, key]
    masked = scores
    if attn_mask is not None and attn_mask.dtype is torch.bool:
        blocked = attn_mask if attn_mask.dim() == 2 else attn_mask.unflatten(0, (-1, num_heads))
        masked = scores.masked_fill(blocked, -math.inf)  # [batch, head, query, key]
    elif attn_mask is not None:
        masked = scores + (attn_mask if attn_mask.dim() == 2 else attn_mask.unflatten(0, (-1, num_heads)))
    if key_padding_mask is not None and key_padding_mask.dtype is torch.bool:
        masked = masked.masked_fill(key_padding_mask[:, None, None, :], -math.inf)
    elif key_padding_mask is not None:
        masked = masked + key_padding_mask[:, None, None, :]
    pattern = F.softmax(masked, dim=-1)  # [batch, head, query, key]
    z = pattern @ v  # [batch, head, pos, d_head]
    joined = z.permute(2, 0, 1, 3).flatten(-2)
    output = F.linear(joined, out_proj_weight, out_proj_bias)
    return output


def can_open(op: str, settings: dict[str, Any]) -> bool:
    """Whether a fused call with these settings is one that the functions above cover."""
    if op == "scaled_dot_product_attention":
        return not settings.get("dropout_p")
    if op == "multi_head_attention_forward":
        dropped = settings.get("training") and settings.get("dropout_p")
        return not dropped and not settings.get("add_zero_attn") and settings.get("static_k") is None
    return False


OPENED["scaled_dot_product_attention"] = scaled_dot_product_attention
OPENED["multi_head_attention_forward"] = multi_head_attention_forward
