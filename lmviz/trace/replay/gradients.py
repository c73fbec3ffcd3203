"""Gradients of everything that was recorded, beside the model's own, which stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import count

import torch
from torch import Tensor, nn

from lmviz.trace.capture.mode import Recorder
from lmviz.trace.capture.raw import handles_in
from lmviz.trace.step import Trace

_NUMBERS = count()


def gradients_on() -> ExitStack:
    """A context in which torch keeps the graph that gradients need."""
    stack = ExitStack()
    stack.enter_context(torch.inference_mode(False))
    stack.enter_context(torch.enable_grad())
    return stack


def compute_gradients(
    recorders: Sequence[Recorder], results: Sequence[Tensor], reached: Sequence[Tensor | None]
) -> None:
    """Give every recorded tensor its gradient, from those that reached the results, and let the graph go.

    Raises:
        RuntimeError: autograd can't, because a number that it needs was overwritten, for one.
    """
    steps = [step for recorder in recorders for step in recorder.steps]
    handles = dict.fromkeys(
        handle for step in steps for handle in (*handles_in((step.args, step.kwargs)), *step.outputs)
    )
    wanted = [handle for handle in handles if handle.edge is not None]
    sources = [(t, grad) for t, grad in zip(results, reached, strict=False) if t.requires_grad and grad is not None]
    numbers: dict[tuple[int, int], int] = {}
    for handle in wanted:
        handle.edge_number = numbers.setdefault((id(handle.edge.node), handle.edge.output_nr), next(_NUMBERS))
    try:
        if wanted and sources:
            tensors, grads = zip(*sources, strict=True)
            edges = [handle.edge for handle in wanted]
            found = torch.autograd.grad(tensors, edges, grads, allow_unused=True)
            for handle, grad in zip(wanted, found, strict=True):
                handle.grad = grad
    finally:
        for handle in wanted:
            handle.edge = None


def put_gradients(trace: Trace, model: nn.Module, gradients: Mapping[str, Tensor]) -> None:
    """Let the weights of a recording have the gradients that a training loop left in them when it made this step.

    They are not always those of autograd: a loop may add up what came before, or turn the sign.
    """
    weights = {id(weight): gradients[path] for path, weight in model.named_parameters() if path in gradients}
    for segment in trace.segments:
        for handle in segment.recorder.memory.handles:
            if id(handle.alive()) in weights:
                handle.grad = weights[id(handle.alive())]
