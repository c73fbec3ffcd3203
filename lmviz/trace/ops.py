"""The operations we can show: one canonical name each, with the names of their arguments.

Torch spells one operation in many ways (`a @ b`, `a.matmul(b)`, `torch.matmul(a, b)`); a trace uses one. An operation
that is not listed here is recorded all the same, under torch's own name, with its arguments numbered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Op:
    """What a recorder must know of one torch function.

    `in_place` overwrites its first argument; `reverse` was called with its operands the other way round (`1 - x`);
    `random` draws from a generator.
    """

    name: str
    arguments: tuple[str, ...] = ()
    defaults: dict[str, object] = field(default_factory=dict)
    in_place: bool = False
    reverse: bool = False
    random: bool = False
    has_inplace: bool = False

    def writes_to_input(self, args: tuple[object, ...], kwargs: dict[str, object]) -> bool:
        """Whether a call has asked, by an argument, to overwrite its input: `F.relu(x, inplace=True)`."""
        if kwargs.get("inplace"):
            return True
        return self.has_inplace and len(args) > (i := self.arguments.index("inplace")) and bool(args[i])


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
    "softmax": ("input", "dim", "_stacklevel", "dtype"),
    "log_softmax": ("input", "dim", "_stacklevel", "dtype"),
    "cumsum": ("input", "dim"),
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
    "rms_norm": ("input", "normalized_shape", "weight", "eps"),
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

ALIASES = {
    **{"truediv": "div", "divide": "div", "true_divide": "div", "multiply": "mul", "subtract": "sub"},
    **{"negative": "neg", "absolute": "abs", "concat": "cat", "concatenate": "cat", "swapaxes": "transpose"},
    **{"view_as": "view", "reshape_as": "reshape", "bmm": "matmul", "mm": "matmul", "float_power": "pow"},
    **{"invert": "bitwise_not", "and": "bitwise_and", "or": "bitwise_or", "mod": "remainder"},
    **{"float": "to", "half": "to", "double": "to", "bfloat16": "to", "long": "to", "int": "to", "bool": "to"},
    **{
        "type_as": "to",
        "cpu": "to",
        "H": "mT",
        "clip": "clamp",
        "greater": "gt",
        "less": "lt",
        "special_expit": "sigmoid",
    },
    **{
        "special_erf": "erf",
        "unsafe_split": "split",
        "unsafe_chunk": "chunk",
        "tensor_split": "split",
        "matrix_exp": "matrix_exp",
    },
}

RANDOM = frozenset(
    "dropout alpha_dropout feature_alpha_dropout dropout1d dropout2d dropout3d native_dropout rrelu gumbel_softmax "
    "bernoulli multinomial normal uniform exponential rand randn randint randperm rand_like randn_like randint_like "
    "scaled_dot_product_attention multi_head_attention_forward".split()
)

_SILENT = frozenset(  # they read about a tensor, and make none
    "size dim numel stride storage_offset data_ptr item tolist numpy is_floating_point is_complex is_contiguous "
    "element_size nelement ndimension get_device untyped_storage register_hook requires_grad_ retain_grad backward "
    "share_memory_ is_same_size __len__ __bool__ __int__ __float__ __index__ __repr__ __format__ __contains__ "
    "__array__ __hash__ __deepcopy__ __reduce_ex__ allclose equal is_nonzero is_tensor".split()
)
_IN_PLACE_DUNDERS = frozenset("__iadd__ __isub__ __imul__ __idiv__ __itruediv__ __ipow__ __setitem__".split())
_PROPERTIES = frozenset("T mT H mH real imag data grad".split())


def op_of(func: Callable[..., Any]) -> Op | None:
    """The operation that a torch function stands for; None for what only reads about a tensor (shape, dtype)."""
    name: str = getattr(func, "__name__", "") or type(func).__name__
    if name == "__set__":
        return None
    if name == "__get__":
        name = getattr(getattr(func, "__self__", None), "__name__", "")
        return Op(ALIASES.get(name, name), ("input",)) if name in _PROPERTIES else None
    if name in _SILENT:
        return None
    in_place = name in _IN_PLACE_DUNDERS or (name.endswith("_") and not name.endswith("__"))
    reverse = name in ("rsub",)
    if name.startswith("__") and name.endswith("__"):
        name = name[2:-2]
        if in_place and name != "setitem":
            name = name[1:]
        elif name in ("radd", "rsub", "rmul", "rdiv", "rtruediv", "rpow", "rmatmul", "rfloordiv", "rmod"):
            name, reverse = name[1:], True
    elif in_place:
        name = name[:-1]
    name = "sub" if name == "rsub" else name
    canonical = ALIASES.get(name, name)
    arguments = ARGUMENTS.get(name, ARGUMENTS.get(canonical, ()))
    defaults = DEFAULTS.get(canonical, {})
    return Op(canonical, arguments, defaults, in_place, reverse, canonical in RANDOM, "inplace" in arguments)
