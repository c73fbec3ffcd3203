"""Activations: measured on a calibration text, then kept in 8 bits on their way into every linear layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.logits import logits_of
from lmviz.quantise.fake import FakeQuantiseRange
from lmviz.quantise.scheme import Scheme

ACTIVATIONS = Scheme("int8", symmetric=False)  # one scale per layer, 0 exact (Krishnamoorthi 2018, 3.1)


@dataclass(frozen=True)
class Range:
    """What went into a layer while the calibration text was read."""

    low: float
    high: float
    n: int  # numbers seen


def calibrate(checkpoint: Checkpoint, texts: list[str]) -> dict[str, Range]:
    """The range of the input of every linear layer over some texts, by the layer's name.

    Raises:
        UserError: no text has a token that the model knows, or the model raises.
    """
    rows = [checkpoint.tokenizer.encode(text).ids[-checkpoint.config.n_ctx :] for text in texts]
    found: dict[str, Range] = {}
    with _watched(checkpoint.model, found), torch.no_grad():
        for ids in filter(None, rows):
            logits_of(checkpoint.model, torch.tensor([ids]))
    if not found:
        raise UserError("A calibration text must have at least one token that the model knows.")
    return found


def quantise_activations(
    checkpoint: Checkpoint, ranges: Mapping[str, Range], scheme: Scheme = ACTIVATIONS
) -> Checkpoint:
    """A copy whose linear layers read their input in few bits. What lies outside the measured range is clipped.

    Its code stays the same: a hook on each layer rounds what goes into it.
    """
    model = deepcopy(checkpoint.model)
    for name, module in model.named_modules():
        if name in ranges and isinstance(module, nn.Linear):
            module.register_forward_pre_hook(
                partial(_rounded, FakeQuantiseRange(ranges[name].low, ranges[name].high, scheme))
            )
    return replace(checkpoint, model=model)


def _rounded(fake: FakeQuantiseRange, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (fake(inputs[0]), *inputs[1:])


@contextmanager
def _watched(model: nn.Module, found: dict[str, Range]) -> Iterator[None]:
    """While this lasts, the inputs of linear layers leave their ranges in `found`."""
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    hooks = [layer.register_forward_pre_hook(partial(_widen, found, name)) for name, layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _widen(found: dict[str, Range], name: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    seen, x = found.get(name), inputs[0]
    low, high = float(x.amin()), float(x.amax())
    if seen is None:
        found[name] = Range(low, high, x.numel())
    else:
        found[name] = Range(min(seen.low, low), max(seen.high, high), seen.n + x.numel())
