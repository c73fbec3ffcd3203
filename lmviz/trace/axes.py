"""Names for the axes of a result that has no shape comment of its own, from those of what it was made from.

Only what an operation's meaning settles is named; an axis that nothing names stays "".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Axes = tuple[str, ...]
Shape = Sequence[int]
Named = tuple[Shape, Axes]
Settings = Mapping[str, Any]
Rule = Callable[[Sequence[Named], Settings, Shape], Sequence[str]]

SAME = frozenset(
    "softmax log_softmax relu gelu silu tanh sigmoid exp log sqrt rsqrt neg abs erf masked_fill dropout layer_norm "
    "rms_norm clamp clone contiguous detach to tril triu cumsum cumprod square reciprocal logical_not bitwise_not roll "
    "flip sin cos sign softplus leaky_relu elu relu6 hardtanh floor ceil round isnan isfinite isinf fill zero "
    "nan_to_num normalize zeros_like ones_like full_like rand_like randn_like empty_like requires_grad index_put "
    "setitem batch_norm sort".split()
)
BROADCAST = frozenset(
    "add sub mul div pow maximum minimum remainder floor_divide eq ne lt le gt ge logical_and logical_or logical_xor "
    "bitwise_and bitwise_or bitwise_xor where lerp addcmul addcdiv atan2 copy".split()
)
REDUCING = frozenset(
    "sum mean var std amax amin prod max min argmax argmin logsumexp all any norm count_nonzero".split()
)


def unnamed(shape: Shape) -> Axes:
    return ("",) * len(shape)


def axes_after(op: str, inputs: Sequence[Named], settings: Settings, shape: Shape) -> Axes:
    """The axis names of an operation's result, as far as those of its inputs settle them."""
    rule = _RULES.get(op)
    if rule is None:
        rule = _same if op in SAME else _broadcast if op in BROADCAST else _reduced if op in REDUCING else _unknown
    try:
        axes = tuple(rule(inputs, settings, shape))
    except (IndexError, KeyError, TypeError, ValueError):  # called in a way that the rule does not know
        axes = ()
    return axes if len(axes) == len(shape) else unnamed(shape)


def weight_axes(op: str, argument: str, shape: Shape, before: Named | None, after: Axes) -> Axes:
    """The axis names of a weight, from the tensor it meets and the result."""
    last_in = before[1][-1] if before and before[1] else ""
    last_out = after[-1] if after else ""
    if op == "embedding" and argument == "weight":
        return ("id", last_out)
    if op == "linear" and argument == "weight":
        return (last_out, last_in)
    if len(shape) == 1 and last_out and argument in ("bias", "weight", "other"):
        return (last_out,)
    return unnamed(shape)


