"""The loss of a batch, and the gradient that it leaves in the weights."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.random_state import seeded
from lmviz.train.data import IGNORED, Windows
from lmviz.train.processes import ALONE, Processes, lost_processes_named

_APART = 2**31  # between the seeds of two processes: more than any training has steps


class Diverged(UserError):
    """A loss or a gradient was not a finite number. The weights are still those from before the step."""

    def __init__(self, step: int, batch: Windows, loss: float, grad_norm: float) -> None:
        super().__init__(
            "Step {step} gave a loss of {loss} and a gradient of length {grad_norm}; both must be finite to go on: "
            "lower the learning rate, or clip the gradient.",
            step=step,
            loss=loss,
            grad_norm=grad_norm,
        )
        self.step, self.batch, self.loss, self.grad_norm = step, batch, loss, grad_norm


class Gradient:
    """Finds the gradient of one model, again and again. What does not change from step to step is looked up once."""

    def __init__(self, model: nn.Module, seed: int, clip: float = 0.0, processes: Processes = ALONE) -> None:
        """Args:
        processes: those that share every batch. Dropout is drawn anew in each.
        """
        self._model, self._seed, self._clip, self._processes = processes.joined(model), seed, clip, processes
        self._weights = tuple(model.parameters())
        self._may_draw = _may_draw(model)

    def find(self, batch: Windows, step: int) -> tuple[float, float]:
        """Put the gradient into the weights; returns the loss in nats, and the gradient's length before clipping.

        Dropout is drawn by the seed and the step, whatever else draws random numbers.

        Raises:
            Diverged: one of the two is not finite. The gradient is there, not clipped.
        """
        if not self._model.training:
            self._model.train()
        for weight in self._weights:
            weight.grad = None
        if self._processes.n_processes == 1:
            loss = self._loss(batch, step)
            loss.backward()
        else:
            with lost_processes_named():
                loss = self._part_of_loss(batch, step)
                loss.backward()
                loss = self._processes.mean(loss)
        length = self._length()
        nats, grad_norm = loss.item(), length.item()
        if not (math.isfinite(nats) and math.isfinite(grad_norm)):
            raise Diverged(step, batch, nats, grad_norm)
        if self._clip:
            nn.utils.clip_grads_with_norm_(self._weights, self._clip, length)
        return nats, grad_norm

    def _loss(self, batch: Windows, step: int) -> Tensor:
        if not self._may_draw:
            return loss_of(self._model(batch.inputs), batch.targets)
        with seeded(self._seed + step):
            return loss_of(self._model(batch.inputs), batch.targets)

    def _part_of_loss(self, batch: Windows, step: int) -> Tensor:
        """This process's part, times the number of processes: torch takes the mean of the gradients."""
        part = self._processes.part_of(batch)
        with seeded(self._seed + step + _APART * self._processes.rank):
            return self._processes.loss_of(self._model(part.inputs), part.targets, batch.n_targets)

    def _length(self) -> Tensor:
        """Of the gradient of all weights together, as one vector; a weight without a gradient adds nothing."""
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        length: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        return length


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats, the mean over the targets that are not ignored.

    Args:
        logits: [batch, pos, d_vocab]
        targets: [batch, pos]
    """
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def _may_draw(model: nn.Module) -> bool:
    """Whether a forward pass may draw random numbers: ours do only with dropout; of another model nobody knows."""
    cfg = getattr(model, "cfg", None)
    return cfg is None or bool(getattr(cfg, "dropout", 0.0))
