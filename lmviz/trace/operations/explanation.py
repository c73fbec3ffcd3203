"""The arithmetic behind one number, as data: labels, numbers and LaTeX, never sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from html import escape
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from lmviz.trace.html import CELLS, explanation_parts, number

Floats = NDArray[np.float64]
Number = float | complex  # complex where the tensor is


def plain_number(number: Any) -> Number:
    """A number of an array as Python has it."""
    return complex(number) if np.iscomplexobj(number) else float(number)


class _Sum(Enum):
    TERMS = "terms"

    def __repr__(self) -> str:
        return "TERMS"


TERMS: Final = _Sum.TERMS  # in what is written, stands for the sum of the terms


@dataclass(frozen=True, slots=True)
class Operand:
    """A number that was recorded, and where it stands."""

    name: str  # as the source calls it: "q", "weight"
    address: str  # where the number was made; "" for a constant
    cell: tuple[int, ...]
    value: Number
    gradient: bool = False  # the number is the gradient of that cell, not its value


Piece = str | Number | Operand | _Sum


@dataclass(frozen=True, slots=True)
class Term:
    """One summand. `operands` is parallel to `factors`: where each number was recorded, None where it was not."""

    label: str
    factors: tuple[Number, ...]
    value: Number
    operands: tuple[Operand | None, ...] = ()
    written: tuple[Piece, ...] = ()  # empty: the factors, or their operands, joined by " × "

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """How the term is written, the default spelled out."""
        if self.written:
            return self.written
        known = self.operands or (None,) * len(self.factors)
        factors = [number if operand is None else operand for number, operand in zip(self.factors, known, strict=True)]
        return tuple(piece for factor in factors for piece in (" × ", factor))[1:]


class Terms(Sequence[Term]):
    """Terms that are made when they are looked at: a softmax over a vocabulary has one for every token.

    Equal to a tuple of the same terms, and pickled as one.
    """

    def __init__(self, values: Floats, make: Callable[[int], Term]) -> None:
        self.values = values  # what every term is worth, [term]
        self._make = make

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, key: int) -> Term: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[Term, ...]: ...

    def __getitem__(self, key: int | slice) -> Term | tuple[Term, ...]:
        with np.errstate(all="ignore"):
            if isinstance(key, slice):
                return tuple(map(self._make, range(len(self))[key]))
            return self._make(range(len(self))[key])

    def __iter__(self) -> Iterator[Term]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Terms | tuple) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Terms({len(self)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one number comes from.

    `value` is computed in float64 with numpy from the recorded inputs, independently of torch. It agrees with the
    recorded number as far as the precision that torch computed in goes (about 1e-5 relative for float32). What the type
    of the result can't hold is written with its name: `int8({100} + {100})` is -56, `bfloat16({1.01})` is 1.0078125.
    """

    formula: str  # LaTeX, with the source's names and this cell's indices
    terms: Sequence[Term]  # complete, in the order of their index
    value: Number
    written: tuple[Piece, ...] = (TERMS,)  # how the value comes from the terms
    known: bool = True  # False: no explainer for this operation; the value is then the recorded one
    by_torch: bool = False  # of a gradient: a slope in it is torch's own derivative, since no formula is written for it

    def __repr__(self) -> str:
        return f"<Explanation: {number(self.value)} ≈ {_joined(self._pieces(), lambda piece, shown: shown)}>"

    def _repr_html_(self) -> str:
        return f"<div><b>{escape(number(self.value))}</b> ≈ {_joined(self._pieces(), _in_html)}</div>"

    def _pieces(self) -> list[Piece]:
        """The line as it is written, cut where it is long."""
        return explanation_parts(self.written, (term.pieces for term in self.terms[: CELLS + 1]), len(self.terms))

    @property
    def values(self) -> Floats:
        """What every term is worth, [term]: quick for the longest sum, whose terms need not be made for it."""
        return self.terms.values if isinstance(self.terms, Terms) else np.array([term.value for term in self.terms])

    @property
    def operands(self) -> Iterator[Operand]:
        """Every recorded number that the arithmetic uses: from each, one can walk on to where it comes from."""
        yield from (piece for piece in self.written if isinstance(piece, Operand))
        yield from (p for term in self.terms for p in (*term.operands, *term.written) if isinstance(p, Operand))


def _joined(pieces: Sequence[Piece], show: Callable[[Piece, str], str]) -> str:
    """A line of arithmetic: a negative number behind a sign stands in brackets."""
    line, before = "", ""
    for piece in pieces:
        shown = piece if isinstance(piece, str) else number(piece.value if isinstance(piece, Operand) else piece)
        if shown.startswith("−") and before.endswith(("+ ", "× ", "− ", "/ ")):
            shown = f"({shown})"
        line, before = line + show(piece, shown), shown
    return line


def _in_html(piece: Piece, shown: str) -> str:
    """A number with the place where it was recorded, which shows when one points at it."""
    if not isinstance(piece, Operand):
        return escape(shown)
    place = f"{piece.address or piece.name}{list(piece.cell)}"
    return f'<span title="{escape(place)}" style="border-bottom:1px dotted">{escape(shown)}</span>'


_HOLE = re.compile(r"\{(.*?)\}")


def write(template: str, **named: Piece) -> tuple[Piece, ...]:
    """Pieces from a template: `{x}` is what `named` says, `{terms}` the sum of the terms, `{0.5}` that number.

    >>> write("exp({x}) / {2}", x=0.25)
    ('exp(', 0.25, ') / ', 2.0)
    """
    parts = _HOLE.split(template)
    holes: dict[str, Piece] = {"terms": TERMS, **named}
    pieces = [(holes[part] if part in holes else float(part)) if i % 2 else part for i, part in enumerate(parts)]
    return tuple(piece for piece in pieces if piece != "")
