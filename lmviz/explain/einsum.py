"""einsum: sums of products, with a letter for each axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.explain.explanation import Explanation, Term, Terms
from lmviz.explain.given import Given, cell_at, inputs, product
from lmviz.explain.latex import result
from lmviz.trace.step import Cell, Step

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Einsum:
    """An equation read against its operands. `...` has become letters of its own, "0" for its last axis."""

    operands: tuple[Given, ...]
    labels: tuple[Labels, ...]  # of each operand's axes
    output: Labels
    sizes: dict[str, int]

    @property
    def summed(self) -> Labels:
        return tuple(label for label in self.sizes if label not in self.output)

    def cells(self, operand: int, at: Mapping[str, Any]) -> tuple[Any, ...]:
        """The cell of an operand when each letter has a number (or an array of numbers); a size-1 axis is repeated."""
        shape = self.operands[operand].shape
        return tuple(0 if n == 1 else at[label] for label, n in zip(self.labels[operand], shape, strict=True))


def read_einsum(step: Step) -> Einsum:
    """Parse the equation of an einsum step."""
    equation = step.settings.get("equation")
    if not isinstance(equation, str):
        raise NotImplementedError("einsum without letters")
    operands = tuple(inputs(step))
    left, arrow, right = equation.replace(" ", "").partition("->")
    given = zip(left.split(","), operands, strict=True)
    labels = tuple(_spelled(part, operand.array.ndim) for part, operand in given)
    sizes: dict[str, int] = {}
    for row, operand in zip(labels, operands, strict=True):
        for label, size in zip(row, operand.shape, strict=True):
            sizes[label] = size if sizes.get(label, 1) == 1 else sizes[label]
    dots = sorted((label for label in sizes if label.isdigit()), key=int, reverse=True)
    if arrow:
        output = tuple(p for part in right.replace("...", ".") for p in (dots if part == "." else [part]))
    else:
        met = [label for row in labels for label in row]
        output = (*dots, *sorted(label for label in sizes if met.count(label) == 1 and not label.isdigit()))
    return Einsum(operands, labels, output, sizes)


def _spelled(part: str, ndim: int) -> Labels:
    """One operand's letters; `...` becomes as many numbers as axes are left over, counted from the right."""
    before, dots, after = part.partition("...")
    count = ndim - len(before) - len(after) if dots else 0
    return (*before, *(str(i) for i in reversed(range(count))), *after)


def explain_einsum(step: Step, cell: Cell) -> Explanation:
    """One term for each way to number the letters that the output lacks: the product of the operands there."""
    this = read_einsum(step)
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
    return Explanation(f"{result(step, cell)} = {total}{latex}", Terms(products, term), float(products.sum()))
