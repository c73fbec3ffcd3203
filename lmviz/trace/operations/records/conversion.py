"""The same numbers in another type: what it can't hold is rounded, cut off, or wraps around."""

from __future__ import annotations

import numpy as np

from lmviz.trace.operations.arguments import inputs, required_argument, shown
from lmviz.trace.operations.axes import SAME
from lmviz.trace.operations.dtypes import BITS
from lmviz.trace.operations.explanation import Explanation, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import FILLED, Moving, Places, moves, setting
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Slopes, Use, broadcast_cells, constant, no_slopes
from lmviz.trace.step import Cell, Step

_TYPES = "float half double bfloat16 long int bool short byte char cfloat cdouble chalf"


def _explain_to(step: Step, cell: Cell) -> Explanation:
    """The same number in another type: whole numbers lose what is behind the point, booleans are 1 unless it was 0."""
    x, kind = inputs(step)[0], step.outputs[0].dtype
    left, number = result(step, cell), x.number(cell)
    if kind == "bool":
        written = write("[{x} ≠ {0}]", x=x.piece(cell))
        return Explanation(rf"{left} = [{x.latex(*cell)} \neq 0]", (), float(number != 0), written)
    if x.is_complex and not kind.startswith("complex"):
        return Explanation(rf"{left} = \Re {x.latex(*cell)}", (), float(number.real), write("Re({x})", x=x.piece(cell)))
    if kind in BITS and not x.is_whole:
        written = write("trunc({x})", x=x.piece(cell))
        return Explanation(rf"{left} = \operatorname{{trunc}} {x.latex(*cell)}", (), float(np.trunc(number)), written)
    return shown(left, x, cell)


def _slopes_to(use: Use) -> Slopes:
    return no_slopes(use) if use.n else constant(np.array([use.place]))


def _explain_copy(step: Step, cell: Cell) -> Explanation:
    """`x.copy_(src)`: the source's number, repeated where the source is smaller, in x's own type."""
    src = required_argument(step, "src")
    at = src.under(cell)
    return shown(result(step, cell), src, at)


def _slopes_copy(use: Use) -> Slopes:
    """What was overwritten goes nowhere."""
    return constant(broadcast_cells(use)[0]) if use.argument == "src" else no_slopes(use)


def _filled(name: str, arguments: str, spellings: str = "") -> Operation:
    """fill_ and zero_: one number everywhere, which may be that of a tensor."""

    def arrange(step: Step, at: list[Places], output: int) -> Places:
        return np.broadcast_to(at[1] if len(at) > 1 else np.array(FILLED), at[0].shape)

    def number(step: Step) -> object:
        return setting(step, "value", setting(step, "val", 0.0))  # torch.nn.init says "val"

    return moves(name, arguments, Moving(arrange, ("input", "value"), number), SAME, spellings=spellings)


OPERATIONS = (
    Operation(name="to", spellings=f"{_TYPES} type type_as cpu cuda", arguments="input", axes=SAME, explain=_explain_to,
        slopes=_slopes_to, complex=True),
    Operation(name="copy", arguments="input src", axes=SAME, explain=_explain_copy, slopes=_slopes_copy, complex=True),
    _filled("fill", "input value", "constant"),
    _filled("zero", "input"),
)  # fmt: skip
