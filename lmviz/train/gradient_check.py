"""The gradient measured instead of derived: what the loss does when one weight is moved a little to either side."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from lmviz.errors import UserError
from lmviz.train.data import Windows
from lmviz.train.gradient import loss_of

Cell = tuple[int, ...]


@dataclass(frozen=True)
class Checked:
    """One cell of one weight: the slope of the loss there, by two ways that share nothing but the forward pass."""

    weight: str
    cell: Cell
    autograd: float
    numeric: float

    @property
    def relative(self) -> float:
        """Their difference over the larger of the two; 0 where both are 0."""
        larger = max(abs(self.autograd), abs(self.numeric))
        return abs(self.autograd - self.numeric) / larger if larger else 0.0


def check_gradient(
    model: nn.Module, batch: Windows, cells: Iterable[tuple[str, Cell]], width: float = 1e-5
) -> tuple[Checked, ...]:
    """Autograd's gradient beside (loss(w + width) - loss(w - width)) / (2 width), for the cells asked for.

    All in float64 and without dropout, on a copy: there the two agree to about 1e-6, except at a weight so close to a
    kink of relu that one side lies beyond it.
    """
    model = copy.deepcopy(model).double().eval()
    weights = dict(model.named_parameters())
    loss_of(model(batch.inputs), batch.targets).backward()
    return tuple(_checked(model, batch, weights, weight, cell, width) for weight, cell in cells)


def random_cells(model: nn.Module, n_cells: int, seed: int = 0) -> tuple[tuple[str, Cell], ...]:
    """Cells to check: from every weight one, then from any, until there are so many."""
    generator = torch.Generator().manual_seed(seed)
    weights = list(model.named_parameters())
    chosen = []
    for i in range(n_cells):
        name, weight = weights[i % len(weights)]
        place = int(torch.randint(weight.numel(), (), generator=generator))
        chosen.append((name, tuple(int(index) for index in torch.unravel_index(torch.tensor(place), weight.shape))))
    return tuple(chosen)


@torch.no_grad()
def _checked(
    model: nn.Module, batch: Windows, weights: dict[str, nn.Parameter], name: str, cell: Sequence[int], width: float
) -> Checked:
    cell = tuple(cell)
    if name not in weights or len(cell) != weights[name].ndim:
        raise UserError("The model has no cell {cell} of {weight}.", cell=list(cell), weight=name)
    weight, gradient = weights[name], weights[name].grad
    value = float(weight[cell])
    losses = []
    for moved in (value + width, value - width):
        weight[cell] = moved
        losses.append(float(loss_of(model(batch.inputs), batch.targets)))
    weight[cell] = value
    numeric = (losses[0] - losses[1]) / (2 * width)
    return Checked(name, cell, float(gradient[cell]) if gradient is not None else 0.0, numeric)
