"""Masks, infinities, NaN, empty tensors and other types of number: explained all the same, or said to be unknown."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lmviz.errors import UserError
from lmviz.explain import explain, explain_gradient
from lmviz.trace.recorder import record
from tests.property.test_explain_zoo import ZOO, Small, check_trace, tensors

INF = math.inf
X = torch.tensor([0.5, 1.0, -2.0])


def test_rows_that_are_masked_in_part_or_everywhere() -> None:
    x = torch.tensor([[1.0, -INF, 2.0], [-INF, -INF, -INF], [INF, 0.0, -INF]], dtype=torch.float64)
    trace = record(Small(lambda x: (x.softmax(-1), x.log_softmax(-1), x.logsumexp(-1), x.softmax(0))), x)
    check_trace(trace)
    assert math.isnan(explain(trace[0], (1, 0)).value)
    assert explain(trace[0], (0, 1)).value == 0.0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_numbers_that_are_not_finite(dtype: torch.dtype) -> None:
    x = torch.tensor([[0.0, -0.0, INF, -INF], [math.nan, 1.0, -1.0, 3.0]], dtype=dtype)
    check_trace(
        record(
            Small(
                lambda x: (
                    *(x + x, x - x, x * x, x / x, 1 / x, x**2, x.exp(), x.sqrt(), x.log(), -x, x.abs(), x.relu()),
                    *(x.tanh(), x.sigmoid(), F.silu(x), x.clamp(-1, 1)),
                    *(x.sum(), x.mean(0), x.amax(), x.max(), x.argmax(), x.softmax(-1), x.prod(), x.isnan(), x > 0),
                    *(torch.maximum(x, x.flip(-1)), x @ x.T, x.masked_fill(x > 0, INF), torch.where(x > 0, x, 0)),
                )
            ),
            x,
        )
    )


@pytest.mark.slow
@pytest.mark.sampled(4)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", [name for name in ZOO if "dtype" not in name])
def test_other_precisions(name: str, dtype: torch.dtype) -> None:
    given = tensors(dtype)
    function = ZOO[name]
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    trace = record(Small(function), *(given[n] for n in names))
    check_trace(trace, at_most=2) if trace.failure is None else pytest.skip("torch has no such operation")


ALONG_AN_AXIS = {
    **{
        name: getattr(torch, name) for name in ("sum", "mean", "amax", "amin", "argmax", "argmin", "prod", "all", "any")
    },
    **{name: getattr(torch, name) for name in ("max", "min", "median", "mode", "cumsum", "cummax", "sort", "softmax")},
    **{name: getattr(torch, name) for name in ("squeeze", "unsqueeze", "logsumexp", "nansum", "count_nonzero")},
    "std": lambda x, dim: x.std(dim, correction=0),
    "var_mean": lambda x, dim: torch.var_mean(x, dim, correction=0),
    "kthvalue": lambda x, dim: x.kthvalue(1, dim),
    "norm": lambda x, dim: (x.norm(dim=dim), torch.linalg.vector_norm(x, dim=dim), F.normalize(x, dim=dim)),
    "aminmax": lambda x, dim: torch.aminmax(x, dim=dim),
}


@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("name", ALONG_AN_AXIS)
def test_a_number_without_axes_has_one_where_an_axis_is_asked_for(name: str, dim: int) -> None:
    check_trace(record(Small(lambda x: ALONG_AN_AXIS[name](x, dim)), torch.tensor(1.5)))


def test_what_torch_makes_of_nan_and_of_minus_zero() -> None:
    """A comparison with NaN is false, and 0 has a sign."""
    x = torch.tensor([math.nan, -0.0, 0.0, -2.5, INF])
    function = lambda x: (  # noqa: E731
        *(F.threshold(x, 0.1, 20.0), torch.heaviside(x, x.flip(0)), x.signbit(), F.softshrink(x), F.hardshrink(x)),
        *(F.softplus(x), F.leaky_relu(x), F.elu(x), F.hardsigmoid(x), x.sgn(), x.angle(), x.conj(), x.frac()),
        *(F.logsigmoid(x), F.celu(x), x.nan_to_num(), x.isclose(x), x.logical_not(), torch.copysign(x, x.flip(0))),
    )
    check_trace(record(Small(function), x))


def test_a_root_of_a_negative_sum_is_none() -> None:
    check_trace(record(Small(lambda x: F.lp_pool1d(x, 3.0, 2)), torch.tensor([[[1.0, -3.0, 2.0, 0.5]]])))


def test_tensors_without_axes() -> None:
    x = torch.tensor(2.0, dtype=torch.float64)
    check_trace(
        record(
            Small(
                lambda x: (
                    *(x + 1, x * x, x**2, x.exp(), x.sum(), x.mean(), x.softmax(0), x.cumsum(0), x.max(), x.reshape(1)),
                    *(x[None], x[...], x.unsqueeze(0), x.expand(3), x.clone(), x.flatten(), x.argmax(), x.prod()),
                )
            ),
            x,
        )
    )


def test_whole_numbers_and_booleans() -> None:
    ids, mask = torch.tensor([[3, 0, 2]]), torch.tensor([[True, False, True]])
    check_trace(
        record(
            Small(
                lambda ids, mask: (
                    *(ids + mask, ids * 2, ids // 2, ids % 2, -ids, ids.sum(), ids.max(), ids.float().mean(), ids > 1),
                    *(mask.sum(), ~mask, mask & mask, mask | ~mask, mask.float(), mask.long(), ids[mask]),
                )
            ),
            ids,
            mask,
        )
    )


def test_an_empty_sum_is_0_and_an_empty_mean_is_not_a_number() -> None:
    trace = record(Small(lambda x: (x.sum(-1), x.mean(-1), x.prod(-1), x @ x.T)), torch.zeros(2, 0))
    check_trace(trace)
    assert explain(trace[0], (0,)).terms == ()


def test_an_empty_tensor_has_no_cells() -> None:
    trace = record(Small(lambda x: x + 1), torch.zeros(2, 0))
    with pytest.raises(UserError, match="one index for each axis"):
        explain(trace["out"], (0, 0))


def cached(k: Tensor) -> Tensor:
    """What a cache of keys does: it is written to through views of it."""
    cache = torch.zeros(2, 4, 3)
    cache[:, 1:3].copy_(k)
    doubled = cache * 2
    cache[1].mul_(2)
    cache.transpose(0, 1)[2].add_(1)
    cache.view(-1)[::5] -= 3
    row = cache[0]
    row[0] = 7.0
    return doubled + cache


@pytest.mark.parametrize("budget", [0, 1 << 20])
def test_what_was_changed_through_a_view_is_explained_where_the_view_lies_and_elsewhere(budget: int) -> None:
    trace = record(Small(cached), torch.randn(2, 2, 3), budget=budget)
    changed = [(step, n) for step in trace for n, value in enumerate(step.outputs) if value.before is not None]
    assert [step.op for step, _ in changed] == ["copy", "mul", "add", "sub", "setitem", "setitem"]
    for step, output in changed:
        whole = step.outputs[output]
        for cell in np.ndindex(*whole.shape):
            why = explain(step, cell, output)
            assert why.known
            assert why.value == pytest.approx(float(whole.array[cell])), (step.op, cell)


def test_an_output_that_the_record_does_not_know_of_is_not_taken_for_the_first() -> None:
    step = record(Small(lambda x: x * 2), X)[0]
    more = replace(step, outputs=(*step.outputs, *record(Small(lambda x: x * 3), X)[0].outputs))
    why = explain(more, (1,), 1)
    assert not why.known
    assert why.value == 3.0


def test_an_operation_without_a_record_is_not_explained() -> None:
    trace = record(Small(lambda x: (torch.special.i0(x), torch.special.i0(x).exp(), x.to(torch.complex64).tan())), X)
    for step in (trace[0], trace[-1]):
        why = explain(step, (1,))
        assert not why.known
        assert why.value == step.outputs[0].array[1]
        assert why.written == (why.value,)


@pytest.mark.parametrize("cell", [(2, 0), (0, -1), (0,), (0, 0, 0), ()])
def test_a_cell_outside_is_refused(cell: tuple[int, ...]) -> None:
    trace = record(Small(lambda x: (x * 2).sum()), torch.ones(2, 3, requires_grad=True), backward=lambda out: out)
    with pytest.raises(UserError, match=r"for each axis of \[2, 3\], counted from 0; got"):
        explain(trace["mul"], cell)
    with pytest.raises(UserError, match=r"for each axis of \[2, 3\], counted from 0; got"):
        explain_gradient(trace, "mul", cell)


def test_an_output_that_is_not_there_is_refused() -> None:
    trace = record(Small(lambda x: x * 2), torch.ones(2))
    with pytest.raises(UserError, match="one of the 1 that out has"):
        explain(trace["out"], (0,), 1)


def test_gradients_need_a_loss_and_an_address() -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(UserError, match="record with backward="):
        explain_gradient(record(Small(lambda x: x * 2), x), "out", (0,))
    with pytest.raises(UserError, match="nowhere is none"):
        explain_gradient(record(Small(lambda x: x.sum()), x, backward=lambda out: out), "nowhere", (0,))


def test_a_slope_without_a_formula_is_torchs_own_and_says_so() -> None:
    x = torch.ones(2, requires_grad=True)
    trace = record(Small(lambda x: torch.special.i0(x * 2).sum()), x, backward=lambda out: out)
    why = explain_gradient(trace, "mul", (0,))
    assert why.known
    assert why.by_torch
    assert why.value == pytest.approx(float(torch.special.i1(torch.tensor(2.0))), rel=1e-6)
    assert not explain_gradient(trace, "input_1", (0,)).by_torch


def test_the_gradient_of_a_complex_number_is_the_recorded_one() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    trace = record(Small(lambda x: (torch.view_as_complex(x * 2) * 1j).abs().sum()), x, backward=lambda out: out)
    for address in ("mul", "view_as_complex"):
        why, value = explain_gradient(trace, address, (0, 0) if address == "mul" else (0,)), trace.value(address)
        assert value is not None and value.grad is not None
        assert not why.known
        assert why.value == value.grad.flat[0]


def test_a_number_that_the_loss_does_not_see_has_gradient_0() -> None:
    x = torch.ones(2, requires_grad=True)
    trace = record(Small(lambda x: (x * 2)[0]), x, backward=lambda out: out)
    assert explain_gradient(trace, "mul", (1,)).value == 0.0


def test_a_tensor_that_an_operation_gives_back_unchanged_is_one_value() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        z = y.contiguous()
        return (y * z).sum()

    trace = record(Small(function), torch.ones(2, requires_grad=True), backward=lambda out: out)
    values = [value for step in trace for value in step.outputs if value.shape == (2,) and value.name in ("y", "z")]
    assert len(values) == 2
    for value in values:
        assert value.grad is not None
        assert explain_gradient(trace, value.address, (0,)).value == value.grad[0] == 4.0


def test_what_is_overwritten_while_gradients_are_off_goes_on_as_if_it_were_not() -> None:
    """As in an embedding with `max_norm`, or in what an initialiser fills."""

    def function(x: Tensor) -> Tensor:
        weight = x * 1
        before = weight * 3
        with torch.no_grad():
            weight.mul_(0)
            weight.add_(2)
        return (before + weight * 5).sum()

    trace = record(Small(function), torch.ones(2, requires_grad=True), backward=lambda out: out)
    values = [value for step in trace for value in step.outputs if value.name == "weight"]
    assert len(values) == 3
    for value in values:
        why = explain_gradient(trace, value.address, (0,))
        assert why.known
        assert value.grad is not None
        assert why.value == value.grad[0] == 8.0


def test_an_explanation_can_be_pickled_with_all_its_terms() -> None:
    trace = record(Small(lambda x: x.softmax(-1)), torch.randn(300))
    why = explain(trace["out"], (3,))
    copy = pickle.loads(pickle.dumps(why))
    assert copy == why
    assert [term.label for term in copy.terms] == [str(i) for i in range(300)]
    assert sum(term.factors[0] for term in copy.terms) == pytest.approx(math.fsum(term.value for term in why.terms))
