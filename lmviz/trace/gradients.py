"""Gradients of everything that was recorded, beside the model's own, which stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from torch import Tensor

from lmviz.trace.mode import Recorder
from lmviz.trace.raw import slots_in


def gradients_on() -> ExitStack:
    """A context in which torch keeps the graph that gradients need."""
    stack = ExitStack()
    stack.enter_context(torch.inference_mode(False))
    stack.enter_context(torch.enable_grad())
    return stack


def settle_gradients(
    recorders: Sequence[Recorder], results: Sequence[Tensor], reached: Sequence[Tensor | None]
) -> None:
    """Give every recorded tensor its gradient, from those that reached the results, and let the graph go.

    Raises:
        RuntimeError: autograd can't, because a number that it needs was overwritten, for one.
    """
    steps = [step for recorder in recorders for step in recorder.steps]
    slots = dict.fromkeys(slot for step in steps for slot in (*slots_in((step.args, step.kwargs)), *step.outputs))
    wanted = [slot for slot in slots if slot.edge is not None]
    sources = [(t, grad) for t, grad in zip(results, reached, strict=False) if t.requires_grad and grad is not None]
    try:
        if wanted and sources:
            tensors, grads = zip(*sources, strict=True)
            edges = [slot.edge for slot in wanted]
            found = torch.autograd.grad(tensors, edges, grads, allow_unused=True)
            for slot, grad in zip(wanted, found, strict=True):
                slot.grad = grad
    finally:
        for slot in wanted:
            slot.edge = None
