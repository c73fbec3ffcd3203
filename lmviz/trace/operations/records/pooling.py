"""Pooling: a window of numbers becomes one, their largest or their mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lmviz.trace.operations.arguments import Argument, inputs, option, place_of
from lmviz.trace.operations.axes import RESIZED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Term, Terms, write
from lmviz.trace.operations.group import Group
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import setting
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.convolution import per_axis
from lmviz.trace.operations.records.order import winner
from lmviz.trace.operations.records.reduce import terms_of
from lmviz.trace.operations.slopes import Slopes, Use, no_slopes
from lmviz.trace.step import Cell, Step


def _axes_pooled(step: Step) -> int:
    """Over how many axes, the last ones, an operation goes: 2 for "max_pool2d"."""
    return int(step.op[-2])


def _window_of(step: Step, cell: Cell) -> Group:
    """The cells of the input that a cell of the result is made of."""
    x, n = inputs(step)[0], _axes_pooled(step)
    spans = (_adaptive if step.op.startswith("adaptive") else _strided)(step, x, cell[-n:])
    return Group(x, (*cell[:-n], *spans), tuple(range(x.array.ndim - n, x.array.ndim)))


def _adaptive(step: Step, x: Argument, place: Cell) -> list[slice]:
    """As many windows as asked for, of sizes as equal as can be."""
    n = len(place)
    sizes = zip(place, x.shape[-n:], step.outputs[0].shape[-n:], strict=True)
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i, size, count in sizes]


def _strided(step: Step, x: Argument, place: Cell) -> list[slice]:
    n = len(place)
    kernel, dilation = per_axis(step, "kernel_size", 1, n), per_axis(step, "dilation", 1, n)
    stride, padding = per_axis(step, "stride", kernel, n), per_axis(step, "padding", 0, n)
    spans = []
    for i, size, k, d, s, p in zip(place, x.shape[-n:], kernel, dilation, stride, padding, strict=True):
        inside = [at for j in range(k) if 0 <= (at := i * s - p + j * d) < size]
        spans.append(slice(inside[0], inside[-1] + 1, d) if inside else slice(0, 0))
    return spans


def _explain_max_pool(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The largest number of a window, and, as the second output, where it stands, counted through its channel."""
    cells, n = _window_of(step, cell), _axes_pooled(step)
    place = winner(cells.numbers)
    left = rf"{result(step, cell, output)} = \max_{{{cells.letters}}} {cells.latex()}"
    at = cells.cell(place)
    if output == 1:
        i = place_of(at[-n:], cells.tensor.shape[-n:])
        return Explanation(left, (), i, write("{x} → {i}", x=cells.operand(place), i=float(i)))
    return Explanation(left, (), cells.tensor.exact(at), (cells.operand(place),))


def _slopes_max_pool(use: Use) -> Slopes:
    return no_slopes(use) if use.output == 1 else slopes_of_torch(use)


def _explain_avg_pool(step: Step, cell: Cell) -> Explanation:
    """The mean of a window; zeros of the padding count, unless `count_include_pad` is False."""
    cells = _window_of(step, cell)
    divisor = float(len(cells) if step.op.startswith("adaptive") else _divisor(step, cells, cell))
    formula = rf"{result(step, cell)} = \frac{{1}}{{{divisor:g}}} \sum_{{{cells.letters}}} {cells.latex()}"
    value = float(cells.numbers.sum() / divisor)
    return Explanation(formula, terms_of(cells, len(cells)), value, write("({terms}) / {n}", n=divisor))


def _divisor(step: Step, cells: Group, cell: Cell) -> int:
    """How many cells a window counts: on the input and, as a rule, on the padding around it, but not beyond."""
    if (chosen := setting(step, "divisor_override")) is not None:
        return int(chosen)
    if not setting(step, "count_include_pad", True):
        return len(cells)
    n = _axes_pooled(step)
    kernel, padding = per_axis(step, "kernel_size", 1, n), per_axis(step, "padding", 0, n)
    stride, count = per_axis(step, "stride", kernel, n), 1
    for i, size, k, s, p in zip(cell[-n:], cells.tensor.shape[-n:], kernel, stride, padding, strict=True):
        count *= min(i * s - p + k, size + p) - (i * s - p)
    return count


def _explain_lp_pool(step: Step, cell: Cell) -> Explanation:
    """The p-th root of the sum of the p-th powers of a window."""
    if setting(step, "ceil_mode", False):
        raise NotImplementedError("lp_pool with windows that are cut off")
    cells, p = _window_of(step, cell), option(step, "norm_type", 2.0)
    powers = cells.numbers**p

    def term(i: int) -> Term:
        return Term(
            cells.label(i),
            (float(powers[i]),),
            float(powers[i]),
            (None,),
            write("({x}) ^ {p}", x=cells.operand(i), p=p),
        )

    total = powers.sum()
    value = np.power(total, 1 / p)  # NaN where the sum is below 0, as torch has it
    written = write("({terms}) ^ ({1} / {p})", p=p)
    formula = rf"{result(step, cell)} = \sqrt[{p:g}]{{\sum_{{{cells.letters}}} {cells.latex()}^{{{p:g}}}}}"
    return Explanation(formula, Terms(powers, term), float(value), written)


_MAX = "input kernel_size[] stride[] padding[] dilation[] ceil_mode return_indices"
_AVG = "input kernel_size[] stride[] padding[] ceil_mode count_include_pad divisor_override"


def _all() -> Iterator[Operation]:
    for n in (1, 2, 3):
        for name, arguments in (
            (f"max_pool{n}d", _MAX),
            (f"adaptive_max_pool{n}d", "input output_size[] return_indices"),
        ):
            yield Operation(
                name=name,
                spellings=f"{name}_with_indices",
                arguments=arguments,
                axes=RESIZED,
                explain=_explain_max_pool,
                slopes=_slopes_max_pool,
                several=True,
            )
        for name, arguments in ((f"avg_pool{n}d", _AVG), (f"adaptive_avg_pool{n}d", "input output_size[]")):
            yield Operation(
                name=name, arguments=arguments, axes=RESIZED, explain=_explain_avg_pool, slopes=slopes_of_torch
            )
        yield Operation(
            name=f"lp_pool{n}d",
            arguments="input norm_type kernel_size[] stride[] ceil_mode",
            axes=RESIZED,
            explain=_explain_lp_pool,
            slopes=slopes_of_torch,
        )


OPERATIONS = tuple(_all())
