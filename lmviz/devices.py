"""Where a model runs: "auto", "cpu", "cuda", "mps"."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.errors import UserError

DEVICES = ("auto", "cpu", "cuda", "mps")


def device_of(name: str | torch.device) -> torch.device:
    """The device of that name; for "auto" the quickest that is here.

    Raises:
        UserError: there is no such device here.
    """
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    name = str(name)
    kind = name.partition(":")[0]
    if name == "auto":
        return torch.device(next(one for one in ("cuda", "mps", "cpu") if here[one]))
    if not here.get(kind):
        found = ", ".join(one for one in here if here[one])
        raise UserError(
            'A device is "auto" or one that this machine has: {found}; got {device}.', found=found, device=name
        )
    try:
        return torch.empty(0, device=name).device
    except RuntimeError:
        raise UserError(
            'A device is "auto" or one that this machine has: {found}; got {device}.',
            found=", ".join(one for one in here if here[one]),
            device=name,
        ) from None


def on_device(model: Any, device: torch.device) -> Any:
    """A model on a device: itself if it is there, else a copy, since the model belongs to somebody."""
    if not isinstance(model, nn.Module):
        return model
    tensors = [*model.parameters(), *model.buffers()]
    return model if all(one.device == device for one in tensors) else copy.deepcopy(model).to(device)


def moved(given: Any, device: torch.device) -> Any:
    """Inputs on a device, down to those in lists and dicts."""
    if isinstance(given, Tensor):
        return given.to(device)
    if type(given) in (list, tuple):
        return type(given)(moved(one, device) for one in given)
    return {name: moved(one, device) for name, one in given.items()} if type(given) is dict else given