def _unknown(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Axes:
    return ()


def _same(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Axes:
    return inputs[0][1]


def _broadcast(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Axes:
    """Aligned at the right; the first input that has an axis in full names it."""
    names = [""] * len(shape)
    for in_shape, axes in inputs:
        for i in range(1, min(len(in_shape), len(shape)) + 1):
            if in_shape[-i] == shape[-i] and not names[-i] and (axes[-i] != "1" or shape[-i] == 1):
                names[-i] = axes[-i]
    return tuple(names)


def dims_of(settings: Settings, rank: int, name: str = "dim") -> set[int]:
    """The axes that a setting names, counted from the left; all of them if there is no setting."""
    dim = settings.get(name)
    if dim is None:
        return set(range(rank))
    return {d % rank for d in (dim if isinstance(dim, list | tuple) else (dim,))}


def _reduced(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes = inputs[0][1]
    gone = dims_of(settings, len(axes))
    if settings.get("keepdim"):
        return ["1" if i in gone else name for i, name in enumerate(axes)]
    return [name for i, name in enumerate(axes) if i not in gone]


def _linear(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    return (*inputs[0][1][:-1], "")


def _matmul(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    (_, left), (_, right) = inputs[0], inputs[1]
    if len(left) == 1 or len(right) == 1:
        return left[:-1] if len(right) == 1 else (*right[:-2], right[-1])
    return (*left[:-1], right[-1]) if len(left) >= len(right) else (*right[:-2], left[-2], right[-1])


def _transpose(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes = list(inputs[0][1])
    i, j = settings.get("dim0", -1), settings.get("dim1", -2)
    axes[i], axes[j] = axes[j], axes[i]
    return axes


def _permute(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    return [inputs[0][1][d] for d in settings["dims"]]


def _unflatten(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes = inputs[0][1]
    dim = settings["dim"] % len(axes)
    return (*axes[:dim], *[""] * (len(shape) - len(axes) + 1), *axes[dim + 1 :])


def reshaped(named: Named, shape: Shape) -> Sequence[str]:
    """After a view: axes at the left and at the right whose sizes are unchanged keep their names."""
    in_shape, axes = named
    names = [""] * len(shape)
    least, left = min(len(in_shape), len(shape)), 0
    while left < least and in_shape[left] == shape[left]:
        names[left] = axes[left]
        left += 1
    right = 1
    while right <= least - left and in_shape[-right] == shape[-right]:
        names[-right] = axes[-right]
        right += 1
    return names


def _reshape(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    return reshaped(inputs[0], shape)


def _unsqueeze(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes, dim = inputs[0][1], settings["dim"] % len(shape)
    return (*axes[:dim], "1", *axes[dim:])


def _squeeze(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    in_shape, axes = inputs[0]
    gone = dims_of(settings, len(axes))
    return [name for i, name in enumerate(axes) if not (i in gone and in_shape[i] == 1)]


def _without_dim(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    gone = dims_of({"dim": settings.get("dim", 0)}, len(inputs[0][1]))
    return [name for i, name in enumerate(inputs[0][1]) if i not in gone]


def _stack(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes, dim = inputs[0][1], settings.get("dim", 0) % len(shape)
    return (*axes[:dim], "", *axes[dim:])


def _along(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    """The one axis that has another size now stands for something else."""
    return [name if n == m else "" for name, n, m in zip(inputs[0][1], inputs[0][0], shape, strict=True)]


def _getitem(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes, index = inputs[0][1], settings["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    if not all(part is None or part is ... or isinstance(part, int | slice) for part in parts):
        return ()
    n_used = sum(part is not None and part is not ... for part in parts)
    at = parts.index(...) if ... in parts else len(parts)
    parts[at : at + 1] = [slice(None)] * (len(axes) - n_used)
    names, rest = [], iter(axes)
    for part in parts:
        name = "1" if part is None else next(rest)
        if not isinstance(part, int):
            names.append(name)
    return names


def _einsum(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    left, _, right = settings["equation"].replace(" ", "").partition("->")
    name_of: dict[str, str] = {}
    for letters, (_, axes) in zip(left.split(","), inputs, strict=True):
        for letter, name in zip(letters, axes, strict=True):
            name_of[letter] = name_of.get(letter) or name
    return [name_of[letter] for letter in right]


def _embedding(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    return (*inputs[0][1], "")


_RULES: dict[str, Rule] = {
    "linear": _linear,
    "matmul": _matmul,
    "einsum": _einsum,
    "transpose": _transpose,
    "mT": _transpose,
    "T": lambda inputs, settings, shape: inputs[0][1][::-1],
    "permute": _permute,
    "unflatten": _unflatten,
    **dict.fromkeys(("flatten", "view", "reshape"), _reshape),
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    **dict.fromkeys(("select", "unbind"), _without_dim),
    "stack": _stack,
    **dict.fromkeys(("topk", "repeat_interleave", "pad"), _along),
    **dict.fromkeys(("cat", "split", "chunk", "narrow"), _same),
    "expand": _broadcast,
    "scaled_dot_product_attention": lambda inputs, settings, shape: (*inputs[0][1][:-1], inputs[2][1][-1]),
    "transformer_encoder_layer": _same,
    "getitem": _getitem,
    **dict.fromkeys(("embedding", "one_hot"), _embedding),
    "gather": lambda inputs, settings, shape: inputs[-1][1],
    "arange": lambda inputs, settings, shape: ("pos",),
}
