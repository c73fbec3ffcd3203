"""The training loop, as a generator: one snapshot a step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.train.data import IGNORED, Windows
from lmviz.train.groups import Motion, motions, weights_of
from lmviz.train.recipe import TrainingRecipe


@dataclass(frozen=True)
class Snapshot:
    """One step of training, in plain numbers: nothing here changes when the model moves on."""

    step: int  # counted from 1
    loss: float  # nats per target of this step's batch, before the weights moved
    grad_norm: float  # length of the gradient of all weights together, before clipping
    learning_rate: float
    n_targets: int  # tokens that this step's batch had to predict
    held_out_loss: float | None = None  # nats per target, after the weights moved; None on steps that don't measure it
    motions: tuple[Motion, ...] = ()  # one per group of weights, on steps that look


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
        self.step = step
        self.batch = batch


def train(
    model: nn.Module,
    batches: Iterable[Windows],
    recipe: TrainingRecipe,
    held_out: Windows | None = None,
    measure_every: int = 100,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    done: int = 0,
    look_every: int = 0,
) -> Iterator[Snapshot]:
    """Train the model in place. The same recipe, model and batches give the same snapshots.

    Args:
        held_out: if given, its loss is measured on every step that `measure_every` divides, and on the last.
        optimizer: to go on with, after `done` steps; `batches` then starts with the batch that comes next. Nothing
            else is remembered from step to step, so a run that is cut in two gives the snapshots of one that is not.
        look_every: the motion of every group of weights is measured on step 1 and on every step that this divides;
            0: never.

    Raises:
        Diverged: at the step whose loss or gradient is not finite, before it moves a weight.
    """
    optimizer = optimizer or make_optimizer(model, recipe)
    for step, batch in zip(range(done + 1, recipe.steps + 1), batches, strict=False):
        loss, grad_norm = gradient_step(model, optimizer, batch, recipe, step)
        is_looked_at = look_every > 0 and (step == 1 or step % look_every == 0)
        before = weights_of(model) if is_looked_at else None
        optimizer.step()
        is_measured = held_out is not None and (step % measure_every == 0 or step == recipe.steps)
        held_out_loss = mean_loss(model, held_out) if held_out is not None and is_measured else None
        motion = motions(model, before) if before is not None else ()
        rate = learning_rate(recipe, step)
        yield Snapshot(step, loss, grad_norm, rate, batch.n_targets, held_out_loss, motion)


def gradient_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batch: Windows, recipe: TrainingRecipe, step: int
) -> tuple[float, float]:
    """All of a step but its last line, `optimizer.step()`: loss, gradient, its length, and clipping.

    Dropout is drawn by the seed and the step, whatever else draws random numbers.
    """
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(recipe, step)
    with seeded(recipe.seed + step):
        loss = loss_of(model(batch.inputs), batch.targets)
    optimizer.zero_grad()
    loss.backward()
    length = gradient_length(model)
    nats, grad_norm = float(loss.detach()), float(length)
    if not (math.isfinite(nats) and math.isfinite(grad_norm)):
        raise Diverged(step, batch, nats, grad_norm)
    if recipe.clip:
        nn.utils.clip_grads_with_norm_(model.parameters(), recipe.clip, length)
    return nats, grad_norm


def gradient_length(model: nn.Module) -> Tensor:
    """The length of the gradient of all weights together, as one vector; a weight without a gradient adds nothing."""
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers on the CPU come from `seed` here, and afterwards go on as if nothing had been drawn."""
    generator = torch.default_generator
    before = generator.get_state()
    generator.manual_seed(seed)
    try:
        yield
    finally:
        generator.set_state(before)


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats, the mean over the targets that are not ignored.

    Args:
        logits: [batch, pos, d_vocab]
        targets: [batch, pos]
    """
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


@torch.no_grad()
def mean_loss(model: nn.Module, windows: Windows, batch_size: int = 256) -> float:
    """Nats per target over all windows, with dropout off."""
    was_training = model.training
    model.eval()
    total = 0.0
    for start in range(0, len(windows), batch_size):
        batch = windows[slice(start, start + batch_size)]
        total += float(loss_of(model(batch.inputs), batch.targets)) * batch.n_targets
    model.train(was_training)
    return total / windows.n_targets


def learning_rate(recipe: TrainingRecipe, step: int) -> float:
    """Climbs over the warm-up; then stays, or follows half a cosine down to 0 after the last step."""
    if step <= recipe.warm_up:
        return recipe.learning_rate * step / recipe.warm_up
    if recipe.schedule == "constant":
        return recipe.learning_rate
    progress = (step - recipe.warm_up - 1) / (recipe.steps - recipe.warm_up)
    return recipe.learning_rate * (1 + math.cos(math.pi * progress)) / 2


def make_optimizer(model: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=recipe.learning_rate)
        case "momentum":
            return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum)
        case "adam":
            return torch.optim.Adam(groups, lr=recipe.learning_rate)
        case _:
            return torch.optim.AdamW(groups, lr=recipe.learning_rate)
