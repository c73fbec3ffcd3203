"""The operations that published models use: every cell of every output of every call is explained, and is the number
that torch computed."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
import torch

from lmviz.explain import Explanation, explain, explain_gradient
from lmviz.explain.line import FEW, explained, parse_line
from lmviz.trace.operations.explanation import plain_number
from lmviz.trace.operations.table import OPERATIONS, SPELLINGS
from lmviz.trace.recorder import record
from lmviz.trace.step import Step, Trace, Value
from tests.property.calls import axes, elements, layers, shapes
from tests.property.calls.given import Call, arguments
from tests.property.test_explain_gradient import mixed
from tests.property.test_explain_zoo import TOLERANCE, ZOO, Small, check_cell, same, size_of, tolerance_of
from tests.property.test_explain_zoo import run as run_spelled

CALLS: dict[str, Call] = {**elements.CALLS, **axes.CALLS, **shapes.CALLS, **layers.CALLS}
WRITTEN = 3  # cells of each output whose arithmetic is also read as text, and whose operands are looked up


@cache
def run(name: str) -> Trace:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own advice
        trace = record(Small(CALLS[name]), *arguments(CALLS[name]))
    assert trace.failure is None, trace.failure
    return trace


def check_output(trace: Trace, step: Step, output: int) -> None:
    """All cells have the recorded value; some of them are looked at closely."""
    array, tolerance = step.outputs[output].array, tolerance_of(step, output)
    cells = [*np.ndindex(*array.shape)]
    for cell in cells:
        why = explain(step, cell, output)
        assert why.known, (step.op, step.span.text, cell)
        assert same(why.value, plain_number(array[cell]), tolerance, size_of(why)), (step.op, step.span.text, cell, why)
    for cell in cells[:: max(1, len(cells) // WRITTEN)]:
        check_cell(trace, step, output, cell)
        check_readable(explain(step, cell, output))


def check_readable(why: Explanation) -> None:
    """The line that a page writes can be read back, and gives the value; of complex numbers it is written with ≈."""
    every = range(len(why.terms))
    formula, numbers = parse_line(why, every, 0.0)
    if formula is not None:
        assert same(formula(numbers), why.value, 1e-9, size_of(why)), why
    has_complex = any(isinstance(number, complex) for number in (why.value, *numbers))
    assert formula is not None or has_complex, why
    line = explained(why, 4, [every])
    assert line.result.endswith("i)") == isinstance(why.value, complex)
    assert line.is_exact or has_complex or len(numbers) >= FEW or size_of(why) > 1e4, (why, line)


@pytest.mark.slow
@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", CALLS)
def test_every_number_of_an_operation_is_explained(name: str) -> None:
    trace = run(name)
    assert (SPELLINGS[name.rstrip("_")].name if name != "fft" else "fft_fft") in {step.op for step in trace}
    for step in trace:
        for output in range(len(step.outputs)):
            check_output(trace, step, output)


def test_the_list_is_long_enough_to_mean_something() -> None:
    assert len(CALLS) >= 150


@pytest.mark.slow
def test_every_record_is_tried() -> None:
    """A record that no call of this list, or of the zoo of spellings, reaches would be believed untried."""
    spelled = (run_spelled(name) for name in ZOO)
    reached = {step.op for trace in (*map(run, CALLS), *spelled) for step in trace}
    assert set(OPERATIONS) - reached == set()


# -- and backwards -----------------------------------------------------------------------------------------------------

LEARNED = {"x", "y", "positive", "share", "square", "tall", "vector", "number", "sound", "image", "volume"}
NOT_LEARNED = {  # torch has no derivative there
    **{"floor_divide": LEARNED, "hypot": LEARNED, "batch_norm": {"vector"}, "instance_norm": {"vector"}},
    **{"cross_entropy": {"square"}, "binary_cross_entropy": {"y", "positive"}, "poisson_nll_loss": {"x"}},
    **{
        "binary_cross_entropy_with_logits": {"vector"},
        "scatter": {"y"},
        "scatter_add": {"y"},
        "scatter_reduce": LEARNED,
    },
}


@pytest.mark.slow
@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", CALLS)
def test_the_gradients_of_an_operation_are_autograds(name: str) -> None:
    """By a formula, or by torch’s own derivative; on the way to complex numbers they are only recorded."""
    call = CALLS[name]
    names = call.__code__.co_varnames[: call.__code__.co_argcount]
    learned = LEARNED - NOT_LEARNED.get(name, set())
    inputs = [tensor.requires_grad_(n in learned) for n, tensor in zip(names, arguments(call), strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = record(Small(call), *inputs, backward=mixed)
    assert trace.failure is None, trace.failure
    draw = np.random.default_rng(0)
    for value in [*trace.inputs, *trace.weights.values(), *(v for step in trace for v in step.outputs)]:
        if value.grad is None or not value.grad.size or leads_to_complex(trace, value):
            continue
        for _ in range(2):
            cell = tuple(int(draw.integers(size)) for size in value.shape)
            why = explain_gradient(trace, value.address, cell)
            assert why.known, (value.address, cell)
            size = 1 + float(np.abs(why.values[np.isfinite(why.values)]).sum())
            assert same(why.value, float(value.grad[cell]), 20 * TOLERANCE[value.dtype], size), (value.address, why)


def leads_to_complex(trace: Trace, value: Value) -> bool:
    """Whether a number is complex, or is used where complex ones are."""
    steps = [step for step in trace if any(v.address == value.address for v in step.inputs)]
    values = [value, *(v for step in steps for v in (*step.inputs, *step.outputs))]
    return any(v.dtype.startswith("complex") for v in values)
