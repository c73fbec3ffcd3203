"""Gradients of everything that was recorded, beside the model's own, which stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import count

import torch
from torch import Tensor, nn

from lmviz.trace.capture.handles import TensorHandle
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
    wanted = [handle for handle in _handles_of(recorders) if handle.edge is not None]
    sources = [(t, grad) for t, grad in zip(results, reached, strict=False) if t.requires_grad and grad is not None]
    number_edges(wanted)
    try:
        if wanted and sources:
            tensors, grads = zip(*sources, strict=True)
            found = torch.autograd.grad(tensors, [handle.edge for handle in wanted], grads, allow_unused=True)
            for handle, grad in zip(wanted, found, strict=True):
                handle.grad = grad
    finally:
        for handle in wanted:
            handle.edge = None


def _handles_of(recorders: Sequence[Recorder]) -> Iterable[TensorHandle]:
    """All that the recorded steps used or made, each once."""
    steps = [step for recorder in recorders for step in recorder.steps]
    return dict.fromkeys(handle for s in steps for handle in (*handles_in((s.args, s.kwargs)), *s.outputs))


def number_edges(handles: Iterable[TensorHandle]) -> None:
    """One number for all tensors whose gradient comes along the same edge of the graph."""
    numbers: dict[tuple[int, int], int] = {}
    for handle in handles:
        handle.edge_number = numbers.setdefault((id(handle.edge.node), handle.edge.output_nr), next(_NUMBERS))


def put_gradients(trace: Trace, model: nn.Module, gradients: Mapping[str, Tensor]) -> None:
    """Let the weights of a recording have the gradients that a training loop left in them when it made this step.

    They are not always those of autograd: a loop may add up what came before, or turn the sign.
    """
    weights = {id(weight): gradients[path] for path, weight in model.named_parameters() if path in gradients}
    for segment in trace.segments:
        for handle in segment.recorder.memory.handles:
            if id(handle.alive()) in weights:
                handle.grad = weights[id(handle.alive())]
