"""How a line of arithmetic is written so that a reader who works it out as it stands gets the result as it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.digits import LARGE, rounded, whole
from lmviz.explain.arithmetic import Formula, NotArithmetic, parse
from lmviz.trace.operations.explanation import TERMS, Explanation, Operand, Piece, plain_number

FEW = 4  # numbers of a line that may become long
_MORE, _MOST = 3, 9  # how many lengths of the operands are tried, in a line of many numbers and of few, before it has ≈
_SHORT = 8  # characters of a number that is written as it is: 0.5, 0.044715

_ParsedLine = tuple[Formula | None, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Line:
    """How the numbers of a line are written."""

    digits: int  # of the operands
    result: str  # plain text, as `rounded` gives it
    is_exact: bool  # False: rounding leaves the two sides apart, and the sign between them is ≈

    @property
    def sign(self) -> str:
        return "=" if self.is_exact else "≈"


def line_of(lines: Sequence[_ParsedLine], result: complex, digits: int, plain: bool = False) -> Line:
    """As few digits for the operands as make a line true, in each of the ways in which it may be written.

    Args:
        lines: what works it out in each way, or None if nobody can, and the numbers that stand in it.
        result: what it comes to.
        digits: of the result.
        plain: whether the numbers are written without powers of ten.
    """
    target = written(result, digits, plain)

    def holds(line: _ParsedLine, more: int) -> bool:
        formula, numbers = line
        if formula is None:
            return False
        found = formula([float(written(number, digits + more, plain)) for number in numbers])
        return target in (rounded(found, digits, plain), written(found, digits, plain))

    is_short = all(len(numbers) <= FEW for _, numbers in lines)
    for more in range(_MOST if is_short else _MORE):
        if all(holds(line, more) for line in lines):
            return Line(digits + more, target, True)
    return Line(digits, target, False)


def written(value: complex, digits: int, plain: bool = False) -> str:
    """A number of a line in plain text: whole and short ones as they are, others rounded; complex: (1 - 2 i)."""
    if isinstance(value, complex):
        sign = "-" if math.copysign(1, value.imag) < 0 else "+"
        return f"({written(value.real, digits, plain)} {sign} {written(abs(value.imag), digits, plain)} i)"
    if math.isfinite(value):
        if value == int(value) and abs(value) < 10**LARGE:
            return whole(value)
        exact = repr(float(value))
        if len(exact) <= _SHORT and "e" not in exact:
            return exact
    return rounded(value, digits, plain)


def parse_line(why: Explanation, chosen: Sequence[int], rest: complex) -> _ParsedLine:
    """What works an explanation's line out, and the numbers in it.

    Of its sum only the chosen terms are written, and what the others come to. Complex numbers are not read back: a line
    of them has ≈.
    """
    pieces = [*_pieces(why, chosen, rest)]
    numbers: list[Any] = [p.value if isinstance(p, Operand) else p for p in pieces if not isinstance(p, str)]
    if any(isinstance(number, complex) for number in numbers):
        return None, numbers
    try:
        return parse("".join(piece if isinstance(piece, str) else "\0" for piece in pieces)), numbers
    except NotArithmetic:
        return None, numbers


def _pieces(why: Explanation, chosen: Sequence[int], rest: complex) -> Iterator[Piece]:
    """The line as it is written: text, and numbers between."""
    for part in why.written:
        if part is TERMS:
            yield from _sum(why, chosen, rest)
        else:
            yield part


def _sum(why: Explanation, chosen: Sequence[int], rest: complex) -> Iterator[Piece]:
    for place, index in enumerate(chosen):
        if place:
            yield " + "
        yield from why.terms[index].pieces
    if len(chosen) < len(why.terms):
        yield " + "
        yield rest
    elif not chosen:
        yield "0"


def shortest(why: Explanation, most: int) -> list[int]:
    """Of the terms of a sum the largest, in their order: at most so many; all, where hardly more would be left out."""
    n_terms = len(why.terms)
    if n_terms <= most + 2:
        return list(range(n_terms))
    return sorted(np.argsort(-np.abs(why.values), kind="stable")[:most].tolist())


def rest_of(why: Explanation, chosen: Sequence[int]) -> complex:
    """What the terms of a sum that were not chosen come to."""
    left = np.ones(len(why.terms), bool)
    left[list(chosen)] = False
    return plain_number(why.values[left].sum()) if left.any() else 0.0


def explained(why: Explanation, digits: int, choices: Sequence[Sequence[int]], plain: bool = False) -> Line:
    """The line of an explanation, true whichever of some choices of its terms is written."""
    parsed = [parse_line(why, chosen, rest_of(why, chosen)) for chosen in choices]
    return line_of(parsed, why.value, digits, plain)
