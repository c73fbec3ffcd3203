"""The gradients that a training loop makes, seen as they are made: some loops leave none behind."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from lmviz.trace.step import Cell


@dataclass
class Slopes:
    """The gradient of every weight as it was last added up, since `begin`."""

    lengths: dict[str, float] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)

    def watch(self, model: nn.Module) -> Slopes:
        for path, weight in model.named_parameters():
            if weight.requires_grad:
                weight.register_post_accumulate_grad_hook(partial(self._keep, path))
        return self

    def begin(self) -> None:
        """A new step."""
        self.lengths, self.largest, self.cells = {}, {}, {}

    @property
    def length(self) -> float:
        """Of all weights together."""
        return math.hypot(*self.lengths.values())

    def steepest(self, paths: list[str] | None = None) -> tuple[str, Cell | None]:
        """The weight with the largest slope of all, or of some, and its cell."""
        known = {path: slope for path, slope in self.largest.items() if paths is None or path in paths}
        path = max(known, key=lambda path: known[path], default="")
        return path, self.cells.get(path)

    def _keep(self, path: str, weight: Tensor) -> None:
        if weight.grad is None:
            return
        slope = weight.grad.detach().abs()
        place = torch.unravel_index(slope.argmax(), slope.shape)
        self.lengths[path], self.largest[path] = float(weight.grad.norm()), float(slope.max())
        self.cells[path] = tuple(int(i) for i in place)
