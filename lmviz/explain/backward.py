"""Where a gradient comes from: `explain_gradient(trace, address, cell)` sums over the places that a number went to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from lmviz.errors import UserError
from lmviz.explain.explanation import Explanation, Floats, Operand, Term, Terms
from lmviz.explain.functions import FUNCTIONS
from lmviz.explain.given import UNKNOWN_SPELLING, cell_at, check_cell, inputs, place_of
from lmviz.explain.latex import symbol
from lmviz.explain.slopes.cells import (
    OPERATOR_SLOPES,
    Rule,
    slopes_clamp,
    slopes_dropout,
    slopes_function,
    slopes_masked_fill,
    slopes_mul,
    slopes_operator,
    slopes_same,
    slopes_triangle,
    slopes_where,
)
from lmviz.explain.slopes.losses import slopes_class_loss, slopes_mse_loss
from lmviz.explain.slopes.products import (
    slopes_addmm,
    slopes_einsum,
    slopes_embedding,
    slopes_linear,
    slopes_matmul,
    slopes_outer,
)
from lmviz.explain.slopes.rows import (
    slopes_cumsum,
    slopes_extreme,
    slopes_logsumexp,
    slopes_mean,
    slopes_norm,
    slopes_prod,
    slopes_softmax,
    slopes_sum,
    slopes_var,
)
from lmviz.explain.slopes.use import Ints, Slopes, Use
from lmviz.explain.slopes.views import slopes_max, slopes_order, slopes_setitem, slopes_view
from lmviz.explain.views import VIEWS
from lmviz.explain.wiring import loss_of, uses_of, written_out
from lmviz.trace.step import Cell, Trace, Value

__all__ = ["SLOPES", "explain_gradient"]

SLOPES: dict[str, Rule] = {
    **dict.fromkeys(VIEWS, slopes_view),
    **dict.fromkeys(FUNCTIONS, slopes_function),
    **dict.fromkeys(OPERATOR_SLOPES, slopes_operator),
    **dict.fromkeys(("add", "sub"), slopes_same),
    "mul": slopes_mul,
    "matmul": slopes_matmul,
    "addmm": slopes_addmm,
    "outer": slopes_outer,
    "linear": slopes_linear,
    "einsum": slopes_einsum,
    "embedding": slopes_embedding,
    "masked_fill": slopes_masked_fill,
    "where": slopes_where,
    **dict.fromkeys(("tril", "triu"), slopes_triangle),
    "clamp": slopes_clamp,
    "dropout": slopes_dropout,
    "sum": slopes_sum,
    "mean": slopes_mean,
    **dict.fromkeys(("var", "std"), slopes_var),
    "prod": slopes_prod,
    **dict.fromkeys(("amax", "amin"), slopes_extreme),
    "logsumexp": slopes_logsumexp,
    "cumsum": slopes_cumsum,
    **dict.fromkeys(("softmax", "log_softmax"), slopes_softmax),
    **dict.fromkeys(("layer_norm", "rms_norm"), slopes_norm),
    **dict.fromkeys(("cross_entropy", "nll_loss"), slopes_class_loss),
    "mse_loss": slopes_mse_loss,
    "setitem": slopes_setitem,
    **dict.fromkeys(("topk", "sort"), slopes_order),
    **dict.fromkeys(("max", "min"), slopes_max),
}


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
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
        slope there (from a formula, in float64). A weight that is used twice has the terms of both uses. The loss
        itself has gradient 1. With `known=False`, the recorded gradient: an operation on the way has no such formula.

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
    except UNKNOWN_SPELLING:
        gradient = float("nan") if value.grad is None else float(value.grad[cell])
        return Explanation(left, (), gradient, (gradient,), known=False)
    formula = " + ".join(_latex(flow, symbol(value.name, *cell)) for flow in flows) or "0"
    return Explanation(f"{left} = {formula}", terms, float(terms.values.sum()))


def _flows(trace: Trace, value: Value, cell: Cell) -> Iterator[Flow]:
    """Every use of a number whose result the loss depends on."""
    fused = written_out(trace).get(value.address)
    if fused is not None:
        same = np.array([place_of(cell, value.shape)])
        yield from _flow(fused, Slopes(same, np.ones(1)))
        return
    for step, n in uses_of(trace, value.address):
        for output, result in enumerate(step.outputs):
            if result.grad is not None and not result.edited:
                yield from _flow(result, SLOPES[step.op](Use(step, inputs(step), n, cell, output)))


def _flow(output: Value, slopes: Slopes) -> Iterator[Flow]:
    if len(slopes.cells):
        yield Flow(output, slopes, _gradients(output, slopes.cells))


def _gradients(output: Value, cells: Ints) -> Floats:
    """The recorded gradients of some cells."""
    gradient = output.grad
    assert gradient is not None
    there: Floats = gradient[np.unravel_index(cells, output.shape)] if output.shape else gradient.reshape(1)
    return there.astype(np.float64)


def _terms(flows: list[Flow]) -> Terms:
    ends = list(accumulate(len(flow.slopes.cells) for flow in flows))

    def term(i: int) -> Term:
        which = int(np.searchsorted(ends, i, side="right"))
        return flows[which].term(i - (ends[which - 1] if which else 0))

    return Terms(np.concatenate([flow.parts for flow in flows] or [np.zeros(0)]), term)


def _latex(flow: Flow, number: str) -> str:
    several = len(flow.slopes.cells) > 1
    indices = ("c",) if several else cell_at(int(flow.slopes.cells[0]), flow.output.shape)
    out = symbol(flow.output.name, *indices)
    total = r"\sum_c " if several else ""
    return rf"{total}\frac{{\partial L}}{{\partial {out}}} \, \frac{{\partial {out}}}{{\partial {number}}}"


def _value(trace: Trace, address: str) -> Value:
    value = trace.value(address)
    if value is None:
        raise UserError("A gradient needs the address of a value of this trace; {address} is none.", address=address)
    if trace.loss is None:
        raise UserError("Gradients need a loss, and this trace has none: record with backward=.")
    return value
