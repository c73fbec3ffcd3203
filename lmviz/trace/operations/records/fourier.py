"""Fourier transforms: each number a sum of all, turned by an angle of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, inputs, plain, product
from lmviz.trace.operations.axes import LIKE_INPUT, UNNAMED, AxisRule, Named, Settings, Shape
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Terms
from lmviz.trace.operations.group import axes_of
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import Places, setting, view
from lmviz.trace.operations.operation import Operation
from lmviz.trace.step import Cell, Step


def _transformed_axes(step: Step, x: Argument) -> tuple[int, ...]:
    """The axes that a transform goes along: the last, the last two, or all of them, unless it says which."""
    dim: Any = setting(step, "dim", setting(step, "dims"))
    if dim is None:
        n = {"2": 2, "n": x.array.ndim}.get(step.op[-1], 1)
        dim = tuple(range(-n, 0))
    return axes_of(dim, x.array.ndim)


def _explain_transform(step: Step, cell: Cell) -> Explanation:
    """The sum over j of x_j e^(-2 pi i j k / n) along each axis; with the other sign, over n, for the way back.

    Args:
        step: an "fft_fft", "fft_ifft", "fft_rfft" step, or one over two or all axes.

    Source:
        Cooley and Tukey 1965, eq. 1.
    """
    x = inputs(step)[0]
    if setting(step, "s") is not None or setting(step, "norm") not in (None, "backward"):
        raise NotImplementedError("a transform of another length or scale")
    axes, back = _transformed_axes(step, x), "ifft" in step.op
    sizes = [int(setting(step, "n") or x.shape[axis]) for axis in axes]
    grid = np.indices([min(n, x.shape[axis]) for n, axis in zip(sizes, axes, strict=True)]).reshape(len(axes), -1)
    turns = sum(j * cell[axis] / n for j, axis, n in zip(grid, axes, sizes, strict=True))
    factors = np.exp((2j if back else -2j) * np.pi * turns) / (np.prod(sizes) if back else 1)
    index: list[Any] = list(cell)
    for axis, j in zip(axes, grid, strict=True):
        index[axis] = j
    values = x.row(tuple(index)) * factors

    def term(i: int) -> Any:
        at = tuple(int(part[i]) if isinstance(part, np.ndarray) else part for part in index)
        return product(",".join(str(at[axis]) for axis in axes), (x, at), (plain(complex(factors[i])), ()))

    sign = "" if back else "-"
    formula = rf"{result(step, cell)} = \sum_j {x.latex('j')} \, e^{{{sign}2 \pi i j k / n}}"
    return Explanation(formula, Terms(values, term), complex(values.sum()))


def _explain_frames(step: Step, cell: Cell) -> Explanation:
    """stft: the transform of one frame of a sound, each number times its weight in the window.

    Args:
        step: an "stft" step with input [pos] or [batch, pos]; its output is [frequency, frame], or batch first.
    """
    x = inputs(step)[0]
    n_fft = int(setting(step, "n_fft"))
    if not setting(step, "return_complex", False) or setting(step, "normalized", False):
        raise NotImplementedError("frames of another scale, or as pairs of real numbers")
    k, frame = cell[-2:]
    start = frame * int(setting(step, "hop_length", n_fft // 4)) - (n_fft // 2 if setting(step, "center", True) else 0)
    window = _window(step, n_fft)
    found = [
        (j, place) for j in range(n_fft) if (place := _padded(step, start + j, x.shape[-1])) is not None and window[j]
    ]
    factors = np.array([window[j] * np.exp(-2j * np.pi * j * k / n_fft) for j, _ in found])
    values = np.array([x.number((*cell[:-2], place)) for _, place in found]) * factors

    def term(i: int) -> Any:
        at = (*cell[:-2], found[i][1])
        return product(str(found[i][0]), (x, at), (plain(complex(factors[i])), ()))

    formula = rf"{result(step, cell)} = \sum_j w_j \, {x.latex('j')} \, e^{{-2 \pi i j k / n}}"
    return Explanation(formula, Terms(values, term), complex(values.sum()))


def _window(step: Step, n_fft: int) -> Any:
    """The weights of a frame, in its middle if they are fewer."""
    given_window = argument_of(step, "window")
    length = int(setting(step, "win_length", n_fft))
    weights = np.ones(length) if given_window is None else given_window.row(...)
    before = (n_fft - length) // 2
    return np.pad(weights, (before, n_fft - length - before))


def _padded(step: Step, place: int, size: int) -> int | None:
    """Where a place before the beginning or behind the end is read: mirrored, as torch has it unless told otherwise."""
    if 0 <= place < size:
        return place
    mode = setting(step, "pad_mode", "reflect")
    if mode == "constant":
        return None
    if mode != "reflect":
        raise NotImplementedError(f"frames with a border by {mode}")
    return -place if place < 0 else 2 * (size - 1) - place


def _explain_back_to_real(step: Step, cell: Cell) -> Explanation:
    """irfft: the real parts of the half of a spectrum that is there, those in its middle twice for the other half."""
    x = inputs(step)[0]
    if setting(step, "norm") not in (None, "backward"):
        raise NotImplementedError("a transform of another scale")
    (axis,) = _transformed_axes(step, x)
    n = int(setting(step, "n") or 2 * (x.shape[axis] - 1))
    j = np.arange(min(x.shape[axis], n // 2 + 1))
    twice = np.where((j == 0) | (2 * j == n), 1.0, 2.0)
    factors = twice * np.exp(2j * np.pi * j * cell[axis] / n) / n
    index = tuple(j if a == axis else i for a, i in enumerate(cell))
    values = (x.row(index) * factors).real

    def term(i: int) -> Any:
        at = tuple(i if a == axis else k for a, k in enumerate(cell))
        turned = product(i, (x, at), (plain(complex(factors[i])), ()))
        pieces = ("Re(", *turned.pieces, ")")
        return type(turned)(str(i), turned.factors, float(values[i]), turned.operands, pieces)

    formula = rf"{result(step, cell)} = \sum_j \Re({x.latex('j')} \, w_j)"
    return Explanation(formula, Terms(values, term), float(values.sum()))


def _untransformed(n_axes: int | None) -> AxisRule:
    """An axis that was gone along stands for frequencies now, which have no name here."""

    def names(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
        dim = settings.get("dim")
        chosen = tuple(range(-(n_axes or len(shape)), 0)) if dim is None else dim
        gone = axes_of(chosen, len(shape))
        return ["" if axis in gone else name for axis, name in enumerate(inputs[0][1])]

    return AxisRule(names)


def _shifted(step: Step, at: Places) -> Places:
    axes: Any = setting(step, "dim")
    move = np.fft.ifftshift if step.op == "fft_ifftshift" else np.fft.fftshift
    return move(at, axes)


def _all() -> Iterator[Operation]:
    for name in ("fft", "ifft", "rfft", "fft2", "ifft2", "rfft2", "fftn", "ifftn", "rfftn"):
        length = "n" if name.endswith("t") else "s[]"
        yield Operation(
            name=f"fft_{name}",
            arguments=f"input {length} dim[] norm",
            axes=_untransformed({"2": 2, "n": None}.get(name[-1], 1)),
            explain=_explain_transform,
            slopes=slopes_of_torch,
            complex=True,
        )
    yield Operation(
        name="fft_irfft",
        arguments="input n dim norm",
        axes=_untransformed(1),
        explain=_explain_back_to_real,
        slopes=slopes_of_torch,
        complex=True,
    )
    yield Operation(
        name="stft",
        arguments="input n_fft hop_length win_length window center pad_mode normalized onesided return_complex",
        axes=UNNAMED,
        explain=_explain_frames,
        slopes=slopes_of_torch,
        complex=True,
    )
    for name in ("fft_fftshift", "fft_ifftshift"):
        yield view(name, "input dim[]", _shifted, LIKE_INPUT)


OPERATIONS = tuple(_all())
