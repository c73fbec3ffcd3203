"""An explanation's number as the type of its tensor holds it."""

from __future__ import annotations

from dataclasses import replace

from lmviz.trace.operations.dtypes import as_float, cast, is_out_of_range
from lmviz.trace.operations.explanation import Explanation, Number, Piece


def cast_explanation(why: Explanation, dtype: str) -> Explanation:
    """An explanation with its value as a type holds it.

    Where that is another number, the type is written around it, as in int8(100 + 100) = -56. For a float that no whole
    number of the type comes near there is no such rule: what the processor made of it is written behind it.
    """
    value, worth = cast(why.value, dtype), as_float(why.value) if isinstance(why.value, int) else why.value
    if value == worth or (value != value and worth != worth):
        return replace(why, value=value)
    by_processor = not isinstance(why.value, int) and is_out_of_range(why.value, dtype)
    return replace(why, value=value, written=_followed(why, value) if by_processor else _around(why, dtype))


def _around(why: Explanation, dtype: str) -> tuple[Piece, ...]:
    """Where a number was found stays before the type: `mask: 1 → int8(300)`."""
    pieces = enumerate(why.written)
    found = [i + 1 for i, piece in pieces if isinstance(piece, str) and piece.endswith(("→ ", "] = "))]
    start = max(found, default=0)
    return (*why.written[:start], f"{dtype}(", *why.written[start:], ")")


def _followed(why: Explanation, value: Number) -> tuple[Piece, ...]:
    return (*why.written, " → ", value)
