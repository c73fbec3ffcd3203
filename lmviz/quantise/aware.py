"""Quantisation-aware training (QAT): the model is trained as it will be used, with its weights rounded at every step.

`prepare` gives a model that any training loop takes; `finish` a plain one, whose weights lie on the steps.
The loss sees rounded weights; the optimiser moves the weights behind them, by gradients that pass straight through
the rounding (Bengio et al. 2013; Jacob et al. 2018, 3).
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from lmviz.quantise.fake import FakeQuantise
from lmviz.quantise.models import matrices
from lmviz.quantise.scheme import Scheme

Model = TypeVar("Model", bound=nn.Module)

_BEHIND = re.compile(r"parametrizations\.(\w+)\.original$")  # where torch keeps the weight behind a rounded one


def prepare(model: Model, scheme: Scheme) -> Model:
    """A copy of a model that reads every matrix through fake quantisation; the model itself if FP32 is the format.

    Its code stays the same. Tied matrices stay tied: they are rounded in the same way wherever they are read.
    """
    if not scheme.rounds:
        return model
    prepared = deepcopy(model)
    for module, name in list(matrices(prepared)):
        parametrize.register_parametrization(module, name, FakeQuantise(scheme))
    return prepared


def finish(prepared: Model, plain: Model) -> Model:
    """A copy of `plain`, the model that was prepared, with the trained weights, its matrices rounded for good.

    Quantising it by the same scheme changes nothing any more. What was not prepared comes back as it is.
    """
    if prepared is plain:
        return plain
    finished = deepcopy(plain)
    with torch.no_grad():
        for address, parameter in finished.named_parameters():
            module, _, name = address.rpartition(".")
            parameter.copy_(getattr(prepared.get_submodule(module), name))
    return finished


def weights_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """What an optimiser moves, by the names of the plain model: of a prepared one, the weights behind the rounding."""
    return {_BEHIND.sub(r"\1", name): weight for name, weight in model.named_parameters()}
