"""The weights of a model in named groups, and how far a step moves each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

BLOCK_PART = re.compile(r"(blocks\.\d+)\.(attn|mlp|norm)")
EMBEDDINGS = ("tok_embed", "pos_embed")


@dataclass(frozen=True)
class Motion:
    """One step, seen by one group of weights. Lengths are of all the group's weights together, as one vector."""

    group: str  # "embeddings", "blocks.0.attn", "blocks.0.mlp", "blocks.0.norms", "norm_final", "unembed"
    grad_norm: float  # as the optimiser found it: after clipping
    update_ratio: float  # length of the update over length of the weights; about 0.001 is usual; inf from zero weights


def group_of(weight: str) -> str:
    """The group that a weight's path belongs to; a path that no rule of ours knows belongs to its first part.

    >>> group_of("blocks.0.attn.w_q.weight"), group_of("blocks.1.norm_2.bias"), group_of("pos_embed.weight")
    ('blocks.0.attn', 'blocks.1.norms', 'embeddings')
    """
    if inside := BLOCK_PART.match(weight):
        block, part = inside.groups()
        return f"{block}.norms" if part == "norm" else f"{block}.{part}"
    first = weight.partition(".")[0]
    return "embeddings" if first in EMBEDDINGS else first


def weights_of(model: nn.Module) -> list[Tensor]:
    """Copies of all weights, in the order of `model.parameters()`."""
    return [weight.detach().clone() for weight in model.parameters()]


@torch.no_grad()
def motions(model: nn.Module, before: list[Tensor]) -> tuple[Motion, ...]:
    """How far each group has come from `before`, and the gradient that moved it."""
    weights = [(group_of(name), weight) for name, weight in model.named_parameters()]
    groups = [group for group, _ in weights]
    moved = _lengths(groups, torch._foreach_sub([weight for _, weight in weights], before))
    were = _lengths(groups, before)
    gradients = _lengths(groups, [torch.zeros(()) if w.grad is None else w.grad for _, w in weights])
    return tuple(
        Motion(group, gradients[group], moved[group] / were[group] if were[group] else float("inf") if moved[group] else 0.0)
        for group in moved
    )


def _lengths(groups: list[str], tensors: Iterable[Tensor]) -> dict[str, float]:
    squares: dict[str, float] = {}
    for group, length in zip(groups, torch.stack(torch._foreach_norm(list(tensors))).tolist(), strict=True):
        squares[group] = squares.get(group, 0.0) + length**2
    return {group: square**0.5 for group, square in squares.items()}
