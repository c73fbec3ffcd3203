"""Layers that torch computes in one call: multi-head attention, and the encoder layer around it, from their definition.

Their steps are recorded too, written out beside the call; here the whole is computed once more, in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, option, required_argument
from lmviz.trace.operations.axes import LIKE_INPUT, UNNAMED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Floats, Term, Terms, write
from lmviz.trace.operations.latex import result, symbol
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.activations import normal_share
from lmviz.trace.step import Cell, Step


@dataclass(frozen=True, slots=True, eq=False)
class _Attended:
    """What heads took together: `joined` [batch, pos, d_model], with the patterns [batch, head, query, key]."""

    joined: Floats
    pattern: Floats


def _attend(q: Floats, k: Floats, v: Floats, n_heads: int, added: Any = 0.0, blind_is_0: bool = False) -> _Attended:
    """softmax(q kᵀ / √d_head + added) v, head by head; q [batch, query, d_model], k and v [batch, key, d_model].

    Source:
        Vaswani et al. 2017, 3.2.
    """
    q, k, v = (_heads(part, n_heads) for part in (q, k, v))
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]) + added
    highest = scores.max(axis=-1, keepdims=True)
    exps = np.exp(scores - np.where(np.isneginf(highest) & blind_is_0, 0.0, highest))
    total = exps.sum(axis=-1, keepdims=True)
    pattern = exps / np.where((total == 0) & blind_is_0, 1.0, total)
    z = pattern @ v
    return _Attended(z.swapaxes(1, 2).reshape(z.shape[0], z.shape[2], -1), pattern)


def _heads(x: Floats, n_heads: int) -> Floats:
    """[batch, pos, d_model] to [batch, head, pos, d_head]."""
    return x.reshape(*x.shape[:2], n_heads, -1).swapaxes(1, 2)


def _linear(x: Floats, weight: Floats, bias: Any) -> Floats:
    found: Floats = x @ weight.T + (0.0 if bias is None else bias)
    return found


def _rows(step: Step, name: str) -> Any:
    """A tensor's numbers in float64; None if it was not given."""
    found = argument_of(step, name)
    return None if found is None else found.row(...)


# -- nn.MultiheadAttention -------------------------------------------------------------------------------------------


def _attended(step: Step) -> _Attended:
    """What a multi_head_attention_forward comes to before its output projection, batch first."""
    drops = option(step, "dropout_p", 0.0) and step.settings.get("training")
    if drops or step.operand("static_k") is not None:
        raise NotImplementedError("attention with dropout, or with keys of its own")
    q, k, v = (_batched(required_argument(step, name).row(...)) for name in ("query", "key", "value"))
    q, k, v = _projected(step, q, k, v)
    if (bias_k := _rows(step, "bias_k")) is not None:
        k = np.concatenate([k, np.broadcast_to(bias_k, (len(k), 1, k.shape[-1]))], 1)
        v = np.concatenate([v, np.broadcast_to(_rows(step, "bias_v"), (len(v), 1, v.shape[-1]))], 1)
    if step.settings.get("add_zero_attn"):
        k, v = (np.concatenate([part, np.zeros_like(part[:, :1])], 1) for part in (k, v))
    n_heads = int(option(step, "num_heads", 1))
    added = _masks(step, q.shape[1], k.shape[1], n_heads)
    return _attend(q, k, v, n_heads, added, blind_is_0=not step.settings.get("need_weights", True))


def _batched(x: Floats) -> Floats:
    """[pos, batch, d] or [pos, d] to [batch, pos, d]."""
    return x[None] if x.ndim == 2 else x.swapaxes(0, 1)


