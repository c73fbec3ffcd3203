"""What a change of a model costs it, fewer bits for example: in logits and in loss, on the same text."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lmviz.model.checkpoint import Checkpoint
from lmviz.train.data import IGNORED, Windows

LOGITS = 2**22  # at once


@dataclass(frozen=True)
class Effect:
    """Two models on the same windows. Positions whose target does not count are left out throughout."""

    loss_before: float  # nats per target
    loss_after: float
    mean_change: float  # of a logit, without its sign
    largest_change: float
    divergence: float  # KL(before ‖ after) of the next token, in nats, a mean over positions (Kullback & Leibler 1951)
    same_choice: float  # the share of positions at which both think the same token likeliest

    @property
    def cost(self) -> float:
        """Nats per target that were lost; below 0 if the loss became better."""
        return self.loss_after - self.loss_before


def effect(before: Checkpoint, after: Checkpoint, windows: Windows) -> Effect:
    """Compare a model with what became of it."""
    sums = torch.zeros(5, dtype=torch.float64)  # losses before and after, changes, divergence, same choices
    largest, n_positions = 0.0, 0
    n_windows = max(1, LOGITS // (windows.inputs.shape[1] * before.config.d_vocab))
    for start in range(0, len(windows), n_windows):
        batch = windows[slice(start, start + n_windows)]
        counted = batch.targets != IGNORED
        ours, theirs = _logits(before, batch)[counted], _logits(after, batch)[counted]  # [position, d_vocab]
        losses = [F.cross_entropy(logits, batch.targets[counted], reduction="sum") for logits in (ours, theirs)]
        change = (theirs - ours).abs()
        p, q = ours.log_softmax(-1), theirs.log_softmax(-1)
        same = ours.argmax(-1) == theirs.argmax(-1)
        sums += torch.stack([*losses, change.mean(-1).sum(), (p.exp() * (p - q)).sum(), same.double().sum()])
        largest, n_positions = max(largest, float(change.max())), n_positions + len(ours)
    loss_before, loss_after, mean_change, divergence, same_choice = (sums / n_positions).tolist()
    return Effect(loss_before, loss_after, mean_change, largest, divergence, same_choice)


def _logits(checkpoint: Checkpoint, batch: Windows) -> Tensor:
    """In float64, so that sums over many positions are exact enough. The checkpoint's model is in eval mode."""
    with torch.no_grad():
        logits: Tensor = checkpoint.model(batch.inputs)
    return logits.double()
