"""One training step, opened: everything that it read, computed and changed, each number the step's own."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.quantise.aware import weights_of
from lmviz.random_state import seeded
from lmviz.train.data import IGNORED, Windows
from lmviz.train.gradient import Diverged, Gradient
from lmviz.train.loop import make_optimizer, set_learning_rate
from lmviz.train.recipe import TrainingRecipe
from lmviz.train.state import MEMORY, WEIGHT, restore
from lmviz.train.update_rules import Update, update

Array = NDArray[np.float32]
Cell = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class OpenedStep:
    """One step of training from its batch to its new weights. Weights go by their paths in the model."""

    step: int
    recipe: TrainingRecipe
    batch: Windows
    losses: Array  # [batch, pos], in nats: -ln of the probability that the target was given; NaN where none counts
    loss: float  # the mean of those that count
    grad_norm: float  # length of the gradient of all weights together, before clipping
    clipping: float  # what clipping multiplied every gradient by; 1: the gradient was short enough
    rate: float  # the learning rate
    before: Mapping[str, Array]
    gradients: Mapping[str, Array]  # before clipping
    remembered: Mapping[str, Mapping[str, Array]]  # by weight, what the optimiser knew: exp_avg, momentum_buffer, ...
    after: Mapping[str, Array]  # by torch's own optimiser; as before where the step could not be made
    loss_after: float | None  # on the same batch, with the same dropout; None where the step could not be made

    def update(self, weight: str, cell: Cell) -> Update:
        """The arithmetic from one cell of a weight to its new value. In float64, so it agrees with `after` to about
        1e-6 of the step."""
        if weight not in self.before:
            raise UserError(
                "The model has no weight {weight}; it has {known}.", weight=weight, known=", ".join(self.before)
            )
        remembered = {
            name: float(array[cell] if array.ndim else array) for name, array in self.remembered[weight].items()
        }
        return update(
            self.recipe,
            float(self.before[weight][cell]),
            float(self.gradients[weight][cell]),
            self.rate,
            clipping=self.clipping,
            decay=self.recipe.weight_decay if self.before[weight].ndim > 1 else 0.0,
            remembered=remembered,
        )


def open_step(
    model: nn.Module, tensors: Mapping[str, Tensor], batch: Windows, recipe: TrainingRecipe, step: int
) -> OpenedStep:
    """Make one step of training again and keep everything. The model that is passed stays as it is.

    Args:
        model: of the right sizes; its weights don't matter.
        tensors: weights and optimiser as they were before the step, from a checkpoint.
        step: counted from 1; decides learning rate and dropout.
    """
    model = copy.deepcopy(model).train()
    optimizer = make_optimizer(model, recipe)
    restore(model, tensors, optimizer)
    rate = set_learning_rate(optimizer, recipe, step)
    losses = _losses(model, batch, recipe.seed + step)
    is_good, loss, grad_norm = _find_gradient(model, batch, recipe, step)
    weights = weights_of(model)
    gradients = {name: _array(weight.grad) for name, weight in weights.items() if weight.grad is not None}
    clipping = min(1.0, recipe.clip / (grad_norm + 1e-6)) if recipe.clip else 1.0  # as torch has it
    if is_good:
        nn.utils.clip_grads_with_norm_(model.parameters(), recipe.clip or math.inf, torch.tensor(grad_norm))
        optimizer.step()
    return OpenedStep(
        step=step,
        recipe=recipe,
        batch=batch,
        losses=losses,
        loss=loss,
        grad_norm=grad_norm,
        clipping=clipping,
        rate=rate,
        before={name: _array(tensors[WEIGHT + name]) for name in weights},
        gradients=gradients,
        remembered={name: _remembered(tensors, name) for name in weights},
        after={name: _array(weight) for name, weight in weights.items()},
        loss_after=float(np.nanmean(_losses(model, batch, recipe.seed + step), dtype=np.float64)) if is_good else None,
    )


def _find_gradient(model: nn.Module, batch: Windows, recipe: TrainingRecipe, step: int) -> tuple[bool, float, float]:
    """Whether the step can be made, its loss, and the length of its gradient, which is left in the model unclipped."""
    try:
        return True, *Gradient(model, recipe.seed).find(batch, step)
    except Diverged as error:
        return False, error.loss, error.grad_norm


@torch.no_grad()
def _losses(model: nn.Module, batch: Windows, seed: int) -> Array:
    """-ln p of every target, [batch, pos]; NaN where none counts."""
    with seeded(seed):
        logits = model(batch.inputs)
    losses = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED, reduction="none")
    return _array(losses.view_as(batch.targets).masked_fill(batch.targets == IGNORED, math.nan))


def _remembered(tensors: Mapping[str, Tensor], weight: str) -> dict[str, Array]:
    keys = (key.removeprefix(MEMORY).split("/", 1) for key in tensors if key.startswith(MEMORY))
    return {kind: _array(tensors[f"{MEMORY}{kind}/{name}"]) for kind, name in keys if name == weight}


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().numpy().copy()
    return array
