"""Sums of products, with a letter for each axis: einsum, and what can be said in its letters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, cell_at, inputs, option, product, required_argument
from lmviz.trace.operations.axes import UNNAMED, AxisRule, Named, Settings, Shape
from lmviz.trace.operations.explanation import Explanation, Term, Terms, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.products import exact_sum
from lmviz.trace.operations.slopes import Slopes, Use, broadcast_cells, constant, flat, mesh
from lmviz.trace.step import Cell, Step

_Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Einsum:
    """An equation read against its operands. `...` has become letters of its own, "0" for its last axis."""

    operands: tuple[Argument, ...]
    labels: tuple[_Labels, ...]  # of each operand's axes
    output: _Labels
    sizes: dict[str, int]
    added: Argument | None = None  # a bias, which is added under each cell of the output

    @property
    def summed(self) -> _Labels:
        return tuple(label for label in self.sizes if label not in self.output)

    def cells(self, operand: int, at: Mapping[str, Any]) -> tuple[Any, ...]:
        """The cell of an operand when each letter has a number (or an array of numbers); a size-1 axis is repeated."""
        shape = self.operands[operand].shape
        return tuple(0 if n == 1 else at[label] for label, n in zip(self.labels[operand], shape, strict=True))

    def total(self, at: Mapping[str, Any], products: Any) -> Any:
        """The sum of the products at all cells that `at` names."""
        return exact_sum([(part, self.cells(n, at)) for n, part in enumerate(self.operands)], products)


_Reader = Callable[[Step], _Einsum]


def _read_einsum(step: Step) -> _Einsum:
    """Parse the equation of an einsum step."""
    equation = step.settings.get("equation")
    if not isinstance(equation, str):
        raise NotImplementedError("einsum without letters")
    operands = tuple(inputs(step))
    left, arrow, right = equation.replace(" ", "").partition("->")
    written = zip(left.split(","), operands, strict=True)
    labels = tuple(_spelled(part, operand.array.ndim) for part, operand in written)
    return _Einsum(operands, labels, _output(labels, right if arrow else None), _sizes(operands, labels))


def _sizes(operands: Sequence[Argument], labels: Sequence[_Labels]) -> dict[str, int]:
    """The size of each letter; an axis of size 1 is repeated."""
    sizes: dict[str, int] = {}
    for row, operand in zip(labels, operands, strict=True):
        for label, size in zip(row, operand.shape, strict=True):
            sizes[label] = size if sizes.get(label, 1) == 1 else sizes[label]
    return sizes


def _output(labels: Sequence[_Labels], written: str | None) -> _Labels:
    """The letters of the result: as written behind the arrow, or else those that occur once, in their order."""
    every = [label for row in labels for label in row]
    dots = sorted({label for label in every if label.isdigit()}, key=int, reverse=True)
    if written is None:
        return (*dots, *sorted(label for label in every if every.count(label) == 1 and not label.isdigit()))
    return tuple(label for part in written.replace("...", ".") for label in (dots if part == "." else [part]))


def _spelled(part: str, ndim: int) -> _Labels:
    """One operand's letters; `...` becomes as many numbers as axes are left over, counted from the right."""
    before, dots, after = part.partition("...")
    count = ndim - len(before) - len(after) if dots else 0
    return (*before, *(str(i) for i in reversed(range(count))), *after)


def _explain_einsum(read: _Reader, step: Step, cell: Cell) -> Explanation:
    """One term for each way to number the letters that the output lacks: the product of the operands there."""
    this = read(step)
    fixed = dict(zip(this.output, cell, strict=True))
    sizes = [this.sizes[label] for label in this.summed]
    grid = np.unravel_index(np.arange(math.prod(sizes)), sizes) if sizes else ()
    at = {**fixed, **dict(zip(this.summed, grid, strict=True))}
    numbers = [operand.row(this.cells(n, at)) for n, operand in enumerate(this.operands)]
    products = np.prod(np.broadcast_arrays(np.ones(math.prod(sizes)), *numbers), axis=0)

    def term(i: int) -> Term:
        inside = cell_at(i, tuple(sizes))
        here = fixed | dict(zip(this.summed, inside, strict=True))
        return product(",".join(map(str, inside)), *((g, this.cells(n, here)) for n, g in enumerate(this.operands)))

    latex = r" \cdot ".join(
        operand.latex(*(fixed.get(label, label) for label in row))
        for operand, row in zip(this.operands, this.labels, strict=True)
    )
    total = rf"\sum_{{{','.join(this.summed)}}} " if this.summed else ""
    found = Explanation(f"{result(step, cell)} = {total}{latex}", Terms(products, term), this.total(at, products))
    return found if this.added is None else _added(found, this.added, cell)


def _added(found: Explanation, added: Argument, cell: Cell) -> Explanation:
    at = added.under(cell)
    written = write("{terms} + {b}", b=added.piece(at))
    return Explanation(f"{found.formula} + {added.latex(*at)}", found.terms, found.value + added.exact(at), written)


