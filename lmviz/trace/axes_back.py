"""Names for the axes of what a result was made from, when only the result has a shape comment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lmviz.trace.axes import BROADCAST, REDUCING, SAME, Axes, Named, Settings, Shape, dims_of, reshaped, unnamed

Rule = Callable[[Shape, str, Settings, Named], Sequence[str]]


def axes_before(op: str, argument: str, shape: Shape, settings: Settings, after: Named) -> Axes:
    """The axis names of the operand given as `argument`, as far as those of the result settle them."""
    rule = _RULES.get(op)
    if rule is None:
        is_like_result = op in BROADCAST or (op in SAME and argument in ("input", "mask"))
        rule = _aligned if is_like_result else _reduced if op in REDUCING else None
    try:
        axes = tuple(rule(shape, argument, settings, after)) if rule else ()
    except (IndexError, KeyError, TypeError, ValueError):  # called in a way that the rule does not know
        axes = ()
    return axes if len(axes) == len(shape) else unnamed(shape)


def _aligned(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    """Of operands that are broadcast, aligned at the right; an operand's axis of size 1 is everybody's."""
    out_shape, axes = after
    names = [""] * len(shape)
    for i in range(1, min(len(shape), len(out_shape)) + 1):
        if shape[-i] == out_shape[-i]:
            names[-i] = axes[-i]
    return names


def _reduced(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    gone = dims_of(settings, len(shape))
    if settings.get("keepdim"):
        return ["" if i in gone else name for i, name in enumerate(after[1])]
    left = iter(after[1])
    return ["" if i in gone else next(left) for i in range(len(shape))]


def _linear(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    return (*after[1][:-1], "") if argument == "input" else ()


def _matmul(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    if len(shape) != len(after[1]):
        return ()
    return (*after[1][:-1], "") if argument == "input" else (*after[1][:-2], "", after[1][-1])


def _transpose(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    axes = list(after[1])
    i, j = settings.get("dim0", -1), settings.get("dim1", -2)
    axes[i], axes[j] = axes[j], axes[i]
    return axes


def _permute(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    names = [""] * len(shape)
    for name, dim in zip(after[1], settings["dims"], strict=True):
        names[dim] = name
    return names


def _reshape(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    return reshaped(after, shape)


_RULES: dict[str, Rule] = {
    "linear": _linear,
    "matmul": _matmul,
    **dict.fromkeys(("transpose", "mT"), _transpose),
    "permute": _permute,
    **dict.fromkeys(("flatten", "unflatten", "view", "reshape"), _reshape),
    "embedding": lambda shape, argument, settings, after: after[1][:-1] if argument == "input" else (),
    **dict.fromkeys(("cat", "split", "chunk", "narrow"), lambda shape, argument, settings, after: after[1]),
}
