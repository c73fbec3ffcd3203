"""The operations we can show: one canonical name each, with the names of their arguments.

Torch spells one operation in many ways (`a @ b`, `a.matmul(b)`, `torch.matmul(a, b)`); a trace uses one. An operation
that is not listed here is recorded all the same, under torch's own name, with its arguments numbered.
"""

from __future__ import annotations

_BINARY = ("input", "other")
_REDUCE = ("input", "dim", "keepdim")

ARGUMENTS: dict[str, tuple[str, ...]] = {
    # look-ups
    "embedding": ("input", "weight", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse"),
    "gather": ("input", "dim", "index"),
    "index_select": ("input", "dim", "index"),
    "take_along_dim": ("input", "indices", "dim"),
    "getitem": ("input", "index"),
    "setitem": ("input", "index", "value"),
    "one_hot": ("input", "num_classes"),
    # products
    "linear": ("input", "weight", "bias"),
    "matmul": _BINARY,
    "bmm": ("input", "mat2"),
    "mm": ("input", "mat2"),
    "addmm": ("input", "mat1", "mat2", "beta", "alpha"),
    "outer": ("input", "vec2"),
    "einsum": ("equation", "operands"),
    "scaled_dot_product_attention": (
        *("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa"),
    ),
    "multi_head_attention_forward": (
        *("query", "key", "value", "embed_dim_to_check", "num_heads", "in_proj_weight", "in_proj_bias", "bias_k"),
        *("bias_v", "add_zero_attn", "dropout_p", "out_proj_weight", "out_proj_bias", "training", "key_padding_mask"),
    ),
    "native_multi_head_attention": (
        *("query", "key", "value", "embed_dim", "num_heads", "in_proj_weight", "in_proj_bias", "out_proj_weight"),
        *("out_proj_bias", "mask", "need_weights", "average_attn_weights", "mask_type"),
    ),
    "transformer_encoder_layer": (
        *("src", "embed_dim", "num_heads", "in_proj_weight", "in_proj_bias", "out_proj_weight", "out_proj_bias"),
        *("use_gelu", "norm_first", "eps", "norm1_weight", "norm1_bias", "norm2_weight", "norm2_bias"),
        *("linear1_weight", "linear1_bias", "linear2_weight", "linear2_bias", "mask", "mask_type"),
    ),
    # element by element
    **{name: _BINARY for name in ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "floor_divide")},
    **{name: _BINARY for name in ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "bitwise_and")},
    **{name: ("input",) for name in ("neg", "abs", "exp", "log", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "erf")},
    **{name: ("input",) for name in ("tanh", "sigmoid", "square", "logical_not", "bitwise_not", "isnan", "sign")},
    "relu": ("input", "inplace"),
    "silu": ("input", "inplace"),
    "gelu": ("input", "approximate"),
    "clamp": ("input", "min", "max"),
    "where": ("condition", "input", "other"),
    "masked_fill": ("input", "mask", "value"),
    "tril": ("input", "diagonal"),
    "triu": ("input", "diagonal"),
    "dropout": ("input", "p", "training", "inplace"),
    # along an axis
    **{
        name: _REDUCE for name in ("sum", "mean", "amax", "amin", "prod", "max", "min", "argmax", "argmin", "logsumexp")
    },
    "var": ("input", "dim", "unbiased", "keepdim"),
    "std": ("input", "dim", "unbiased", "keepdim"),
    "softmax": ("input", "dim", "dtype"),
    "log_softmax": ("input", "dim", "dtype"),
    "cumsum": ("input", "dim"),
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
    "rms_norm": ("input", "normalized_shape", "weight", "eps"),
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "instance_norm": ("input", "running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps"),
    "topk": ("input", "k", "dim", "largest", "sorted"),
    "sort": ("input", "dim", "descending"),
    # losses
    "cross_entropy": (
        *("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing"),
    ),
    "nll_loss": ("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction"),
    "mse_loss": ("input", "target"),
    # the same numbers, seen otherwise
    "transpose": ("input", "dim0", "dim1"),
    "permute": ("input", "dims"),
    "view": ("input", "shape"),
    "reshape": ("input", "shape"),
    "flatten": ("input", "start_dim", "end_dim"),
    "unflatten": ("input", "dim", "sizes"),
    "squeeze": ("input", "dim"),
    "unsqueeze": ("input", "dim"),
    "expand": ("input", "size"),
    "expand_as": ("input", "other"),
    "repeat": ("input", "repeats"),
    "repeat_interleave": ("input", "repeats", "dim"),
    "contiguous": ("input",),
    "clone": ("input",),
    "detach": ("input",),
    "to": ("input",),
    "T": ("input",),
    "mT": ("input",),
    "narrow": ("input", "dim", "start", "length"),
    "select": ("input", "dim", "index"),
    "split": ("input", "split_size_or_sections", "dim"),
    "chunk": ("input", "chunks", "dim"),
    "unbind": ("input", "dim"),
    "cat": ("tensors", "dim"),
    "stack": ("tensors", "dim"),
    "roll": ("input", "shifts", "dims"),
    "flip": ("input", "dims"),
    # made from nothing
    "arange": ("start", "end", "step"),
    "zeros": ("size",),
    "ones": ("size",),
    "full": ("size", "fill_value"),
    "tensor": ("value",),
}

DEFAULTS: dict[str, dict[str, object]] = {
    "gelu": {"approximate": "none"},
    "flatten": {"start_dim": 0, "end_dim": -1},
    "split": {"dim": 0},
    "chunk": {"dim": 0},
    "unbind": {"dim": 0},
    "cat": {"dim": 0},
    "stack": {"dim": 0},
    "var": {"unbiased": True},
    "std": {"unbiased": True},
    "tril": {"diagonal": 0},
    "triu": {"diagonal": 0},
    "dropout": {"p": 0.5, "training": True},
    "layer_norm": {"eps": 1e-5},
    "cross_entropy": {"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0},
    "nll_loss": {"ignore_index": -100, "reduction": "mean"},
}

# Arguments that take the rest of the positional ones: x.view(2, 3), x.permute(0, 2, 1).
VARIADIC = {"shape", "dims", "size", "sizes", "repeats", "operands"}

_SPELLINGS = {  # the canonical name: torch's other spellings of it
    "add": "radd",
    "sub": "rsub subtract",
    "mul": "rmul multiply",
    "div": "rdiv truediv rtruediv divide true_divide",
    "pow": "rpow float_power",
    "floor_divide": "floordiv rfloordiv",
    "remainder": "mod rmod",
    "matmul": "rmatmul bmm mm",
    "neg": "negative",
    "abs": "absolute",
    "bitwise_not": "invert",
    "bitwise_and": "and",
    "bitwise_or": "or",
    "bitwise_xor": "xor",
    "clamp": "clip",
    "gt": "greater",
    "lt": "less",
    "ge": "greater_equal",
    "le": "less_equal",
    "ne": "not_equal",
    "sigmoid": "special_expit",
    "erf": "special_erf",
    "softmax": "_safe_softmax",
    "to": "float half double bfloat16 long int bool short byte char cfloat cdouble type type_as cpu cuda",
    "cat": "concat concatenate",
    "split": "unsafe_split tensor_split",
    "chunk": "unsafe_chunk",
    "transpose": "swapaxes swapdims",
    "view": "view_as",
    "reshape": "reshape_as",
    "native_multi_head_attention": "_native_multi_head_attention",
    "transformer_encoder_layer": "_transformer_encoder_layer_fwd",
}
ALIASES = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings.split()}
