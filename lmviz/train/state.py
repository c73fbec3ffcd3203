"""Everything that a training remembers between two steps, as named tensors: weights and the optimiser's memory.

Dropout and the order of the batches are drawn by the seed and the number of the step, so nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.quantise.aware import weights_of

WEIGHT = "weight/"
MEMORY = "memory/"  # then what is remembered ("exp_avg") and of which weight


def tensors_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of all weights and of what the optimiser remembers of each."""
    tensors = {WEIGHT + name: weight.detach().clone() for name, weight in weights_of(model).items()}
    for name, weight in weights_of(model).items():
        for kind, remembered in optimizer.state.get(weight, {}).items():
            if isinstance(remembered, Tensor):
                tensors[f"{MEMORY}{kind}/{name}"] = remembered.detach().clone()
    return tensors


def restore(model: nn.Module, tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer | None = None) -> None:
    """Put back what `tensors_of` took. Without an optimiser only the weights.

    Raises:
        UserError: the tensors are those of a model of other sizes.
    """
    weights = weights_of(model)
    _check(weights, tensors)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(tensors[WEIGHT + name])
    if optimizer is not None:
        for key, remembered in tensors.items():
            if key.startswith(MEMORY):
                kind, name = key.removeprefix(MEMORY).split("/", 1)
                weight = weights[name]
                place = weight.device if remembered.ndim else remembered.device  # a count of steps stays on the CPU
                optimizer.state[weight][kind] = remembered.to(place, copy=True)


def is_finite(tensors: Mapping[str, Tensor]) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors.values())


def _check(weights: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    stored = {key.removeprefix(WEIGHT): tensor.shape for key, tensor in tensors.items() if key.startswith(WEIGHT)}
    expected = {name: weight.shape for name, weight in weights.items()}
    if stored != expected:
        wrong = min(name for name in stored.keys() | expected.keys() if stored.get(name) != expected.get(name))
        raise UserError(
            "The checkpoint must hold the weights of this model; {name} is missing or has another shape.", name=wrong
        )
