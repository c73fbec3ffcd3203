"""The weights of a model in named groups, and how far a step moves each of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lmviz.quantise.aware import weights_of

_BLOCK_PART = re.compile(r"(blocks\.\d+)\.(attn|mlp|norm)")
EMBEDDINGS = ("tok_embed", "pos_embed")


@dataclass(frozen=True)
class GroupUpdate:
    """One step, seen by one group of weights. Lengths are of all the group's weights together, as one vector."""

    group: str  # "embeddings", "blocks.0.attn", "blocks.0.mlp", "blocks.0.norms", "norm_final", "unembed"
    grad_norm: float  # as the optimiser found it: after clipping
    update_ratio: float  # length of the update over length of the weights; about 0.001 is usual; inf from zero weights


def group_of(weight: str) -> str:
    """The group that a weight's path belongs to; a path that no rule of ours knows belongs to its first part.

    >>> group_of("blocks.0.attn.w_q.weight"), group_of("blocks.1.norm_2.bias"), group_of("pos_embed.weight")
    ('blocks.0.attn', 'blocks.1.norms', 'embeddings')
    """
    if inside := _BLOCK_PART.match(weight):
        block, part = inside.groups()
        return f"{block}.norms" if part == "norm" else f"{block}.{part}"
    first = weight.partition(".")[0]
    return "embeddings" if first in EMBEDDINGS else first


class Groups:
    """The weights of one model, found once."""

    def __init__(self, model: nn.Module) -> None:
        named = list(weights_of(model).items())
        self.weights = tuple(weight for _, weight in named)  # in the model's own order
        self._groups = [group_of(name) for name, _ in named]

    def copies(self) -> list[Tensor]:
        """All weights as they are now."""
        return [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def group_updates(self, before: list[Tensor]) -> tuple[GroupUpdate, ...]:
        """How far each group has come since `before`, and the gradient that moved it."""
        moved = self._lengths(torch._foreach_sub(self.weights, before))
        were = self._lengths(before)
        gradients = self._lengths([torch.zeros(()) if w.grad is None else w.grad for w in self.weights])
        return tuple(GroupUpdate(group, gradients[group], _ratio(moved[group], were[group])) for group in moved)

    def _lengths(self, tensors: Iterable[Tensor]) -> dict[str, float]:
        squares: dict[str, float] = {}
        lengths = torch.stack(torch._foreach_norm(list(tensors))).tolist()
        for group, length in zip(self._groups, lengths, strict=True):
            squares[group] = squares.get(group, 0.0) + length**2
        return {group: square**0.5 for group, square in squares.items()}


def _ratio(moved: float, was: float) -> float:
    return moved / was if was else math.inf if moved else 0.0
