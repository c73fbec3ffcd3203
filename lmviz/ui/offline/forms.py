"""The arithmetic of all cells of a tensor, as the page keeps it: how a line is written, once; and, for each cell, where
its operands stand.

What is kept of a cell is what `lmviz.explain` says of that very cell. Only a long sum is not written out term by term:
the first, the second, one in the middle and the last say whether all stand in a row, else every term is kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmviz.explain.arithmetic import NotArithmetic, parse
from lmviz.registry.recording import Recording
from lmviz.trace.operations.explanation import TERMS, Explanation, Operand, Piece
from lmviz.trace.step import Cell, Value
from lmviz.ui.offline.store import Store
from lmviz.ui.offline.walk_types import Form, FormCells, FormPiece, TermForm

FEW = 4  # terms that are kept one by one, as a rule
MOST = 64  # and at most
# functions that the browser's code does not have: what such a line comes to is kept
_ONLY_HERE = ("lgamma", "digamma", "erfinv")


class NoRoom(Exception):
    """The lines of a tensor would take more than they are worth, or stand on the tensor that it names."""


@dataclass(slots=True)
class _Written:
    """The pieces of one cell's line, with its operands and numbers apart."""

    pieces: list[FormPiece] = field(default_factory=list)
    operands: list[int] = field(default_factory=list)  # flat places
    tensors: list[int] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)


