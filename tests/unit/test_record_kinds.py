# ruff: noqa: F841  # the recorder reads the names that results are given here
"""Tensors of every kind are recorded; what can't be shown, or explained, is said in a sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.explain import explain, explain_gradient
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace

X = torch.tensor([[0.5, -1.0, 2.0, 0.25], [1.0, 3.0, -0.5, 0.0]])
LONG, SHORT = X, X[:1] * 2


def jagged(**settings: Any) -> Tensor:
    """Two texts of 2 and 1 positions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that nested tensors are a prototype
        return torch.nested.nested_tensor([LONG, SHORT], layout=torch.jagged, **settings)


def run(function: Callable[..., Any], *inputs: Any, **settings: Any) -> Trace:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = record(function, *inputs, **settings)
    assert trace.failure is None, trace.failure
    return trace


# -- rows of unequal length --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0, 1 << 20], ids=["replayed", "kept"])
def test_rows_of_unequal_length_are_shown_in_a_box(budget: int) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    trace = run(model, jagged(), budget=budget)
    out = trace[-1].outputs[0]
    assert (out.shape, out.ragged) == ((2, 2, 3), True)
    assert np.allclose(out.array[0], model(LONG).detach())
    assert np.isnan(out.array[1, 1]).all()


def test_rows_of_unequal_length_may_be_made_while_recording() -> None:
    def function(a: Tensor, b: Tensor) -> Tensor:
        both = torch.nested.as_nested_tensor([a, b], layout=torch.jagged)
        doubled = both * 2
        return doubled

    trace = run(function, LONG, SHORT)
    assert np.allclose(trace["doubled"].outputs[0].array[1, 0], SHORT[0] * 2)


def test_a_sum_over_rows_of_unequal_length_is_said_to_be_unknown_and_not_explained_with_the_gaps() -> None:
    trace = run(lambda x: x.sum(dim=1), jagged())
    why = explain(trace[-1], (1, 0))
    assert not why.known
    assert why.value == float(SHORT[:, 0].sum())


def test_gradients_of_rows_of_unequal_length_are_the_recorded_ones() -> None:
    trace = run(lambda x: (x * 3).sin(), jagged(requires_grad=True), backward=lambda out: out.values().sum())
    why = explain_gradient(trace, "mul", (0, 0, 0))
    assert not why.known
    assert why.value == pytest.approx(float(torch.cos(LONG[0, 0] * 3)), rel=1e-6)


# -- types of number ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0, 1 << 20], ids=["replayed", "kept"])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_floats_of_8_bits_are_shown_and_explained(dtype: torch.dtype, budget: int) -> None:
    def function(x: Tensor) -> Tensor:
        small = (x * 1.1).to(dtype)
        back = small.float()
        return back

    trace = run(function, X, budget=budget)
    assert np.array_equal(trace["small"].outputs[0].array, (X * 1.1).to(dtype).float())
    assert trace["small"].outputs[0].n_bytes == X.numel()
    for address in ("small", "back"):
        for cell in np.ndindex(*X.shape):
            why = explain(trace[address], cell)
            assert why.known
            assert why.value == trace[address].outputs[0].array[cell]


@pytest.mark.parametrize("dtype", [torch.float8_e8m0fnu, torch.float8_e4m3fnuz], ids=str)
def test_a_type_that_we_cannot_round_to_is_shown_and_not_explained(dtype: torch.dtype) -> None:
    trace = run(lambda x: x.abs().to(dtype), X)
    assert np.array_equal(trace[-1].outputs[0].array, X.abs().to(dtype).float())
    assert not explain(trace[-1], (0, 1)).known


def test_complex_numbers_of_half_precision_are_shown() -> None:
    trace = run(lambda x: x.to(torch.complex32), X)
    assert trace[-1].outputs[0].array.dtype == np.complex64
    assert explain(trace[-1], (0, 1)).value == -1.0