def _projected(step: Step, q: Floats, k: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
    width = q.shape[-1]
    bias = _rows(step, "in_proj_bias")
    biases = (None,) * 3 if bias is None else (bias[:width], bias[width : 2 * width], bias[2 * width :])
    if step.settings.get("use_separate_proj_weight"):
        weights = tuple(_rows(step, f"{letter}_proj_weight") for letter in "qkv")
    else:
        weight = _rows(step, "in_proj_weight")
        weights = (weight[:width], weight[width : 2 * width], weight[2 * width :])
    found = tuple(_linear(x, w, b) for x, w, b in zip((q, k, v), weights, biases, strict=True))
    return found[0], found[1], found[2]


def _masks(step: Step, n_query: int, n_key: int, n_heads: int) -> Any:
    """What is added to the scores: -inf where a mask hides, the mask's own numbers where it has some."""
    added: Any = 0.0
    mask, padding = argument_of(step, "attn_mask"), argument_of(step, "key_padding_mask")
    causal = step.settings.get("is_causal") and padding is None and not step.settings.get("need_weights", True)
    if causal:
        added = np.where(np.tril(np.ones((n_query, n_key), bool)), 0.0, -np.inf)
    elif mask is not None:
        numbers = _widened(_as_added(mask), n_key)
        added = numbers if numbers.ndim == 2 else numbers.reshape(-1, n_heads, *numbers.shape[1:])
    if padding is not None:
        added = added + _widened(_as_added(padding), n_key).reshape(-1, 1, 1, n_key)
    return added


def _as_added(mask: Argument) -> Floats:
    return np.where(mask.array, -np.inf, 0.0) if mask.array.dtype == bool else mask.row(...)


def _widened(mask: Floats, n_key: int) -> Floats:
    """Keys that the module adds itself are hidden from nobody."""
    return np.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, n_key - mask.shape[-1])])


