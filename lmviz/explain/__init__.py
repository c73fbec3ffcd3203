"""Where a number comes from: `explain(step, cell)` gives the arithmetic behind one cell of a recorded step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lmviz.errors import UserError
from lmviz.explain.arithmetic import OPERATORS, explain_add, explain_mul, explain_operator, explain_sub
from lmviz.explain.attention import explain_attention
from lmviz.explain.backward import explain_gradient
from lmviz.explain.choice import explain_dropout, explain_masked_fill, explain_triangle, explain_where
from lmviz.explain.einsum import explain_einsum
from lmviz.explain.explanation import TERMS, Explanation, Operand, Piece, Term
from lmviz.explain.functions import FUNCTIONS, explain_bitwise_not, explain_clamp, explain_function
from lmviz.explain.given import UNKNOWN_SPELLING, check_cell
from lmviz.explain.latex import result, symbol
from lmviz.explain.lookup import explain_embedding, explain_gather, explain_one_hot
from lmviz.explain.loss import explain_class_loss, explain_mse_loss
from lmviz.explain.made import explain_arange, explain_constant
from lmviz.explain.matmul import explain_addmm, explain_linear, explain_matmul, explain_outer
from lmviz.explain.norm import explain_norm
from lmviz.explain.order import explain_extreme, explain_order
from lmviz.explain.reduce import explain_cumsum, explain_mean, explain_prod, explain_sum, explain_var
from lmviz.explain.softmax import explain_log_softmax, explain_logsumexp, explain_softmax
from lmviz.explain.views import PARTED, VIEWS, explain_setitem, explain_to, explain_view
from lmviz.trace.step import Cell, Step

__all__ = ["EXPLAINERS", "TERMS", "Explanation", "Operand", "Piece", "Term", "explain", "explain_gradient"]

Explainer = Callable[..., Explanation]  # of (step, cell), or of (step, cell, output) for what has several outputs

SEVERAL_OUTPUTS = frozenset((*PARTED, "max", "min", "topk", "sort"))

EXPLAINERS: dict[str, Explainer] = {
    **dict.fromkeys(VIEWS, explain_view),
    "to": explain_to,
    "gather": explain_gather,
    "embedding": explain_embedding,
    "one_hot": explain_one_hot,
    "linear": explain_linear,
    "matmul": explain_matmul,
    "addmm": explain_addmm,
    "outer": explain_outer,
    "add": explain_add,
    "sub": explain_sub,
    "mul": explain_mul,
    **dict.fromkeys(OPERATORS, explain_operator),
    **dict.fromkeys(FUNCTIONS, explain_function),
    "bitwise_not": explain_bitwise_not,
    "clamp": explain_clamp,
    "masked_fill": explain_masked_fill,
    "where": explain_where,
    "tril": explain_triangle,
    "triu": explain_triangle,
    "dropout": explain_dropout,
    "sum": explain_sum,
    "mean": explain_mean,
    "var": explain_var,
    "std": explain_var,
    "prod": explain_prod,
    **dict.fromkeys(("max", "min", "amax", "amin", "argmax", "argmin"), explain_extreme),
    **dict.fromkeys(("topk", "sort"), explain_order),
    "cumsum": explain_cumsum,
    "logsumexp": explain_logsumexp,
    "softmax": explain_softmax,
    "log_softmax": explain_log_softmax,
    "einsum": explain_einsum,
    "scaled_dot_product_attention": explain_attention,
    **dict.fromkeys(("layer_norm", "rms_norm"), explain_norm),
    **dict.fromkeys(("cross_entropy", "nll_loss"), explain_class_loss),
    "mse_loss": explain_mse_loss,
    "setitem": explain_setitem,
    "arange": explain_arange,
    **dict.fromkeys(("zeros", "zeros_like", "ones", "ones_like", "full", "tensor"), explain_constant),
}


def explain(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The arithmetic behind one cell of one output of a step.

    Returns:
        An explanation whose value was computed in float64 from the recorded inputs; for an operation that is not in
        `EXPLAINERS`, one with `known=False` and the recorded number.

    Raises:
        UserError: the step has no such output, or the output no such cell.
    """
    check(step, cell, output)
    explainer = EXPLAINERS.get(step.op)
    if explainer is None or "complex" in step.outputs[output].dtype:
        return unknown(step, cell, output)
    try:
        with np.errstate(all="ignore"):
            return explainer(step, cell, output) if step.op in SEVERAL_OUTPUTS else explainer(step, cell)
    except UserError:
        raise
    except UNKNOWN_SPELLING:
        return unknown(step, cell, output)


def unknown(step: Step, cell: Cell, output: int) -> Explanation:
    """The recorded number, for what we can't explain."""
    value = float(np.real(step.outputs[output].array[cell]))
    formula = f"{result(step, cell, output)} = {symbol(step.op)}(\\ldots)"
    return Explanation(formula, (), value, (value,), known=False)


def check(step: Step, cell: Cell, output: int) -> None:
    if not 0 <= output < len(step.outputs):
        raise UserError(
            "The output must be one of the {count} that {address} has, counted from 0; got {output}.",
            count=len(step.outputs),
            address=step.address,
            output=output,
        )
    check_cell(cell, step.outputs[output].shape, step.address)