class Forms:
    """Collects the forms of a recording's lines.

    Args:
        tensors: by address, of what is in the page in full: its number there, and its values.
    """

    def __init__(self, run: Recording, tensors: Mapping[str, tuple[int, Value]], store: Store) -> None:
        self.forms: list[Form] = []
        self._run, self._tensors, self._store = run, tensors, store
        self._known: dict[str, int] = {}
        self._values = dict(tensors.values())
        self._worked_out: dict[str, bool] = {}
        self._flat = {address: value.array.reshape(-1) for address, (_, value) in tensors.items()}
        self._strides = {address: _strides(value.shape) for address, (_, value) in tensors.items()}

    def of(self, value: Value) -> list[FormCells]:
        """The lines of all cells of a tensor that a step has made.

        Raises:
            NoRoom: it was made from a tensor that is not in the page in full, or each of its sums would be kept whole.
        """
        rows: dict[int, list[tuple[int, list[int], list[float]]]] = {}
        for place, cell in enumerate(np.ndindex(value.shape)):
            why = self._run.explain(value.address, cell)
            if why is not None:
                form, operands, numbers = self._form(why)
                rows.setdefault(form, []).append((place, operands, numbers))
        return [self._cells(form, found, math.prod(value.shape)) for form, found in rows.items()]

    def _cells(self, form: int, found: list[tuple[int, list[int], list[float]]], size: int) -> FormCells:
        places, operands, numbers = zip(*found, strict=True)
        return {
            "form": form,
            "cells": None if len(found) == size else self._store.add_places(np.array(places)),
            "n_cells": len(found),
            "operands": self._store.add_places(np.array(operands).T) if operands[0] else None,
            "numbers": self._store.add(np.array(numbers, dtype=np.float64).T) if numbers[0] else None,
        }

    def _form(self, why: Explanation) -> tuple[int, list[int], list[float]]:
        if not why.known or isinstance(why.value, complex):
            return self._numbered(_NOTHING), [], []
        line = _Written()
        alike = self._alike(why) if len(why.terms) > FEW else None
        if alike is None and len(why.terms) > MOST:
            raise NoRoom
        terms: list[list[FormPiece]] = []
        for part in why.written:
            if part is not TERMS:
                self._put(part, line)
                continue
            line.pieces.append({"terms": True})
            if alike is not None:
                line.operands += alike[1].operands
                line.tensors += alike[1].tensors
                line.numbers += alike[1].numbers
            else:
                terms = [self._put_all(term.pieces, line) for term in why.terms]
        has_value = not self._is_worked_out(line.pieces, [alike[0]["pieces"]] if alike else terms)
        form: Form = {
            "pieces": line.pieces,
            "alike": alike[0] if alike is not None else None,
            "terms": terms,
            "known": True,
            "by_torch": why.by_torch,
            "has_value": has_value,
            "follow": self._followed(why, line),
        }
        return self._numbered(form), line.operands, line.numbers + ([float(why.value)] if has_value else [])

    def _is_worked_out(self, pieces: list[FormPiece], terms: list[list[FormPiece]]) -> bool:
        """Whether the browser's code can work a line out."""
        text = "".join(_marks(pieces, " + ".join("".join(_marks(term, "")) for term in terms)))
        if text not in self._worked_out:
            self._worked_out[text] = _is_known_in_browser(text)
        return self._worked_out[text]

    def _numbered(self, form: Form) -> int:
        key = json.dumps(form)
        if key not in self._known:
            self._known[key] = len(self.forms)
            self.forms.append(form)
        return self._known[key]

    # -- pieces ------------------------------------------------------------------------------------------------------

    def _put_all(self, given: Sequence[Piece], line: _Written) -> list[FormPiece]:
        """Pieces of a term, whose operands and numbers go to those of its line."""
        own = _Written(operands=line.operands, tensors=line.tensors, numbers=line.numbers)
        for piece in given:
            self._put(piece, own)
        return own.pieces

    def _put(self, piece: Piece, line: _Written) -> None:
        if isinstance(piece, str):
            line.pieces.append({"text": piece})
        elif isinstance(piece, Operand) and (place := self._place(piece)) is not None:
            tensor = self._tensors[piece.address][0]
            line.pieces.append({"name": piece.name, "tensor": tensor})
            line.operands.append(place)
            line.tensors.append(tensor)
        else:
            line.pieces.append({"number": True, "name": piece.name} if isinstance(piece, Operand) else {"number": True})
            number: Any = piece.value if isinstance(piece, Operand) else piece
            line.numbers.append(float(number))

    def _place(self, operand: Operand) -> int | None:
        """Where an operand stands in its tensor; None if that is not in the page, or had another number then."""
        flat = self._flat.get(operand.address)
        if flat is None and operand.address:
            raise NoRoom(operand.address)
        if flat is None or operand.gradient:
            return None
        place = sum(i * stride for i, stride in zip(operand.cell, self._strides[operand.address], strict=True))
        number = float(flat[place])
        is_same = number == operand.value or (number != number and operand.value != operand.value)
        return place if is_same else None

    def _alike(self, why: Explanation) -> tuple[TermForm, _Written] | None:
        """A sum whose terms read alike and whose operands stand in a row; None if they do not."""
        n = len(why.terms)
        first = self._term(why, 0)
        second = self._term(why, 1)
        if not first.operands or len(second.operands) != len(first.operands):
            return None
        strides = [b - a for a, b in zip(first.operands, second.operands, strict=True)]
        for i in (n // 3, n // 2, n - 1):
            other = self._term(why, i)
            there = [a + i * stride for a, stride in zip(first.operands, strides, strict=True)]
            if (other.pieces, other.operands, other.numbers) != (first.pieces, there, first.numbers):
                return None
        return {"n": n, "pieces": first.pieces, "strides": strides}, first

    def _term(self, why: Explanation, i: int) -> _Written:
        line = _Written()
        for piece in why.terms[i].pieces:
            self._put(piece, line)
        return line

    # -- what is written below ---------------------------------------------------------------------------------------

    def _followed(self, why: Explanation, line: _Written) -> int:
        """Which operand is the one activation that the number was made from; -1 if there are several, or none.

        As in `inspector`: a number of a whole row counts for none beside a number of one cell.
        """
        if len(why.terms) > FEW:
            return -1
        of = [(i, self._values[tensor]) for i, tensor in enumerate(line.tensors)]
        activations = [(i, value) for i, value in of if value.role == "activation" and value.dtype != "bool"]
        of_cells = [i for i, value in activations if value.shape[-1:] != (1,)]
        if len(of_cells) == 1:
            return of_cells[0]
        return activations[0][0] if len(activations) == 1 else -1


_NOTHING: Form = {
    "pieces": [],
    "alike": None,
    "terms": [],
    "known": False,
    "by_torch": False,
    "has_value": False,
    "follow": -1,
}


def _is_known_in_browser(text: str) -> bool:
    """Whether the browser's code can work a text out, as `parse` reads it."""
    if any(name in text for name in _ONLY_HERE):
        return False
    try:
        parse(text)
    except NotArithmetic:
        return False
    return True


def _marks(pieces: Sequence[FormPiece], terms: str) -> Iterator[str]:
    for piece in pieces:
        yield piece["text"] if "text" in piece else (terms or "\0") if "terms" in piece else "\0"


def _strides(shape: Cell) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
