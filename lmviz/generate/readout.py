"""From logits to probabilities, and from probabilities to a loss: what follows a language model, as plain modules."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Readout(nn.Module):
    """Logits to the probability of each token as the next one (temperature: Ackley et al. 1985)."""

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, logits: Tensor) -> Tensor:
        scaled = logits / self.temperature  # [batch, pos, d_vocab]
        probs = F.softmax(scaled, dim=-1)  # [batch, pos, d_vocab], each row sums to 1
        return probs


class NextTokenLoss(nn.Module):
    """The mean over positions of −ln p(target), in nats; positions whose target is −100 don't count."""

    targets: Tensor

    def __init__(self, targets: Tensor) -> None:
        super().__init__()
        self.register_buffer("targets", targets, persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        counted = self.targets >= 0  # [batch, pos]
        chosen = self.targets.clamp(min=0)  # [batch, pos]
        log_probs = F.log_softmax(logits, dim=-1)  # [batch, pos, d_vocab]
        log_prob = log_probs.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)  # [batch, pos]
        nll = -log_prob * counted  # [batch, pos]
        loss = nll.sum() / counted.sum()
        return loss