def test_quantised_and_sparse_tensors_are_shown_as_the_numbers_that_they_stand_for() -> None:
    def function(x: Tensor) -> tuple[Tensor, ...]:
        coarse = torch.quantize_per_tensor(x, 0.25, 0, torch.qint8)
        few = x.to_sparse()
        rows = x.to_sparse_csr()
        return coarse, few, rows

    trace = run(function, X)
    for address in ("coarse", "few", "rows"):
        step = trace[address]
        assert np.array_equal(step.outputs[0].array, X)
        why = explain(step, (0, 1))
        assert not why.known
        assert why.value == -1.0


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors:UserWarning")
def test_what_can_not_be_shown_is_said() -> None:
    trace = run(lambda x: torch.masked.masked_tensor(x, x > 0).sum(), X)
    with pytest.raises(UserError, match="Numbers of this kind, MaskedTensor, can't be shown"):
        _ = trace[-1].outputs[0].array
    with pytest.raises(UserError, match="can't be shown"):
        explain(trace[-1], ())
    trace = run(lambda x: x.to("meta") * 2, X)
    with pytest.raises(UserError, match="a shape but no numbers"):
        explain(trace[-1], (0, 0))


# -- what a model raises -----------------------------------------------------------------------------------------------


def halves(x: Tensor) -> Iterator[Tensor]:
    half = x / 2
    try:
        yield half
        yield half / 2
    finally:
        last = half.sum()
        del last


def test_a_generator_that_is_closed_early_is_recorded_to_its_end() -> None:
    def function(x: Tensor) -> Tensor:
        parts = halves(x)
        first = next(parts)
        parts.close()  # type: ignore[attr-defined]
        total = first + 1
        return total

    trace = run(function, X)
    assert [step.op for step in trace] == ["div", "sum", "add"]


@pytest.mark.parametrize("kind", [ValueError, GeneratorExit, StopIteration, RecursionError])
def test_what_a_model_raises_ends_the_recording_and_is_kept(kind: type[BaseException]) -> None:
    def function(x: Tensor) -> Tensor:
        doubled = x * 2
        raise kind("enough")

    trace = record(function, X)
    assert trace.failure is not None
    assert isinstance(trace.failure.exception, kind)
    assert [step.address for step in trace] == ["doubled"]
    assert np.array_equal(trace["doubled"].outputs[0].array, X * 2)
    with pytest.raises(kind, match="enough"):
        _ = trace.output


def test_an_exception_inside_a_generator_is_kept_with_what_came_before() -> None:
    def function(x: Tensor) -> list[Tensor]:
        return [part @ torch.ones(9, 9) for part in halves(x)]

    trace = record(function, X)
    assert trace.failure is not None and trace.failure.step == 2
    ops = [step.op for step in trace]
    assert ops[:3] == ["div", "ones", "matmul"]
    assert ops[3:] in ([], ["sum"])  # from Python 3.12 on, leaving the comprehension ends the generator at once


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_asks_the_program_to_stop_passes_through_and_leaves_nothing_behind(kind: type[BaseException]) -> None:
    def function(x: Tensor) -> Tensor:
        doubled = x * 2
        raise kind

    with pytest.raises(kind):
        record(function, X)
    assert torch.overrides._get_current_function_mode() is None
    assert [step.op for step in record(lambda x: x + 1, X)] == ["add"]


def test_an_edit_that_raises_anything_is_said_to_have_failed() -> None:
    def edit(tensor: Tensor) -> Tensor:
        raise GeneratorExit

    with pytest.raises(UserError, match="An edit failed: GeneratorExit"):
        record(lambda x: F.relu(x * 2), X, edits={"mul": edit})


def test_the_tensors_of_a_dict_are_called_by_their_keys() -> None:
    batch = {"ids": torch.tensor([[1, 2]]), "mask": torch.ones(1, 2)}
    trace = record(lambda batch, more: batch["ids"] * batch["mask"] + more[0], batch, [torch.ones(2)])
    assert [one.address for one in trace.inputs] == ["batch.ids", "batch.mask", "more.0"]
