"""Borders and windows: pad, unfold and fold of images, and max_unpool."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import inputs, place_of, product
from lmviz.trace.operations.axes import LIKE_INPUT, RESIZED, UNNAMED
from lmviz.trace.operations.explanation import Explanation, Terms
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import FILLED, Moving, Places, moves, setting, sizes
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.convolution import folded_places, window_places
from lmviz.trace.operations.slopes import Slopes, Use, constant
from lmviz.trace.step import Cell, Step

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _pad(step: Step, at: list[Places], output: int) -> Places:
    """Pairs of numbers, the last axis first; a negative one cuts off."""
    numbers = [int(n) for n in sizes(step, "pad")]
    pairs = [(0, 0)] * (at[0].ndim - len(numbers) // 2) + [*zip(numbers[-2::-2], numbers[::-2], strict=True)]
    mode = str(setting(step, "mode", "constant"))
    cut = tuple(slice(max(-a, 0), size - max(-b, 0)) for (a, b), size in zip(pairs, at[0].shape, strict=True))
    added: Any = [(max(a, 0), max(b, 0)) for a, b in pairs]
    if mode == "constant":
        return np.pad(at[0][cut], added, constant_values=FILLED)
    padded: Places = np.pad(at[0], added, mode=_MODES[mode])  # type: ignore[call-overload]
    return padded[tuple(slice(max(-a, 0), size - max(-b, 0)) for (a, b), size in zip(pairs, padded.shape, strict=True))]


def _im2col(step: Step, at: list[Places], output: int) -> Any:
    lead = (1,) * (4 - at[0].ndim)
    return window_places(step, at[0].reshape(*lead, *at[0].shape), FILLED).reshape(step.outputs[0].shape)


def _unpool(step: Step, at: list[Places], output: int) -> Places:
    """A number goes to the place that its index names, counted through the places of its channel."""
    n = int(step.op[-2])
    made = np.full(step.outputs[0].shape, FILLED)
    lead = made.shape[:-n]
    index = inputs(step)[1].array.reshape(int(np.prod(lead)), -1)
    flat = made.reshape(index.shape[0], -1)
    np.put_along_axis(flat, index, at[0].reshape(index.shape), 1)
    return flat.reshape(made.shape)


def _explain_fold(step: Step, cell: Cell) -> Explanation:
    """The sum of all numbers that the windows lay on a cell."""
    (x,) = inputs(step)
    found = np.argwhere(folded_places(step) == place_of(cell, step.outputs[0].shape))
    numbers = x.row(tuple(found.T))
    terms = Terms(numbers, lambda i: product(i, (x, tuple(int(n) for n in found[i]))))
    return Explanation(rf"{result(step, cell)} = \sum_i {x.latex('i')}", terms, numbers.sum())


def _slopes_fold(use: Use) -> Slopes:
    place = int(folded_places(use.step)[use.cell])
    return constant(np.array([place] if place >= 0 else [], np.intp))


def _zero(step: Step) -> float:
    return 0.0


OPERATIONS = (
    moves("pad", "input pad[] mode value", Moving(_pad, fill=lambda step: setting(step, "value", 0.0)), RESIZED,
        spellings="constant_pad_nd"),
    moves("im2col", "input kernel_size[] dilation[] padding[] stride[]", Moving(_im2col, fill=_zero),
        spellings="functional.unfold"),
    Operation(name="fold", spellings="col2im",
        arguments="input output_size[] kernel_size[] dilation[] padding[] stride[]",
        axes=UNNAMED, explain=_explain_fold, slopes=_slopes_fold),
    *(
        moves(f"max_unpool{n}d", "input indices kernel_size[] stride[] padding[] output_size[]",
            Moving(_unpool, fill=_zero), LIKE_INPUT)
        for n in (1, 2, 3)
    ),
)  # fmt: skip
