"""A gradient that is explained is autograd's: the sum over every place that a number went to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lmviz.explain import explain_gradient
from lmviz.trace.capture.handles import tensors_in
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace, Value
from tests.property.test_explain_written import worked_out
from tests.property.test_explain_zoo import TOLERANCE, ZOO, Small, is_recorded, tensors


def mixed(out: Any) -> Tensor:
    """A loss that gives every number of every output a different gradient."""
    total = torch.zeros((), dtype=torch.float64)
    for tensor in tensors_in(out):
        if tensor.is_floating_point() and tensor.requires_grad:
            total = total + (tensor * torch.arange(1.0, tensor.numel() + 1).cos().view(tensor.shape)).sum()
    return total


def check_gradient(trace: Trace, value: Value, cell: tuple[int, ...]) -> None:
    """The gradient of one cell is known, is autograd's, and names where its numbers stand."""
    assert value.grad is not None
    why = explain_gradient(trace, value.address, cell)
    assert why.known, (value.address, why)
    tolerance, size = TOLERANCE[value.dtype], 1 + sum(abs(term.value) for term in why.terms)
    recorded = float(value.grad[cell])
    assert why.value == pytest.approx(recorded, rel=tolerance, abs=tolerance * size), (value.address, cell, why)
    assert worked_out(why) == pytest.approx(why.value, rel=1e-9, abs=1e-12 * size), why
    assert why.values == pytest.approx([term.value for term in why.terms], rel=1e-12)
    assert all(is_recorded(trace, operand) for operand in why.operands), why


def check_gradients(trace: Trace, at_most: int = 6) -> None:
    """The gradients of all values, at some of their cells."""
    draw = np.random.default_rng(0)
    assert trace.failure is None, trace.failure
    for value in [*trace.inputs, *trace.weights.values(), *(v for step in trace for v in step.outputs)]:
        if value.grad is not None:
            cells = list(np.ndindex(*value.shape))
            for cell in cells if len(cells) <= at_most else [cells[i] for i in draw.choice(len(cells), at_most)]:
                check_gradient(trace, value, tuple(cell))


def run(name: str, dtype: torch.dtype = torch.float64) -> Trace:
    function, given = ZOO[name], tensors(dtype)
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    inputs = [given[n].requires_grad_() if given[n].is_floating_point() else given[n] for n in names]
    return record(Small(function), *inputs, backward=mixed)


@pytest.mark.slow
@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", ZOO)
def test_the_gradient_of_every_operation_is_autograds(name: str) -> None:
    check_gradients(run(name))
