"""Names for the axes of a result from those of what it was made from, and the other way round.

Only what an operation's meaning settles is named; an axis that nothing names stays "". A rule that does not know a call
may raise any of `_UNKNOWN_CALL`, or return names that do not fit: the axes then stay unnamed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Axes = tuple[str, ...]
Shape = Sequence[int]
Named = tuple[Shape, Axes]
Settings = Mapping[str, Any]
_Forward = Callable[[Sequence[Named], Settings, Shape], Sequence[str]]
_Backward = Callable[[Shape, str, Settings, Named], Sequence[str]]
_OfWeight = Callable[[str, Shape, str, str], Axes]

_UNKNOWN_CALL = (ArithmeticError, LookupError, TypeError, ValueError)


def unnamed(shape: Shape) -> Axes:
    return ("",) * len(shape)


def _nothing(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Axes:
    return ()


def _nothing_back(shape: Shape, argument: str, settings: Settings, after: Named) -> Axes:
    return ()


def _vector_of_outputs(argument: str, shape: Shape, last_in: str, last_out: str) -> Axes:
    """The axis of a weight [d]: the last one of the result."""
    if len(shape) == 1 and last_out and argument in ("bias", "weight", "other"):
        return (last_out,)
    return unnamed(shape)


@dataclass(frozen=True, slots=True)
class AxisRule:
    """How the axes of a call are named. The inputs of `forward` are its tensors, in order."""

    forward: _Forward = _nothing  # (inputs, settings, shape of the result) -> names of the result
    backward: _Backward = _nothing_back  # (shape, argument, settings, result) -> names of that argument
    of_weight: _OfWeight = _vector_of_outputs  # (argument, shape, last axis of the first input, of the result)
    rows: str = ""  # the setting that names axes which the result has too, and of which each cell reads all; "*": every

    @property
    def looks_back(self) -> bool:
        """Whether it can name an operand's axes after those of the result."""
        return self.backward is not _nothing_back

    def after(self, inputs: Sequence[Named], settings: Settings, shape: Shape) -> Axes:
        """The axis names of the result, as far as those of the inputs settle them."""
        try:
            axes = tuple(self.forward(inputs, settings, shape))
        except _UNKNOWN_CALL:
            axes = ()
        return axes if len(axes) == len(shape) else unnamed(shape)

    def before(self, shape: Shape, argument: str, settings: Settings, after: Named) -> Axes:
        """The axis names of the operand given as `argument`, as far as those of the result settle them."""
        try:
            axes = tuple(self.backward(shape, argument, settings, after))
        except _UNKNOWN_CALL:
            axes = ()
        return axes if len(axes) == len(shape) else unnamed(shape)


# -- rules that many operations share --------------------------------------------------------------------------------


def _same(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Axes:
    return inputs[0][1]


def broadcast(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Axes:
    """Aligned at the right; the first input that has an axis in full names it."""
    names = [""] * len(shape)
    for in_shape, axes in inputs:
        for i in range(1, min(len(in_shape), len(shape)) + 1):
            if in_shape[-i] == shape[-i] and not names[-i] and (axes[-i] != "1" or shape[-i] == 1):
                names[-i] = axes[-i]
    return tuple(names)


def _aligned(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    """Of operands that are broadcast, aligned at the right; an operand's axis of size 1 is everybody's."""
    out_shape, axes = after
    names = [""] * len(shape)
    for i in range(1, min(len(shape), len(out_shape)) + 1):
        if shape[-i] == out_shape[-i]:
            names[-i] = axes[-i]
    return names


def _aligned_input(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    return _aligned(shape, argument, settings, after) if argument in ("input", "mask") else ()


def _alike(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    """Where the result is as long as the operand: a part of an axis is not called like the whole."""
    return [name if size == made else "" for size, made, name in zip(shape, *after, strict=True)]


def dims_of(settings: Settings, rank: int, name: str = "dim") -> set[int]:
    """The axes that a setting names, counted from the left; all of them if there is no setting.

    A number that has no axes has one for whoever asks for it: 0, or −1.
    """
    dim = settings.get(name)
    if dim is None:
        return set(range(rank))
    return {d % max(rank, 1) for d in (dim if isinstance(dim, list | tuple) else (dim,))}


def _reduced(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes = inputs[0][1]
    gone = dims_of(settings, len(axes))
    if settings.get("keepdim"):
        return ["1" if i in gone else name for i, name in enumerate(axes)]
    return [name for i, name in enumerate(axes) if i not in gone]


def _reduced_back(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    gone = dims_of(settings, len(shape))
    if settings.get("keepdim"):
        return ["" if i in gone else name for i, name in enumerate(after[1])]
    left = iter(after[1])
    return ["" if i in gone else next(left) for i in range(len(shape))]


def _reshaped(named: Named, shape: Shape) -> Sequence[str]:
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
    return _reshaped(inputs[0], shape)


def reshape_back(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    return _reshaped(after, shape)


def _resized(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    """An axis that has another size now stands for something else."""
    return [name if n == m else "" for name, n, m in zip(inputs[0][1], inputs[0][0], shape, strict=True)]


def _without_dim(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    gone = dims_of({"dim": settings.get("dim", 0)}, len(inputs[0][1]))
    return [name for i, name in enumerate(inputs[0][1]) if i not in gone]


UNNAMED = AxisRule()
SAME = AxisRule(_same, _aligned_input)  # the result is like the first input
ROWS = AxisRule(_same, _aligned_input, rows="dim")  # so too, and each cell is made from a whole row: a softmax
LAST_AXES = AxisRule(_same, _aligned_input, rows="normalized_shape")
WHOLE = AxisRule(_same, _aligned_input, rows="*")
LIKE_INPUT = AxisRule(_same)  # so too, but what goes in is not named after the result
PARTS = AxisRule(_same, _alike)  # along one axis, more or fewer of the same
BROADCAST = AxisRule(broadcast, _aligned)
REDUCED = AxisRule(_reduced, _reduced_back)
RESHAPED = AxisRule(_reshape, reshape_back)
RESIZED = AxisRule(_resized)
WITHOUT_DIM = AxisRule(_without_dim)
