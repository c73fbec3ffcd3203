"""Names for the axes of tensors that have no shape comment of their own, from those of their neighbours.

Only what an operation's meaning settles is named; an axis that nothing names stays "".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Axes = tuple[str, ...]
Shape = Sequence[int]
Named = tuple[Shape, Axes]

_SAME = frozenset(
    "softmax log_softmax relu gelu silu tanh sigmoid exp log sqrt rsqrt neg abs erf masked_fill dropout layer_norm "
    "rms_norm clamp clone contiguous detach to tril triu cumsum square reciprocal logical_not bitwise_not roll flip".split()
)
_REDUCING = frozenset("sum mean var std amax amin prod max min argmax argmin logsumexp".split())


def axes_after(op: str, inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    """The axis names of an operation's result, as far as those of its inputs settle them."""
    rule = _RULES.get(op)
    if rule is None:
        rule = _same if op in _SAME else _reduced if op in _REDUCING else _broadcast
    try:
        axes = rule(inputs, settings, shape)
    except (IndexError, TypeError, ValueError):
        axes = ()
    return tuple(axes) if len(axes) == len(shape) else ("",) * len(shape)


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
    return ("",) * len(shape)


def _same(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    return inputs[0][1]


def _broadcast(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    """Aligned at the right; the first input that has an axis in full names it."""
    names = [""] * len(shape)
    for in_shape, axes in inputs:
        if len(in_shape) > len(shape):
            return ()
        for i in range(1, len(in_shape) + 1):
            if in_shape[-i] == shape[-i] and not names[-i] and axes[-i] != "1":
                names[-i] = axes[-i]
    return tuple(names)


def _reduced(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    in_shape, axes = inputs[0]
    dim = settings.get("dim")
    if dim is None:
        return ()
    gone = {d % len(in_shape) for d in (dim if isinstance(dim, list | tuple) else (dim,))}
    if settings.get("keepdim"):
        return tuple("1" if i in gone else name for i, name in enumerate(axes))
    return tuple(name for i, name in enumerate(axes) if i not in gone)


def _linear(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    return (*inputs[0][1][:-1], "")


def _matmul(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    (_, left), (_, right) = inputs[0], inputs[1]
    return (*left[:-1], right[-1]) if len(left) >= len(right) else (*right[:-2], left[-2], right[-1])


def _transpose(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    axes = list(inputs[0][1])
    i, j = settings.get("dim0", -1), settings.get("dim1", -2)
    axes[i], axes[j] = axes[j], axes[i]
    return tuple(axes)


def _permute(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    return tuple(inputs[0][1][d] for d in settings["dims"])


def _unflatten(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    axes = inputs[0][1]
    dim = settings["dim"] % len(axes)
    return (*axes[:dim], *[""] * (len(shape) - len(axes) + 1), *axes[dim + 1 :])


def _by_size(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    """After a view: leading axes whose sizes are unchanged keep their names."""
    in_shape, axes = inputs[0]
    names: list[str] = []
    for size, in_size, name in zip(shape, in_shape, axes, strict=False):
        if size != in_size:
            break
        names.append(name)
    return (*names, *[""] * (len(shape) - len(names)))


def _embedding(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    return (*inputs[0][1], "")


def _joined(inputs: Sequence[Named], settings: Mapping[str, Any], shape: Shape) -> Axes:
    return inputs[0][1]


_RULES: dict[str, Callable[[Sequence[Named], Mapping[str, Any], Shape], Axes]] = {
    "linear": _linear,
    "matmul": _matmul,
    "transpose": _transpose,
    "mT": _transpose,
    "permute": _permute,
    "unflatten": _unflatten,
    "flatten": _by_size,
    "view": _by_size,
    "reshape": _by_size,
    "unsqueeze": lambda inputs, settings, shape: (
        *inputs[0][1][: settings["dim"] % len(shape)],
        "1",
        *inputs[0][1][settings["dim"] % len(shape) :],
    ),
    "embedding": _embedding,
    "cat": _joined,
    "split": _joined,
    "chunk": _joined,
    "getitem": _by_size,
    "arange": lambda inputs, settings, shape: ("pos",),
}
