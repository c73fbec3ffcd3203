"""The training loop, as a generator: one snapshot a step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from lmviz.train.data import Windows
from lmviz.train.gradient import Gradient, loss_of
from lmviz.train.groups import Groups, GroupUpdate
from lmviz.train.processes import ALONE, Processes
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
    group_updates: tuple[GroupUpdate, ...] = ()  # one per group of weights, on steps that look


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
    processes: Processes = ALONE,
) -> Iterator[Snapshot]:
    """Train the model in place. The same recipe, model and batches give the same snapshots.

    Args:
        held_out: if given, its loss is measured on every step that `measure_every` divides, and on the last.
        optimizer: to go on with, after `done` steps; `batches` then starts with the batch that comes next. Nothing
            else is remembered from step to step, so a run that is cut in two gives the snapshots of one that is not.
        look_every: the motion of every group of weights is measured on step 1 and on every step that this divides;
            0: never.
        processes: those that train the model together, this one among them. The held-out loss is the first one's.

    Raises:
        ProcessLost: another of them is gone; this step has moved no weight.
        Diverged: at the step whose loss or gradient is not finite, before it moves a weight.
    """
    optimizer = optimizer or make_optimizer(model, recipe)
    gradient, groups = Gradient(model, recipe.seed, recipe.clip, processes), Groups(model)
    for step, batch in zip(range(done + 1, recipe.steps + 1), batches, strict=False):
        loss, grad_norm = gradient.find(batch, step)
        rate = set_learning_rate(optimizer, recipe, step)
        before = groups.copies() if look_every and (step == 1 or step % look_every == 0) else None
        optimizer.step()
        is_measured = (
            held_out is not None and processes.is_first and (step % measure_every == 0 or step == recipe.steps)
        )
        held_out_loss = mean_loss(model, held_out) if held_out is not None and is_measured else None
        group_updates = groups.group_updates(before) if before is not None else ()
        yield Snapshot(step, loss, grad_norm, rate, batch.n_targets, held_out_loss, group_updates)


def mean_loss(model: nn.Module, windows: Windows, batch_size: int = 256) -> float:
    """Nats per target over all windows, with dropout off."""
    return loss_and_accuracy(model, windows, batch_size)[0]


@torch.no_grad()
def loss_and_accuracy(model: nn.Module, windows: Windows, batch_size: int = 256) -> tuple[float, float]:
    """Nats per target over all windows, and the share of targets that the model finds likeliest, with dropout off."""
    was_training = model.training
    model.eval()
    total, n_right = 0.0, 0
    for start in range(0, len(windows), batch_size):
        batch = windows[slice(start, start + batch_size)]
        logits = model(batch.inputs)
        total += float(loss_of(logits, batch.targets)) * batch.n_targets
        n_right += int((logits.argmax(-1) == batch.targets).sum())
    model.train(was_training)
    return total / windows.n_targets, n_right / windows.n_targets


def learning_rate(recipe: TrainingRecipe, step: int) -> float:
    """Climbs over the warm-up; then stays, or follows half a cosine down to 0 after the last step."""
    if step <= recipe.warm_up:
        return recipe.learning_rate * step / recipe.warm_up
    if recipe.schedule == "constant":
        return recipe.learning_rate
    progress = (step - recipe.warm_up - 1) / (recipe.steps - recipe.warm_up)
    return recipe.learning_rate * (1 + math.cos(math.pi * progress)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, recipe: TrainingRecipe, step: int) -> float:
    rate = learning_rate(recipe, step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def make_optimizer(model: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """torch's own, as it comes. Only matrices decay: biases, scales and shifts are left alone."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if not recipe.weight_decay:
        groups = [{"params": parameters, "weight_decay": 0.0}]  # the same numbers, a little sooner
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=recipe.learning_rate)
        case "momentum":
            return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum)
        case "adam":
            return torch.optim.Adam(groups, lr=recipe.learning_rate)
        case _:
            return torch.optim.AdamW(groups, lr=recipe.learning_rate)
