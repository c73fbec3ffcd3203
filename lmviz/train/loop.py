"""The training loop, as a generator: one snapshot a step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.train.data import IGNORED, Windows
from lmviz.train.recipe import TrainingRecipe


@dataclass(frozen=True)
class Snapshot:
    """One step of training, in plain numbers: nothing here changes when the model moves on."""

    step: int  # counted from 1
    loss: float  # nats per target of this step's batch, before the weights moved
    grad_norm: float  # length of the gradient of all weights together, before clipping
    learning_rate: float
    held_out_loss: float | None = None  # nats per target, after the weights moved; None on steps that don't measure it


def train(
    model: nn.Module,
    batches: Iterable[Windows],
    recipe: TrainingRecipe,
    held_out: Windows | None = None,
    measure_every: int = 100,
) -> Iterator[Snapshot]:
    """Train the model in place. The same recipe, model and batches give the same snapshots.

    Args:
        held_out: if given, its loss is measured on every step that `measure_every` divides, and on the last.
    """
    optimizer = make_optimizer(model, recipe)
    for step, batch in zip(range(1, recipe.steps + 1), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        loss, grad_norm = _update(model, optimizer, batch, recipe, step)
        is_measured = held_out is not None and (step % measure_every == 0 or step == recipe.steps)
        held_out_loss = mean_loss(model, held_out) if held_out is not None and is_measured else None
        yield Snapshot(step, loss, grad_norm, learning_rate(recipe, step), held_out_loss)


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


def _update(
    model: nn.Module, optimizer: torch.optim.Optimizer, batch: Windows, recipe: TrainingRecipe, step: int
) -> tuple[float, float]:
    """Forward, backward, step. Dropout is drawn by the seed and the step, whatever else draws random numbers."""
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed + step)
        loss = loss_of(model(batch.inputs), batch.targets)
    optimizer.zero_grad()
    loss.backward()
    grad_norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip or math.inf)
    optimizer.step()
    return float(loss.detach()), float(grad_norm)