def _slopes_einsum(read: _Reader, use: Use) -> Slopes:
    """The product of the other operands, summed over the letters that neither the output nor this operand has."""
    this = read(use.step)
    if this.added is not None and use.n >= len(this.operands):
        cells, _ = broadcast_cells(use)
        return constant(cells)
    own = zip(this.labels[use.n], use.cell, use.inputs[use.n].shape, strict=True)
    letters = [(label, i) for label, i, size in own if size == this.sizes[label]]  # the others are repeated
    fixed = dict(letters)
    if any(fixed[label] != i for label, i in letters):  # off a diagonal
        return constant(np.zeros(0, np.intp))
    free = [label for label in this.sizes if label not in fixed]
    ranges = [range(this.sizes[label]) for label in free]
    at: dict[str, Any] = {**fixed, **dict(zip(free, mesh(*ranges), strict=True))}
    count = math.prod(map(len, ranges))
    products = np.ones(count)
    for n, operand in enumerate(this.operands):
        if n != use.n:
            products = products * operand.row(this.cells(n, at))
    every = [np.broadcast_to(at[label], count) for label in this.output]
    cells, which = np.unique(flat(every, use.shape) if every else np.zeros(count, np.intp), return_inverse=True)
    return Slopes(cells, np.bincount(which, products, len(cells)).astype(np.float64))


# -- the same in letters ---------------------------------------------------------------------------------------------


def _letters(count: int, first: int = 0) -> list[str]:
    return [f"i{n}" for n in range(first, first + count)]


def _read_inner(step: Step) -> _Einsum:
    """inner: the last axes of both meet."""
    a, b = inputs(step)
    if not a.shape or not b.shape:
        return _contraction(
            (a, b), (_letters(len(a.shape)), _letters(len(b.shape))), _letters(max(len(a.shape), len(b.shape)))
        )
    left, right = _letters(a.array.ndim - 1), _letters(b.array.ndim - 1, a.array.ndim)
    return _contraction((a, b), ([*left, "k"], [*right, "k"]), [*left, *right])


def _read_tensordot(step: Step) -> _Einsum:
    """tensordot: the axes that `dims` pairs meet; a number means that many of the last with as many of the first."""
    a, b = inputs(step)[:2]
    dims: Any = step.settings.get("dims", 2)
    if isinstance(dims, int):
        dims = ([*range(a.array.ndim - dims, a.array.ndim)], [*range(dims)])
    left, right = _letters(a.array.ndim), _letters(b.array.ndim, a.array.ndim)
    ours, theirs = ([d] if isinstance(d, int) else list(d) for d in dims)
    for n, (i, j) in enumerate(zip(ours, theirs, strict=True)):
        left[i] = right[j] = f"k{n}"
    return _contraction((a, b), (left, right), [label for label in (*left, *right) if label[0] == "i"])


def _read_bilinear(step: Step) -> _Einsum:
    """bilinear: input1[..., i] × weight[o, i, j] × input2[..., j], and a bias[o]."""
    a, b, weight = (required_argument(step, name) for name in ("input1", "input2", "weight"))
    lead = _letters(a.array.ndim - 1)
    labels = ([*lead, "i"], [*lead, "j"], ["o", "i", "j"])
    return _contraction((a, b, weight), labels, [*lead, "o"], argument_of(step, "bias"))


def _read_vdot(step: Step) -> _Einsum:
    a, b = inputs(step)
    if a.is_complex:
        raise NotImplementedError("vdot turns the sign of the imaginary part")
    return _contraction((a, b), (["i"], ["i"]), [])


def _read_vecdot(step: Step) -> _Einsum:
    """linalg.vecdot: numbers at the same places of two rows meet, along `dim`."""
    a, b = inputs(step)
    if a.is_complex:
        raise NotImplementedError("vecdot turns the sign of the imaginary part")
    labels = _letters(max(a.array.ndim, b.array.ndim))
    axis = int(option(step, "dim", -1)) % len(labels)
    every = [labels[len(labels) - part.array.ndim :] for part in (a, b)]
    return _contraction((a, b), every, [label for i, label in enumerate(labels) if i != axis])


def _contraction(
    operands: Sequence[Argument], labels: Sequence[Sequence[str]], output: Sequence[str], added: Argument | None = None
) -> _Einsum:
    """A sum of products from the labels of its operands' axes."""
    sizes: dict[str, int] = {}
    for row, operand in zip(labels, operands, strict=True):
        for label, size in zip(row, operand.shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    return _Einsum(tuple(operands), tuple(map(tuple, labels)), tuple(output), sizes, added)


def _einsum_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    left, _, right = settings["equation"].replace(" ", "").partition("->")
    name_of: dict[str, str] = {}
    for letters, (_, axes) in zip(left.split(","), inputs, strict=True):
        for letter, name in zip(letters, axes, strict=True):
            name_of[letter] = name_of.get(letter) or name
    return [name_of[letter] for letter in right]


def _contracts(name: str, arguments: str, read: _Reader, axes: AxisRule = UNNAMED) -> Operation:
    return Operation(
        name=name,
        arguments=arguments,
        axes=axes,
        explain=partial(_explain_einsum, read),
        slopes=partial(_slopes_einsum, read),
        complex=True,
    )


OPERATIONS = (
    _contracts("einsum", "equation *operands", _read_einsum, AxisRule(_einsum_axes)),
    _contracts("inner", "input other", _read_inner),
    _contracts("vdot", "input other", _read_vdot),
    _contracts("linalg_vecdot", "input other dim", _read_vecdot),
    _contracts("tensordot", "a b dims[]", _read_tensordot),
    _contracts("bilinear", "input1 input2 weight bias", _read_bilinear),
)
