"""Quantisation-aware training (QAT): the model is trained as it will be used, with its weights rounded at every step.

`prepare` gives a model that any training loop takes; `finish` a plain one, whose weights lie on the steps.
The loss sees rounded weights; the optimiser moves the weights behind them, by gradients that pass straight through
the rounding (Bengio et al. 2013; Jacob et al. 2018, 3).
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn
from torch.nn.utils import parametrize

from lmviz.quantise.fake import FakeQuantise
from lmviz.quantise.models import matrices
from lmviz.quantise.scheme import Scheme


def prepare(model: nn.Module, scheme: Scheme) -> nn.Module:
    """A copy of a model that reads every matrix through fake quantisation. Its code stays the same.

    Tied matrices stay tied: they are rounded in the same way wherever they are read.
    """
    prepared = deepcopy(model)
    for module, name in list(matrices(prepared)):
        parametrize.register_parametrization(module, name, FakeQuantise(scheme))
    return prepared


def finish(prepared: nn.Module, plain: nn.Module) -> nn.Module:
    """A copy of `plain`, the model that was prepared, with the trained weights, its matrices rounded for good.

    Quantising it by the same scheme changes nothing any more.
    """
    finished = deepcopy(plain)
    with torch.no_grad():
        for address, parameter in finished.named_parameters():
            module, _, name = address.rpartition(".")
            parameter.copy_(getattr(prepared.get_submodule(module), name))
    return finished
