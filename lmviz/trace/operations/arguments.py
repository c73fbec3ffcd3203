"""What a step was given, read for one cell at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.errors import UserError
from lmviz.trace.operations.explanation import Explanation, Floats, Operand, Piece, Term, plain_number
from lmviz.trace.operations.latex import numeral, symbol
from lmviz.trace.step import Array, Cell, Step, Value, fits

# A model may call torch with arguments that no explainer foresaw; its page then shows the recorded number.
UNKNOWN_SPELLING = (NotImplementedError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """One argument of a step: a tensor's numbers, [*shape], or a plain number, then with shape []."""

    name: str
    address: str
    array: Array
    plain: bool = False  # written in the source as a number

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def is_complex(self) -> bool:
        return self.array.dtype.kind == "c"

    @property
    def is_whole(self) -> bool:
        """Whether its numbers are whole, or booleans, by their type."""
        return self.array.dtype.kind in "iub"

    def number(self, cell: Cell) -> np.float64:
        """The number at a cell, in float64; complex128 where the tensor is complex."""
        found: Any = np.complex128(self.array[cell]) if self.is_complex else np.float64(self.array[cell])
        return found  # type: ignore[no-any-return]

    def exact(self, cell: Cell) -> Any:
        """The number at a cell: a whole one in full, however large; any other in float64."""
        return int(self.array[cell]) if self.is_whole else self.number(cell)

    def at(self, cell: Cell) -> Operand | None:
        """The operand at a cell of this tensor; None for a plain number."""
        return None if self.plain else Operand(self.name, self.address, cell, plain_number(self.array[cell]))

    def piece(self, cell: Cell) -> Piece:
        """What a cell of this is written as."""
        return self.at(cell) or plain_number(self.array[cell])

    def under(self, cell: Cell) -> Cell:
        """The cell of this that stands at `cell` of a tensor it is broadcast to."""
        return cell_under(cell, self.shape)

    def row(self, index: Any) -> Floats:
        """A part of the numbers, in float64; in complex128 where the tensor is complex."""
        part: Floats = self.array[index].astype(np.complex128 if self.is_complex else np.float64)
        return part

    def latex(self, *indices: object) -> str:
        """The LaTeX for one cell: `q_{0,3,i}`; a plain number stands for itself."""
        return numeral(plain_number(self.array)) if self.plain else symbol(self.name, *indices)


def argument_of(step: Step, argument: str) -> Argument | None:
    """What a step was given as `argument`; None if nothing was."""
    operand = step.operand(argument)
    if operand is None:
        return None
    return tensor(operand, argument) if isinstance(operand, Value) else plain(operand)


def required_argument(step: Step, argument: str, position: int = 0) -> Argument:
    """What a step was given as `argument`, which it can't do without; operations not listed number their arguments."""
    found = argument_of(step, argument) or argument_of(step, f"argument_{position}")
    if found is None:
        raise NotImplementedError(f"{step.op} without {argument!r}")
    return found


def tensor(value: Value, argument: str = "") -> Argument:
    return Argument(value.name or argument, value.address, value.array)


def plain(number: object) -> Argument:
    """A number that the source writes out."""
    return Argument("", "", np.asarray(number), plain=True)


def option(step: Step, name: str, otherwise: float) -> float:
    """A setting that is a number, or what torch takes when it is not given."""
    value: Any = step.settings.get(name)
    return otherwise if value is None else float(value)


def inputs(step: Step) -> list[Argument]:
    """The tensors that a step was given, in order."""
    return [tensor(value, argument) for value, argument in zip(step.inputs, step.arguments, strict=True)]


def cell_at(place: int, shape: tuple[int, ...]) -> Cell:
    """The cell that has a number, counted through a tensor in the order of its index."""
    return tuple(int(i) for i in np.unravel_index(place, shape)) if shape else ()


def place_of(cell: Cell, shape: tuple[int, ...]) -> int:
    """The number that a cell has, counted through a tensor."""
    return int(np.ravel_multi_index(cell, shape)) if shape else 0


def cell_under(cell: Cell, shape: tuple[int, ...]) -> Cell:
    """The cell of something of a shape that stands at `cell` of what it is broadcast to."""
    own = cell[len(cell) - len(shape) :]
    return tuple(0 if size == 1 else i for i, size in zip(own, shape, strict=True))


def check_cell(cell: Cell, shape: tuple[int, ...], address: str) -> None:
    """Raise a UserError unless a tensor of a shape has a cell; indices are counted from 0, not from the end."""
    if not fits(cell, shape):
        raise UserError(
            "A cell of {address} must have one index for each axis of {shape}, counted from 0; "
            "got {cell}: pick one inside.",
            address=address,
            shape=list(shape),
            cell=list(cell),
        )


def product(label: object, *factors: tuple[Argument, Cell]) -> Term:
    """The term that multiplies one cell of each tensor."""
    numbers = tuple(plain_number(part.array[cell]) for part, cell in factors)
    operands = tuple(part.at(cell) for part, cell in factors)
    return Term(str(label), numbers, plain_number(np.prod(numbers)), operands)


def shown(left: str, part: Argument, cell: Cell) -> Explanation:
    """The explanation of a number that is simply another one."""
    return Explanation(f"{left} = {part.latex(*cell)}", (), part.exact(cell), (part.piece(cell),))
