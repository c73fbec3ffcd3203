"""One step of a training, to be opened: the model just before it, what it reads, its loss, and what it left behind."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.random_state import seeded
from lmviz.trace.recorder import record
from lmviz.trace.replay.gradients import put_gradients
from lmviz.trace.step import Trace

SEED = 0
MOST_STEPS = 500  # that are made to get to one


@dataclass(frozen=True, eq=False)
class LessonStep:
    """A training just before one of its steps."""

    step: int  # counted from 1
    model: nn.Module
    inputs: Tensor  # [batch, pos]
    targets: Tensor  # [batch, pos]
    loss: Callable[[Tensor], nn.Module]  # from the targets to what follows the logits
    gradients: Mapping[str, Tensor] = field(default_factory=dict)  # that the step left in the weights, by their paths
    seed: int = SEED  # of this step's dropout

    def record(self, edits: Mapping[str, Callable[[Tensor], Tensor]] | None = None) -> Trace:
        """The step as it was made, to the loss and back; or as it would have been with some numbers changed."""
        trace = record(self.model, self.inputs, edits=edits, backward=self.loss(self.targets), seed=self.seed)
        if edits:
            return trace
        put_gradients(trace, self.model, self.gradients)
        return trace


def one_by_one(training: Iterator[float], repeats: bool = False) -> Iterator[float]:
    """The losses of a training as its steps are made.

    Each step draws its dropout by a seed of its own, whatever runs between two steps, and leaves nothing random behind.

    Args:
        repeats: all steps have the same seed.
    """
    step = 0
    while True:
        step += 1
        with seeded(SEED + (1 if repeats else step)), torch.enable_grad():
            loss = next(training, None)
        if loss is None:
            return
        yield loss


def check_step(step: int) -> None:
    if not 1 <= step <= MOST_STEPS:
        raise UserError("A step from 1 to {most} can be opened; got {step}.", most=MOST_STEPS, step=step)


def step_of_training(
    model: nn.Module,
    training: Iterator[float],
    batch: tuple[Tensor, Tensor],
    loss: Callable[[Tensor], nn.Module],
    step: int,
    repeats: bool = False,
) -> LessonStep:
    """One step of a training on one batch. The steps up to it are made; it too, for its gradients.

    Args:
        model: what `training` trains in place.
    """
    check_step(step)
    steps = one_by_one(training, repeats)
    for _ in range(step - 1):
        next(steps, None)
    before = copy.deepcopy(model)
    next(steps, None)
    left = {path: weight.grad.clone() for path, weight in model.named_parameters() if weight.grad is not None}
    return LessonStep(step, before.train(), *batch, loss, left, SEED + (1 if repeats else step))
