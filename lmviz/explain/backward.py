"""Where a gradient comes from: `explain_gradient(trace, address, cell)` sums over the places that a number went to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from lmviz.errors import UserError
from lmviz.explain.casting import cast_explanation
from lmviz.explain.value_uses import loss_of, made_inside, one_with, uses_of, written_out
from lmviz.trace.operations.arguments import UNKNOWN_SPELLING, cell_at, check_cell, inputs, place_of
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Floats, Operand, Term, Terms, plain_number
from lmviz.trace.operations.latex import symbol
from lmviz.trace.operations.slopes import Ints, Slopes, Use, constant
from lmviz.trace.operations.table import OPERATIONS
from lmviz.trace.step import Cell, Trace, Value

__all__ = ["explain_gradient"]


@dataclass(frozen=True, slots=True, eq=False)
class _Flow:
    """What one use of a number adds to its gradient: each gradient there times the slope."""

    output: Value
    slopes: Slopes
    gradients: Floats  # [n]: d loss / d output[cells[n]]

    @property
    def parts(self) -> Floats:
        return self.gradients * self.slopes.values

    def term(self, n: int) -> Term:
        cell = cell_at(int(self.slopes.cells[n]), self.output.shape)
        gradient, slope = float(self.gradients[n]), float(self.slopes.values[n])
        there = Operand(self.output.name, self.output.address, cell, gradient, gradient=True)
        label = f"{self.output.name}[{', '.join(map(str, cell))}]"
        return Term(label, (gradient, slope), gradient * slope, (there, self.slopes.operand(n)))


def explain_gradient(trace: Trace, address: str, cell: Cell) -> Explanation:
    """d loss / d one number: the chain rule, summed over every place that the number went to.

    Args:
        trace: recorded with `backward=`.
        address: of a step's output, a weight or an input.
        cell: index into that value.

    Returns:
        One term for each later cell that the number acts on directly: the gradient of that cell (recorded) times the
        slope there, in float64: from a formula, or torch's own derivative where none is written (`by_torch`). A weight
        that is used twice has the terms of both uses. The loss itself has gradient 1. With `known=False`, the recorded
        gradient: an operation on the way has no slope that we could work out.

    Raises:
        UserError: the trace has no such value or no gradients, or the value has no such cell.

    Source:
        Goodfellow et al. 2016, 6.5.2, eq. 6.46.
    """
    value, loss = _value(trace, address), loss_of(trace)
    check_cell(cell, value.shape, address)
    left = rf"\frac{{\partial L}}{{\partial {symbol(value.name, *cell)}}}"
    if loss is not None and value.address == loss.address:
        return Explanation(f"{left} = 1", (), 1.0, (1.0,))
    try:
        with np.errstate(all="ignore"):
            flows = list(_flows(trace, value, cell))
            terms = _terms(flows)
    except UserError:
        raise
    except (*UNKNOWN_SPELLING, RuntimeError):
        return _as_recorded(value, cell, left)
    formula = " + ".join(_latex(flow, symbol(value.name, *cell)) for flow in flows) or "0"
    by_torch = any(flow.slopes.by_torch for flow in flows)
    found = Explanation(f"{left} = {formula}", terms, float(terms.values.sum()), by_torch=by_torch)
    if trace.loss is None and not _is_whole(value, cell, found):
        return _as_recorded(value, cell, left)
    return cast_explanation(found, value.dtype)


def _as_recorded(value: Value, cell: Cell, left: str) -> Explanation:
    """The recorded gradient, whose arithmetic is not known."""
    gradient = float("nan") if value.grad is None else plain_number(value.grad[cell])
    return Explanation(left, (), gradient, (gradient,), known=False)


def _is_whole(value: Value, cell: Cell, found: Explanation) -> bool:
    """Where the loss was computed outside of what was recorded: whether the recorded uses make up all of a gradient."""
    return value.grad is not None and bool(np.isclose(found.value, value.grad[cell], rtol=1e-3, atol=1e-6))


def _flows(trace: Trace, value: Value, cell: Cell) -> Iterator[_Flow]:
    """Every use of a number whose result the loss depends on."""
    fused, inside, own = written_out(trace).get(value.address), made_inside(trace), one_with(trace, value)
    if fused is not None and fused.grad is not None:
        yield from _flow(fused, constant(np.array([place_of(cell, value.shape)])))
        if fused.address in inside:  # it has the gradient of all uses, those inside too
            return
    for step, n in uses_of(trace, own | {inside[address] for address in own & inside.keys()}):
        for output, result in enumerate(step.outputs):
            if result.grad is not None and not result.edited and result.address not in own:
                yield from _flow(result, _slopes(Use(step, inputs(step), n, cell, output)))


def _slopes(use: Use) -> Slopes:
    """How an output changes with a number: from the operation's record, or as torch has it if there is none."""
    if any(value.ragged for value in (*use.step.inputs, *use.step.outputs)):
        raise NotImplementedError("rows of unequal length")
    if any(part.is_complex for part in use.inputs) or use.step.outputs[use.output].dtype.startswith("complex"):
        raise NotImplementedError("the slope of a complex number")
    record = OPERATIONS.get(use.step.op)
    return slopes_of_torch(use) if record is None else record.slopes(use)


def _flow(output: Value, slopes: Slopes) -> Iterator[_Flow]:
    if len(slopes.cells):
        yield _Flow(output, slopes, _gradients(output, slopes.cells))


def _gradients(output: Value, cells: Ints) -> Floats:
    """The recorded gradients of some cells."""
    gradient = output.grad
    assert gradient is not None
    there: Floats = gradient[np.unravel_index(cells, output.shape)] if output.shape else gradient.reshape(1)
    return there.astype(np.float64)


def _terms(flows: list[_Flow]) -> Terms:
    ends = list(accumulate(len(flow.slopes.cells) for flow in flows))

    def term(i: int) -> Term:
        which = int(np.searchsorted(ends, i, side="right"))
        return flows[which].term(i - (ends[which - 1] if which else 0))

    return Terms(np.concatenate([flow.parts for flow in flows] or [np.zeros(0)]), term)


def _latex(flow: _Flow, number: str) -> str:
    several = len(flow.slopes.cells) > 1
    indices = ("c",) if several else cell_at(int(flow.slopes.cells[0]), flow.output.shape)
    out = symbol(flow.output.name, *indices)
    total = r"\sum_c " if several else ""
    return rf"{total}\frac{{\partial L}}{{\partial {out}}} \, \frac{{\partial {out}}}{{\partial {number}}}"


def _value(trace: Trace, address: str) -> Value:
    value = trace.value(address)
    if value is None:
        raise UserError("A gradient needs the address of a value of this trace; {address} is none.", address=address)
    if trace.loss is None and not any(one.grad is not None for step in trace for one in step.outputs):
        raise UserError("Gradients need a loss, and this trace has none: record with backward=.")
    return value