def _explain_multi_head(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The output projection of what the heads took together; or, as the second output, a weight of the pattern.

    Args:
        step: a "multi_head_attention_forward" step with query, key and value [pos, batch, d_model] or [pos, d_model].

    Source:
        Vaswani et al. 2017, 3.2.2.
    """
    found, is_batch = _attended(step), len(step.inputs[0].shape) == 3
    if output == 1:
        return _weight(step, cell if is_batch else (0, *cell), cell, found.pattern)
    pos, batch = (cell[0], cell[1]) if is_batch else (cell[0], 0)
    return _projection(step, cell, found.joined[batch, pos], "out_proj_weight", "out_proj_bias")


def _explain_native(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The same for the fast path, which is batch first and attends to itself."""
    found = _attends_to_itself(step, required_argument(step, "query").row(...))
    if output == 1:
        return _weight(step, cell, cell, found.pattern)
    return _projection(step, cell, found.joined[cell[:-1]], "out_proj_weight", "out_proj_bias")


def _attends_to_itself(step: Step, x: Floats) -> _Attended:
    n_heads, width = int(option(step, "num_heads", 1)), x.shape[-1]
    weight, bias = _rows(step, "in_proj_weight"), _rows(step, "in_proj_bias")
    q, k, v = (_linear(x, weight[i * width : (i + 1) * width], bias[i * width : (i + 1) * width]) for i in range(3))
    return _attend(q, k, v, n_heads, _fast_mask(step))


def _fast_mask(step: Step) -> Any:
    mask = argument_of(step, "mask")
    if mask is None:
        return 0.0
    hidden = mask.array.astype(bool)
    return np.where(hidden[:, None, None, :] if step.settings.get("mask_type") == 1 else hidden, -np.inf, 0.0)


def _projection(step: Step, cell: Cell, row: Floats, weight_name: str, bias_name: str) -> Explanation:
    """The dot product of a row that was computed on the way and a row of a weight, plus its bias."""
    weight, bias, out = required_argument(step, weight_name), argument_of(step, bias_name), cell[-1]
    column = weight.row((out, slice(None)))
    products = row * column

    def term(i: int) -> Term:
        factors = (float(row[i]), float(column[i]))
        return Term(str(i), factors, float(products[i]), (None, weight.at((out, i))))

    formula = rf"{result(step, cell)} = \sum_i \mathrm{{joined}}_i \cdot {weight.latex(out, 'i')}"
    if bias is None:
        return Explanation(formula, Terms(products, term), float(products.sum()))
    value = float(products.sum() + bias.number((out,)))
    written = write("{terms} + {b}", b=bias.piece((out,)))
    return Explanation(f"{formula} + {bias.latex(out)}", Terms(products, term), value, written)


def _weight(step: Step, at: Cell, cell: Cell, pattern: Floats) -> Explanation:
    """A weight of the pattern, of one head, or the mean of all heads."""
    left = result(step, cell, 1)
    if len(at) == 4:
        value = float(pattern[at])
        return Explanation(f"{left} = {symbol('pattern', *at)}", (), value, (value,))
    heads = pattern[at[0], :, at[1], at[2]]
    terms = Terms(heads, lambda i: Term(str(i), (float(heads[i]),), float(heads[i])))
    n = float(len(heads))
    written = write("({terms}) / {n}", n=n)
    return Explanation(
        rf"{left} = \frac{{1}}{{{n:g}}} \sum_h \mathrm{{pattern}}_h", terms, float(heads.mean()), written
    )


# -- nn.TransformerEncoderLayer --------------------------------------------------------------------------------------


def _explain_encoder_layer(step: Step, cell: Cell) -> Explanation:
    """What an encoder layer adds to the stream: attention, then an MLP, with a norm before or after each.

    The last sum is written out: the stream, and what the MLP adds to it; or that, normalised.
    """
    x = required_argument(step, "src").row(...)
    first = bool(step.settings.get("norm_first"))
    read = _normed(step, x, 1) if first else x
    attended_to = _attends_to_itself(step, read)
    mid = x + _linear(attended_to.joined, _rows(step, "out_proj_weight"), _rows(step, "out_proj_bias"))
    normed = _normed(step, mid, 2 if first else 1)
    added = _mlp(step, normed)
    stream, left = (mid if first else normed), result(step, cell)
    total = stream + added
    if first:
        a, b = float(stream[cell]), float(added[cell])
        written = write("{a} + {b}", a=a, b=b)
        return Explanation(rf"{left} = x + \mathrm{{mlp}}(x)", (), a + b, written)
    return _last_norm(step, cell, total, left)


def _last_norm(step: Step, cell: Cell, total: Floats, left: str) -> Explanation:
    row, eps = total[cell[:-1]], option(step, "eps", 1e-5)
    weight, bias, i = required_argument(step, "norm2_weight"), required_argument(step, "norm2_bias"), (cell[-1],)
    mean, scale = float(row.mean()), float(np.sqrt(row.var() + eps))
    value = (row[cell[-1]] - mean) / scale * weight.number(i) + bias.number(i)
    written = write("({x} − {m}) / {s} × {w} + {b}", x=float(row[cell[-1]]), m=mean, s=scale, w=weight.piece(i),
        b=bias.piece(i))  # fmt: skip
    formula = rf"{left} = \frac{{x - \mu}}{{\sigma}} \cdot {weight.latex(*i)} + {bias.latex(*i)}"
    return Explanation(formula, (), float(value), written)


def _normed(step: Step, x: Floats, which: int) -> Floats:
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    normed = (x - mean) / np.sqrt(variance + option(step, "eps", 1e-5))
    found: Floats = normed * _rows(step, f"norm{which}_weight") + _rows(step, f"norm{which}_bias")
    return found


def _mlp(step: Step, x: Floats) -> Floats:
    pre = _linear(x, _rows(step, "linear1_weight"), _rows(step, "linear1_bias"))
    hidden = pre * np.vectorize(normal_share)(pre) if step.settings.get("use_gelu") else np.maximum(pre, 0.0)
    return _linear(hidden, _rows(step, "linear2_weight"), _rows(step, "linear2_bias"))


_SELF = "embed_dim num_heads in_proj_weight in_proj_bias out_proj_weight out_proj_bias"

OPERATIONS = (
    Operation(
        name="multi_head_attention_forward",
        arguments="query key value embed_dim_to_check num_heads in_proj_weight in_proj_bias bias_k bias_v "
        "add_zero_attn dropout_p out_proj_weight out_proj_bias training key_padding_mask need_weights attn_mask "
        "use_separate_proj_weight q_proj_weight k_proj_weight v_proj_weight static_k static_v average_attn_weights "
        "is_causal",
        axes=UNNAMED,
        explain=_explain_multi_head,
        slopes=slopes_of_torch,
        several=True,
        random=True,
    ),
    Operation(
        name="native_multi_head_attention",
        spellings="_native_multi_head_attention",
        arguments=f"query key value {_SELF} mask need_weights average_attn_weights mask_type",
        axes=UNNAMED,
        explain=_explain_native,
        slopes=slopes_of_torch,
        several=True,
    ),
    Operation(
        name="transformer_encoder_layer",
        spellings="_transformer_encoder_layer_fwd",
        arguments=f"src {_SELF} use_gelu norm_first eps norm1_weight norm1_bias norm2_weight norm2_bias linear1_weight "
        "linear1_bias linear2_weight linear2_bias mask mask_type",
        axes=LIKE_INPUT,
        explain=_explain_encoder_layer,
        slopes=slopes_of_torch,
    ),
)
