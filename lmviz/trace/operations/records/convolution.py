"""Convolutions: at each place a window of the input, times a kernel; and the way back, transposed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product as every
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, product, required_argument
from lmviz.trace.operations.axes import AxisRule, Named, Settings, Shape
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Terms, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import setting
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Ints
from lmviz.trace.step import Cell, Step


@dataclass(frozen=True, slots=True)
class _Kernel:
    """How a convolution goes over the axes of its input, one number for each of them."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]  # zeros before the first cell
    dilation: tuple[int, ...]
    groups: int


def _kernel_of(step: Step, sizes: Sequence[int]) -> _Kernel:
    """Args: `sizes`, how many cells the kernel has along each axis."""
    n = len(sizes)
    dilation, padding = per_axis(step, "dilation", 1, n), step.settings.get("padding", 0)
    if padding == "same":
        before = tuple(d * (size - 1) // 2 for d, size in zip(dilation, sizes, strict=True))
    else:
        before = (0,) * n if padding == "valid" else per_axis(step, "padding", 0, n)
    return _Kernel(per_axis(step, "stride", 1, n), before, dilation, int(setting(step, "groups", 1)))


def per_axis(step: Step, name: str, otherwise: Any, n: int) -> tuple[int, ...]:
    """A setting that is one number for all axes, or one for each."""
    value = setting(step, name, otherwise)
    value = otherwise if isinstance(value, list | tuple) and not value else value
    values = [int(i) for i in value] if isinstance(value, list | tuple) else [int(value)]
    return tuple(values) if len(values) == n else tuple(values * n)


def _explain_convolution(step: Step, cell: Cell) -> Explanation:
    """The sum over channels and kernel cells of input × weight, plus the bias of the output's channel.

    Args:
        step: a "conv1d", "conv2d" or "conv3d" step with input [batch, channel, *size] (or without batch), weight
            [out, channel / groups, *kernel] and bias [out] or None.

    Returns:
        One term for each cell of the kernel that lies on the input; those on the padding are 0.

    Source:
        Dumoulin and Visin 2016, 2.
    """
    x, weight = required_argument(step, "input"), required_argument(step, "weight")
    n = weight.array.ndim - 2
    kernel = _kernel_of(step, weight.shape[2:])
    lead, out, place = cell[: -n - 1], cell[-n - 1], cell[-n:]
    per_group = weight.shape[1]
    first = out // (weight.shape[0] // kernel.groups) * per_group
    found = []
    for inside in every(*map(range, weight.shape[2:])):
        at = tuple(_forward(kernel, axis, p, k) for axis, (p, k) in enumerate(zip(place, inside, strict=True)))
        if _is_in(at, x.shape[-n:]):
            found += [((*lead, first + c, *at), (out, c, *inside)) for c in range(per_group)]
    return _sum(step, cell, x, weight, found, out)


def _forward(kernel: _Kernel, axis: int, place: int, inside: int) -> int:
    return place * kernel.stride[axis] - kernel.padding[axis] + inside * kernel.dilation[axis]


def _explain_transposed(step: Step, cell: Cell) -> Explanation:
    """The sum over all input cells whose window, laid over the output, covers this cell.

    Args:
        step: a "conv_transpose1d", "…2d" or "…3d" step with input [batch, channel, *size] (or without batch), weight
            [channel, out / groups, *kernel] and bias [out] or None.

    Source:
        Dumoulin and Visin 2016, 4.
    """
    x, weight = required_argument(step, "input"), required_argument(step, "weight")
    n = weight.array.ndim - 2
    kernel = _kernel_of(step, weight.shape[2:])
    lead, out, place = cell[: -n - 1], cell[-n - 1], cell[-n:]
    per_group = weight.shape[0] // kernel.groups
    which, own = divmod(out, weight.shape[1])
    found = []
    for inside in every(*map(range, weight.shape[2:])):
        at = _backward(kernel, place, inside)
        if at is not None and _is_in(at, x.shape[-n:]):
            channels = range(which * per_group, (which + 1) * per_group)
            found += [((*lead, c, *at), (c, own, *inside)) for c in channels]
    return _sum(step, cell, x, weight, found, out)


def _backward(kernel: _Kernel, place: Cell, inside: Cell) -> Cell | None:
    """The input cell that reaches a place with a cell of its kernel; None if the stride passes it by."""
    broadcast_ranges = []
    for axis, (p, k) in enumerate(zip(place, inside, strict=True)):
        i, rest = divmod(p + kernel.padding[axis] - k * kernel.dilation[axis], kernel.stride[axis])
        if rest:
            return None
        broadcast_ranges.append(i)
    return tuple(broadcast_ranges)


def _is_in(cell: Cell, shape: Sequence[int]) -> bool:
    return all(0 <= i < size for i, size in zip(cell, shape, strict=True))


def _sum(
    step: Step, cell: Cell, x: Argument, weight: Argument, found: list[tuple[Cell, Cell]], out: int
) -> Explanation:
    """The products of some cells of the input and of the kernel, and the bias."""
    products = x.row(_together([a for a, _ in found], x)) * weight.row(_together([b for _, b in found], weight))
    terms = Terms(
        products, lambda i: product(",".join(map(str, found[i][1][1:])), (x, found[i][0]), (weight, found[i][1]))
    )
    value, formula = (
        products.sum(),
        rf"{result(step, cell)} = \sum_{{c,k}} {x.latex('c', 'k')} \cdot {weight.latex('c', 'k')}",
    )
    bias = argument_of(step, "bias")
    if bias is None:
        return Explanation(formula, terms, value)
    written = write("{terms} + {b}", b=bias.piece((out,)))
    return Explanation(f"{formula} + {bias.latex(out)}", terms, value + bias.number((out,)), written)


def _together(cells: list[Cell], part: Argument) -> tuple[Ints, ...]:
    """Some cells as one index."""
    return tuple(np.array(cells, np.intp).reshape(len(cells), part.array.ndim).T)


# -- windows laid out, and put back together -------------------------------------------------------------------------


def window_places(step: Step, image: Any, filled: int) -> Any:
    """What `torch.nn.functional.unfold` makes of an image [batch, channel, h, w]: [batch, channel·kernel, window]."""
    kernel = per_axis(step, "kernel_size", 1, 2)
    stride, dilation = per_axis(step, "stride", 1, 2), per_axis(step, "dilation", 1, 2)
    pads = [(0, 0), (0, 0), *((p, p) for p in per_axis(step, "padding", 0, 2))]
    image = np.pad(image, pads, constant_values=filled)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    seen = np.lib.stride_tricks.sliding_window_view(image, spans, (2, 3))
    seen = seen[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    batch, channel, rows, cols, *_ = seen.shape
    return seen.transpose(0, 1, 4, 5, 2, 3).reshape(batch, channel * kernel[0] * kernel[1], rows * cols)


def folded_places(step: Step) -> Any:
    """For each cell of the input of a fold: the place in the output, counted through, that it is added to."""
    shape = (1,) * (4 - len(step.outputs[0].shape)) + step.outputs[0].shape
    places = window_places(step, np.arange(int(np.prod(shape))).reshape(shape), -1)
    return places.reshape(step.inputs[0].shape)


def _kept_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    """A convolution keeps the batch; channels are new ones, and so are places, unless they are as many as before."""
    in_shape, axes = inputs[0]
    names = [name if n == m else "" for name, n, m in zip(axes, in_shape, shape, strict=True)]
    n = len(inputs[1][0]) - 2
    names[-n - 1] = ""
    return names


def _all() -> Iterator[Operation]:
    for n in (1, 2, 3):
        yield Operation(
            name=f"conv{n}d",
            arguments="input weight bias stride[] padding[] dilation[] groups",
            axes=AxisRule(_kept_axes),
            explain=_explain_convolution,
            slopes=slopes_of_torch,
            sign="∗",
            complex=True,
        )
        yield Operation(
            name=f"conv_transpose{n}d",
            arguments="input weight bias stride[] padding[] output_padding[] groups dilation[]",
            axes=AxisRule(_kept_axes),
            explain=_explain_transposed,
            slopes=slopes_of_torch,
            sign="∗",
            complex=True,
        )


OPERATIONS = tuple(_all())
