"""Fused layers, opened: what one call of attention computes at once, written out so that each part can be seen.

The functions below take the arguments of a fused call and do what it is defined to do. They are recorded like any other
source and shown beside the real call, whose output stands; the two must agree to float tolerance.
"""

# ruff: noqa: SIM108  (what is masked, and how, reads better line by line)

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lmviz.trace.torch_private import safe_softmax


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
    if enable_gqa:  # several heads of queries share one head of keys and values
        key = key.repeat_interleave(query.size(-3) // key.size(-3), -3)
        value = value.repeat_interleave(query.size(-3) // value.size(-3), -3)
    factor = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    scores = query @ key.transpose(-2, -1) * factor  # [batch, head, query, key]
    masked = scores
    if is_causal:
        causal = torch.ones(query.size(-2), key.size(-2), dtype=torch.bool, device=query.device).tril()  # [query, key]
        masked = scores.masked_fill(~causal, -math.inf)  # [batch, head, query, key]
    elif attn_mask is not None and attn_mask.dtype is torch.bool:
        masked = scores.masked_fill(~attn_mask, -math.inf)  # [batch, head, query, key]
    elif attn_mask is not None:
        masked = scores + attn_mask  # [batch, head, query, key]
    if attn_mask is None:
        pattern = F.softmax(masked, dim=-1)  # [batch, head, query, key]
    else:
        pattern = safe_softmax(masked, dim=-1)  # [batch, head, query, key], 0 where a row is masked as a whole
    used = F.dropout(pattern, dropout_p) if dropout_p else pattern
    output = used @ value  # [batch, head, query, d_head]
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
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes from [pos, batch, d_model], or from [pos, d_model]."""
    is_batch = query.dim() == 3
    if not is_batch:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    if in_proj_weight is not None:
        q_proj_weight, k_proj_weight, v_proj_weight = in_proj_weight.chunk(3)
    assert q_proj_weight is not None
    assert k_proj_weight is not None
    assert v_proj_weight is not None
    b_q, b_k, b_v = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
    all_q = F.linear(query, q_proj_weight, b_q)  # [pos, batch, d_model]
    all_k = F.linear(key, k_proj_weight, b_k)  # [pos, batch, d_model]
    all_v = F.linear(value, v_proj_weight, b_v)  # [pos, batch, d_model]
    if bias_k is not None and bias_v is not None:  # one more position, learned
        all_k = torch.cat([all_k, bias_k.expand(1, *all_k.shape[1:])])  # [pos, batch, d_model]
        all_v = torch.cat([all_v, bias_v.expand(1, *all_v.shape[1:])])  # [pos, batch, d_model]
    if add_zero_attn:  # one more position, of zeros
        all_k = torch.cat([all_k, torch.zeros_like(all_k[:1])])  # [pos, batch, d_model]
        all_v = torch.cat([all_v, torch.zeros_like(all_v[:1])])  # [pos, batch, d_model]
    heads = (num_heads, embed_dim_to_check // num_heads)
    q = all_q.unflatten(-1, heads).permute(1, 2, 0, 3)  # [batch, head, pos, d_head]
    k = all_k.unflatten(-1, heads).permute(1, 2, 0, 3)  # [batch, head, pos, d_head]
    v = all_v.unflatten(-1, heads).permute(1, 2, 0, 3)  # [batch, head, pos, d_head]
    scores = q @ k.transpose(-2, -1) / math.sqrt(heads[1])  # [batch, head, query, key]
    masked = scores
    added = (0, all_k.size(0) - key.size(0))
    if is_causal and key_padding_mask is None and not need_weights:
        causal = torch.ones(q.size(2), k.size(2), dtype=torch.bool, device=q.device).tril()  # [query, key]
        masked = masked.masked_fill(~causal, -math.inf)  # [batch, head, query, key]
    elif attn_mask is not None:
        hidden = (
            F.pad(attn_mask, added) if attn_mask.dim() == 2 else F.pad(attn_mask, added).unflatten(0, (-1, num_heads))
        )
        if hidden.dtype is torch.bool:
            masked = masked.masked_fill(hidden, -math.inf)  # [batch, head, query, key]
        else:
            masked = masked + hidden  # [batch, head, query, key]
    if key_padding_mask is not None:
        padding = F.pad(key_padding_mask, added)[:, None, None, :]  # [batch, 1, 1, key]
        if padding.dtype is torch.bool:
            masked = masked.masked_fill(padding, -math.inf)  # [batch, head, query, key]
        else:
            masked = masked + padding  # [batch, head, query, key]
    if need_weights:
        pattern = F.softmax(masked, dim=-1)  # [batch, head, query, key]
    else:
        pattern = safe_softmax(masked, dim=-1)  # [batch, head, query, key], 0 where a row is masked as a whole
    used = F.dropout(pattern, dropout_p) if training and dropout_p else pattern
    z = used @ v  # [batch, head, pos, d_head]
    joined = z.permute(2, 0, 1, 3).flatten(-2)  # [pos, batch, d_model]
    output = F.linear(joined, out_proj_weight, out_proj_bias)  # [pos, batch, d_model]
    weights = used.mean(dim=1) if need_weights and average_attn_weights else used
    if not is_batch:
        output, weights = output.squeeze(1), weights.squeeze(0)
    return output, weights if need_weights else None


def native_multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_heads: int,
    in_proj_weight: Tensor,
    in_proj_bias: Tensor,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor,
    mask: Tensor | None = None,
    need_weights: bool = True,
    average_attn_weights: bool = True,
    mask_type: int | None = None,
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes when it takes its fast path, from [batch, pos, d_model] to itself."""
    heads = (3, num_heads, embed_dim // num_heads)
    q, k, v = F.linear(query, in_proj_weight, in_proj_bias).unflatten(-1, heads).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-2, -1) / math.sqrt(heads[2])  # [batch, head, query, key]
    masked = scores
    if mask is not None:
        hidden = mask[:, None, None, :].bool() if mask_type == 1 else mask.bool()
        masked = scores.masked_fill(hidden, -math.inf)  # [batch, head, query, key]
    pattern = F.softmax(masked, dim=-1)  # [batch, head, query, key]
    z = pattern @ v  # [batch, head, pos, d_head]
    joined = z.transpose(1, 2).flatten(-2)  # [batch, pos, d_model]
    weights = pattern.mean(dim=1) if need_weights and average_attn_weights else pattern
    output = F.linear(joined, out_proj_weight, out_proj_bias)  # [batch, pos, d_model]
    return output, weights if need_weights else None


def transformer_encoder_layer(
    src: Tensor,
    embed_dim: int,
    num_heads: int,
    in_proj_weight: Tensor,
    in_proj_bias: Tensor,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor,
    use_gelu: bool,
    norm_first: bool,
    eps: float,
    norm1_weight: Tensor,
    norm1_bias: Tensor,
    norm2_weight: Tensor,
    norm2_bias: Tensor,
    linear1_weight: Tensor,
    linear1_bias: Tensor,
    linear2_weight: Tensor,
    linear2_bias: Tensor,
    mask: Tensor | None = None,
    mask_type: int | None = None,
    lengths: tuple[int, ...] | None = None,
) -> Tensor:
    """What `nn.TransformerEncoderLayer` computes when it takes its fast path, from [batch, pos, d_model].

    With padding, torch hands it the texts without (a nested tensor), which stand here in a box, with their `lengths`.
    """
    if lengths is not None:
        ends = torch.tensor(lengths, device=src.device)[:, None]  # [batch, 1]
        mask, mask_type = torch.arange(src.size(1), device=src.device) >= ends, 1  # [batch, pos]
        src = src.masked_fill(mask[..., None], 0.0)  # [batch, pos, d_model]
    x = F.layer_norm(src, (embed_dim,), norm1_weight, norm1_bias, eps) if norm_first else src
    heads = (3, num_heads, embed_dim // num_heads)
    q, k, v = F.linear(x, in_proj_weight, in_proj_bias).unflatten(-1, heads).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-2, -1) / math.sqrt(heads[2])  # [batch, head, query, key]
    masked = scores
    if mask is not None:
        hidden = mask[:, None, None, :].bool() if mask_type == 1 else mask.bool()
        masked = scores.masked_fill(hidden, -math.inf)  # [batch, head, query, key]
    pattern = F.softmax(masked, dim=-1)  # [batch, head, query, key]
    z = pattern @ v  # [batch, head, pos, d_head]
    joined = z.transpose(1, 2).flatten(-2)  # [batch, pos, d_model]
    attn_out = F.linear(joined, out_proj_weight, out_proj_bias)  # [batch, pos, d_model]
    x_mid = src + attn_out  # [batch, pos, d_model]
    if norm_first:
        normed = F.layer_norm(x_mid, (embed_dim,), norm2_weight, norm2_bias, eps)  # [batch, pos, d_model]
    else:
        normed = F.layer_norm(x_mid, (embed_dim,), norm1_weight, norm1_bias, eps)  # [batch, pos, d_model]
    pre = F.linear(normed, linear1_weight, linear1_bias)  # [batch, pos, d_mlp]
    hidden_mlp = F.gelu(pre) if use_gelu else F.relu(pre)  # [batch, pos, d_mlp]
    mlp_out = F.linear(hidden_mlp, linear2_weight, linear2_bias)  # [batch, pos, d_model]
    if norm_first:
        output = x_mid + mlp_out  # [batch, pos, d_model]
    else:
        output = F.layer_norm(normed + mlp_out, (embed_dim,), norm2_weight, norm2_bias, eps)  # [batch, pos, d_model]
    if lengths is None:
        return output
    assert mask is not None
    padded = output.masked_fill(mask[..., None], 0.0)  # [batch, pos, d_model], 0 where a text has ended
    return padded
