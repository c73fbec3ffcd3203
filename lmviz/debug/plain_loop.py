"""A whole training on one page: texts to inputs and targets, a loss, an optimiser, a loop.

lmviz trains with `lmviz.train`. This is the same at its plainest, to be read, and to be broken in the bug lab.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAD = -100  # a target that no loss counts: F.cross_entropy's own value for it


def make_pairs(texts: Sequence[Sequence[int]], n_ctx: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets, [text, pos]: the target at every position is the token that comes after it."""
    cut = [list(ids[: n_ctx + 1]) for ids in texts]
    width = max(len(ids) for ids in cut)
    padded = torch.tensor([ids + [PAD] * (width - len(ids)) for ids in cut])  # [text, pos]
    inputs = padded[:, :-1].clamp(min=0)  # [text, pos]
    targets = padded[:, 1:]  # [text, pos]
    return inputs, targets


class Loss(nn.Module):
    """How wrong a model's logits are: the mean of −ln p(target), in nats."""

    def __init__(self, targets: Tensor) -> None:
        super().__init__()
        self.targets = targets  # [batch, pos]

    def forward(self, logits: Tensor) -> Tensor:
        given = logits.flatten(0, 1)  # [batch * pos, d_vocab]
        wanted = self.targets.flatten()  # [batch * pos]
        loss = F.cross_entropy(given, wanted, ignore_index=PAD)
        return loss


def make_optimizer(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=rate)


def train(model: nn.Module, inputs: Tensor, targets: Tensor, steps: int, rate: float) -> Iterator[float]:
    """Train the model in place on one batch, again and again; yields the loss of every step, in nats."""
    loss_of, optimizer = Loss(targets), make_optimizer(model, rate)
    model.train()
    for _ in range(steps):
        loss = loss_of(model(inputs))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
