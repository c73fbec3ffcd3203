"""Questions about two numbers, whose answers are 1 or 0; and arithmetic on bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import option, required_argument
from lmviz.trace.operations.axes import BROADCAST
from lmviz.trace.operations.dtypes import BITS
from lmviz.trace.operations.explanation import Explanation, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.arithmetic import Operator, both, explain_operator, of_two
from lmviz.trace.operations.slopes import no_slopes
from lmviz.trace.step import Cell, Step


def _compared(name: str, sign: str, latex: str, value: Callable[[Any, Any], Any], **more: Any) -> Operation:
    operator = Operator(value, rf"[@a {latex} @b]", f"[{{a}} {sign} {{b}}]", rounds="own")
    return of_two(name, operator, slopes=no_slopes, **more)


def _explain_bits(
    logic: Operator, name: str, of_bits: Callable[[int, int], int], step: Step, cell: Cell
) -> Explanation:
    """Logic on booleans; on whole numbers, the same for each of their bits."""
    if step.outputs[0].dtype not in BITS:
        return explain_operator(logic, step, cell)
    (a, a_at), (b, b_at) = both(step, cell)
    formula = rf"{result(step, cell)} = \operatorname{{{name}}}({a.latex(*a_at)}, {b.latex(*b_at)})"
    written = write(f"{name}({{a}}, {{b}})", a=a.piece(a_at), b=b.piece(b_at))
    return Explanation(formula, (), of_bits(a.exact(a_at), b.exact(b_at)), written)


def _bits(name: str, logic: Callable[[Any, Any], Any], sign: str, of_bits: Callable[[int, int], int]) -> Operation:
    operator = Operator(logic, rf"[@a \; \mathrm{{{name}}} \; @b]", f"[{{a}} {sign} {{b}}]")
    return Operation(
        name=f"bitwise_{name}",
        spellings=f"{name} __r{name}__",
        arguments="input other",
        axes=BROADCAST,
        explain=partial(_explain_bits, operator, f"bit{name}", of_bits),
        slopes=no_slopes,
    )


def _explain_bitwise_not(step: Step, cell: Cell) -> Explanation:
    """True becomes false; an integer n becomes -n - 1."""
    x = required_argument(step, "input", 1)
    at, number = x.piece(cell), x.exact(cell)
    formula = rf"{result(step, cell)} = \lnot {x.latex(*cell)}"
    if x.array.dtype == bool:
        return Explanation(formula, (), 1 - number, write("[¬ {x}]", x=at))
    return Explanation(formula, (), -number - 1, write("−({x}) − {1}", x=at))


def _explain_isclose(step: Step, cell: Cell) -> Explanation:
    """Whether two numbers are apart by at most atol + rtol × |other|."""
    (a, a_at), (b, b_at) = both(step, cell)
    x, y, rtol, atol = a.number(a_at), b.number(b_at), option(step, "rtol", 1e-5), option(step, "atol", 1e-8)
    near = np.abs(x - y) <= atol + rtol * np.abs(y)
    value = bool(x == y) or (bool(near) and bool(np.isfinite(y)))
    both_nan = bool(step.settings.get("equal_nan")) and bool(np.isnan(x)) and bool(np.isnan(y))
    template = "[{a} = {b}]" if x == y else "[|{a} − {b}| ≤ {atol} + {rtol} × |{b}|]"
    if both_nan or not np.isfinite(y):
        template = f"[{{{float(value or both_nan)}}} = {{1}}]"
    formula = rf"[|{a.latex(*a_at)} - {b.latex(*b_at)}| \leq {atol:g} + {rtol:g} \, |{b.latex(*b_at)}|]"
    written = write(template, a=a.piece(a_at), b=b.piece(b_at), atol=atol, rtol=rtol)
    return Explanation(f"{result(step, cell)} = {formula}", (), float(value or both_nan), written)


OPERATIONS = (
    _compared("eq", "=", "=", np.equal, complex=True),
    _compared("ne", "≠", r"\neq", np.not_equal, spellings="not_equal", complex=True),
    _compared("lt", "<", "<", np.less, spellings="less"),
    _compared("le", "≤", r"\leq", np.less_equal, spellings="less_equal"),
    _compared("gt", ">", ">", np.greater, spellings="greater"),
    _compared("ge", "≥", r"\geq", np.greater_equal, spellings="greater_equal"),
    _compared("logical_and", "∧", r"\land", np.logical_and),
    _compared("logical_or", "∨", r"\lor", np.logical_or),
    of_two("logical_xor", Operator(np.logical_xor, r"[@a \oplus @b]", "[({a} ≠ {0}) ≠ ({b} ≠ {0})]"), slopes=no_slopes),
    _bits("and", np.logical_and, "∧", lambda a, b: a & b),
    _bits("or", np.logical_or, "∨", lambda a, b: a | b),
    _bits("xor", np.logical_xor, "≠", lambda a, b: a ^ b),
    Operation(name="bitwise_not", spellings="invert", arguments="input", axes=BROADCAST, explain=_explain_bitwise_not,
        slopes=no_slopes),
    Operation(name="isclose", arguments="input other rtol atol equal_nan", axes=BROADCAST, explain=_explain_isclose,
        slopes=no_slopes),
)  # fmt: skip
