"""Where a number comes from: `explain(step, cell)` gives the arithmetic behind one cell of a recorded step."""

from __future__ import annotations

from dataclasses import replace
from operator import index

import numpy as np

from lmviz.errors import UserError, check_given
from lmviz.explain.backward import explain_gradient
from lmviz.explain.casting import cast_explanation
from lmviz.explain.value_uses import cell_of_view
from lmviz.trace.operations.arguments import UNKNOWN_SPELLING, check_cell, shown, tensor
from lmviz.trace.operations.explanation import TERMS, Explanation, Operand, Piece, Term, plain_number
from lmviz.trace.operations.latex import result, symbol
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.table import OPERATIONS
from lmviz.trace.step import Cell, Step, Value

__all__ = ["TERMS", "Explanation", "Operand", "Piece", "Term", "explain", "explain_gradient"]


def explain(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The arithmetic behind one cell of one output of a step.

    Returns:
        An explanation whose value was computed in float64 from the recorded inputs, and is as the output's type holds
        it; for an operation that has no record, or a call that its record does not know, one with `known=False` and
        the recorded number.

    Raises:
        UserError: the step has no such output, or the output no such cell.
    """
    cell = _checked(step, cell, output)
    value, record = step.outputs[output], OPERATIONS.get(step.op)
    if record is None or not _is_within(step, record):
        return _unknown(step, cell, output)
    try:
        with np.errstate(all="ignore"):
            if value.before is not None:
                return _changed(step, cell, output, value.before, record)
            if output and not record.several:
                return _unknown(step, cell, output)
            why = record.explain(step, cell, output) if record.several else record.explain(step, cell)
            return cast_explanation(why, value.dtype)
    except UserError:
        raise
    except UNKNOWN_SPELLING:
        return _unknown(step, cell, output)


def _changed(step: Step, cell: Cell, output: int, before: Value, record: Operation) -> Explanation:
    """What a call has changed besides its result: a running mean, or the tensor that it has written to through a view.

    `cache[:, :n].copy_(k)` has changed `cache` too: where the view lies, as that; elsewhere it is as it was.
    """
    if record.updates is not None and before in step.inputs:
        return cast_explanation(record.updates(step, cell, before), before.dtype)
    whole, view = step.outputs[output].array, step.outputs[0].array
    if output == 0 or not np.may_share_memory(whole, view):  # a file may say so of what the call returned
        return _unknown(step, cell, output)
    left, seen = result(step, cell, output), cell_of_view(view, whole, cell)
    if seen is None:
        return shown(left, tensor(before), cell)
    why = explain(step, seen)
    return replace(why, formula=f"{left} = {why.formula}")


def _is_within(step: Step, record: Operation) -> bool:
    """Whether a step has only numbers that its record reckons with: even rows, and complex numbers if it can."""
    values = (*step.inputs, *step.outputs)
    if any(value.ragged for value in values):
        return False
    has_complex = any(value.dtype.startswith("complex") for value in values)
    return record.complex or not (has_complex or any(isinstance(value, complex) for value in step.settings.values()))


def _unknown(step: Step, cell: Cell, output: int) -> Explanation:
    """The recorded number, for what we can't explain."""
    value = plain_number(step.outputs[output].array[cell])
    formula = f"{result(step, cell, output)} = {symbol(step.op)}(\\ldots)"
    return Explanation(formula, (), value, (value,), known=False)


def _checked(step: Step, cell: Cell, output: int) -> Cell:
    """The cell as plain numbers, however it was written."""
    check_given("explain", "step", step, Step)
    check_given("explain", "output", output, int)
    if not 0 <= output < len(step.outputs):
        raise UserError(
            "The output must be one of the {count} that {address} has, counted from 0; got {output}.",
            count=len(step.outputs),
            address=step.address,
            output=output,
        )
    try:
        plain = tuple(map(index, cell))
    except TypeError:
        check_given("explain", "cell", cell, tuple)
        plain = cell  # whose numbers are not whole
    check_cell(plain, step.outputs[output].shape, step.address)
    return plain
