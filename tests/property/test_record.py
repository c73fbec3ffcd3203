"""Laws of recording, on programs made at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lmviz.trace.recorder import record
from lmviz.trace.step import Trace, Value

N = 3  # every tensor is a vector or a matrix of this size, or a view of one

PURE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
    "matmul": lambda x, y: x @ y,
    "tanh": lambda x, y: x.tanh(),
    "softmax": lambda x, y: F.softmax(x, dim=-1),
    "transpose": lambda x, y: x.T,
    "rows": lambda x, y: torch.stack([x[0], y[1], x[2]]),
    "split": lambda x, y: torch.cat(x.split([1, 2])[::-1]),
    "where": lambda x, y: torch.where(x > y, x, y),
    "norm": lambda x, y: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + 1).sqrt(),
    "dropout": lambda x, y: F.dropout(x, 0.5),
}
IN_PLACE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add_": lambda x, y: x.add_(y.clone()),
    "set row": lambda x, y: x.__setitem__(0, y[1].clone()) or x,  # type: ignore[func-returns-value]
    "set through a view": lambda x, y: x[1].mul_(2) if x.dim() else x,
    "relu": lambda x, y: F.relu(x, inplace=True),
    "out": lambda x, y: torch.add(y.clone(), 1, out=x) if x.is_contiguous() else x,
    "view": lambda x, y: x.view(N, N) if x.is_contiguous() else x,
}


@dataclass(frozen=True)
class Line:
    name: str
    operands: tuple[int, int]  # how far back

    def __call__(self, values: list[Tensor]) -> Tensor:
        x, y = (values[-1 - back % len(values)] for back in self.operands)
        out = (PURE | IN_PLACE)[self.name](x, y)
        return out if out.shape == (N, N) else x


def programs(*names: str) -> st.SearchStrategy[list[Line]]:
    line = st.builds(Line, st.sampled_from(names), st.tuples(st.integers(0, 5), st.integers(0, 5)))
    return st.lists(line, min_size=1, max_size=12)


PURE_PROGRAMS, ALL_PROGRAMS = programs(*PURE), programs(*PURE, *IN_PLACE)


class Part(nn.Module):
    """A stretch of a program. Its weight takes part, and so does its list of values, which grows."""

    def __init__(self, lines: list[Line]) -> None:
        super().__init__()
        self.lines = lines
        self.weight = nn.Parameter(torch.linspace(-1, 1, N * N).reshape(N, N))
        self.inner = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        values = [x * self.weight, x + 1]
        for line in self.lines:
            values.append(line(values))
        return values[-1] * 1


class Program(nn.Module):
    def __init__(self, lines: list[Line]) -> None:
        super().__init__()
        third = len(lines) // 3
        self.parts = nn.ModuleList(Part(part) for part in (lines[:third], lines[third : 2 * third], lines[2 * third :]))

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x


def start() -> Tensor:
    return torch.linspace(-2, 2, N * N).reshape(N, N).clone()


class Log(torch.overrides.TorchFunctionMode):
    """An independent witness: a copy of everything that a call was given, before, and of what it made, after."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[list[Tensor], list[Tensor]]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [tensor.detach().clone() for tensor in _tensors((args, kwargs or {}))]
        out = func(*args, **(kwargs or {}))
        made = _tensors(args[0] if out is None else out)
        if made:
            self.calls.append((given, [tensor.detach().clone() for tensor in made]))
        return out


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for item in items for tensor in _tensors(item)]


def assert_equal(found: tuple[Value, ...], expected: list[Tensor]) -> None:
    """The numbers of recorded values; of what was overwritten through a view there is one more."""
    assert len(found) >= len(expected)
    for value, tensor in zip(found, expected, strict=False):
        assert np.array_equal(value.array, tensor.numpy(), equal_nan=value.dtype != "bool"), value.address


@given(ALL_PROGRAMS, st.sampled_from([0, 50, 150, 400, 1 << 30]), st.booleans())
def test_a_recording_is_what_an_independent_witness_saw(lines: list[Line], budget: int, gradients: bool) -> None:
    with torch.set_grad_enabled(gradients and not any(line.name in IN_PLACE for line in lines)):
        model, witness = Program(lines), Log()
        torch.manual_seed(0)
        x = start()
        with witness:
            plain = model(x)
        trace = record(model, start(), budget=budget)
    assert trace.failure is None
    assert torch.equal(trace.output.nan_to_num(7), plain.nan_to_num(7))
    assert len(trace) == len(witness.calls)
    for step, (given_, made) in zip(trace, witness.calls, strict=True):
        assert_equal(step.inputs, given_)
        assert_equal(step.outputs, made)


@given(ALL_PROGRAMS)
def test_recording_does_not_change_what_a_model_computes(lines: list[Line]) -> None:
    torch.manual_seed(5)
    with torch.no_grad():
        plain = Program(lines)(start())
        state = torch.get_rng_state()
        recorded = record(Program(lines), start(), seed=5).output
    assert torch.equal(plain.nan_to_num(7), recorded.nan_to_num(7))
    assert torch.equal(torch.get_rng_state(), state)


@given(PURE_PROGRAMS, st.data())
def test_an_edit_changes_only_what_is_downstream(lines: list[Line], data: st.DataObject) -> None:
    model, budget = Program(lines), data.draw(st.sampled_from([0, 150, 1 << 30]))
    plain = record(model, start())
    values = [value for step in plain for value in step.outputs if value.dtype == "float32"]
    edited = data.draw(st.sampled_from(values))
    trace = record(model, start(), edits={edited.address: lambda tensor: tensor + 1}, budget=budget)
    assert np.array_equal(trace.value(edited.address).array, edited.array + 1, equal_nan=True)  # type: ignore[union-attr]
    downstream = reached_from(plain, edited)
    for one, other in zip(plain, trace, strict=True):
        for a, b in zip(one.outputs, other.outputs, strict=True):
            if a.address not in downstream:
                assert np.array_equal(a.array, b.array, equal_nan=True), a.address


def reached_from(trace: Trace, value: Value) -> set[str]:
    reached = {value.address}
    for step in trace:
        if any(v.address in reached and v.role == "activation" for v in step.inputs):
            reached.update(v.address for v in step.outputs)
    return reached


@given(programs(*[name for name in PURE if name != "dropout"]))
def test_gradients_are_autograds(lines: list[Line]) -> None:
    model, x = Program(lines).double(), start().double().requires_grad_()
    trace = record(model, x, backward=lambda out: out.pow(2).sum())
    assert all(p.grad is None for p in model.parameters())
    parameters = [*model.parameters(), x]
    expected = torch.autograd.grad(model(x).pow(2).sum(), parameters, allow_unused=True)
    given = "x" if trace.value("x#0") is None else "x#0"  # where the program gives the name again
    found = [trace.value(name) for name in (*[name for name, _ in model.named_parameters()], given)]
    for value, grad in zip(found, expected, strict=True):
        assert (grad is None) == (value is None or value.grad is None)
        if value is not None and grad is not None:
            assert np.array_equal(value.grad, grad.numpy(), equal_nan=True)


@given(PURE_PROGRAMS, st.data())
def test_the_gradient_of_a_value_is_what_the_loss_changes_by(lines: list[Line], data: st.DataObject) -> None:
    """A change of any recorded value, put in as an edit, changes the loss as its gradient says."""
    lines = [line for line in lines if line.name not in ("where", "dropout")]
    model, x = Program(lines).double(), start().double()

    def loss(out: Tensor) -> Tensor:
        return out.tanh().sum()

    trace = record(model, x, backward=loss)
    values = [v for step in trace if step.module != "loss" for v in step.outputs if v.grad is not None]
    if not values:
        return
    value = data.draw(st.sampled_from(values))
    assert value.grad is not None
    direction = np.cos(np.arange(value.array.size)).reshape(value.shape)
    tiny = 1e-6

    def loss_at(step: float) -> float:
        nudged = record(model, x, edits={value.address: lambda t: t + step * torch.tensor(direction)})
        return float(loss(nudged.output).detach())

    change = (loss_at(tiny) - loss_at(-tiny)) / (2 * tiny)
    assert change == pytest.approx(float((value.grad * direction).sum()), rel=1e-4, abs=1e-6)


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)),
    st.sampled_from(["none", "causal", "bool", "float"]),
    st.sampled_from([None, 0.3, 2.0]),
)
def test_attention_written_out_agrees_whatever_the_shape(
    sizes: tuple[int, int, int, int, int], mask: str, scale: float | None
) -> None:
    batch, head, n_query, n_key, width = sizes
    torch.manual_seed(0)
    q, k, v = (torch.randn(batch, head, n, width, dtype=torch.float64) for n in (n_query, n_key, n_key))
    options: dict[str, Any] = {"scale": scale}
    options |= {
        "none": {},
        "causal": {"is_causal": True},
        "bool": {"attn_mask": torch.randn(n_query, n_key) > 0},
        "float": {"attn_mask": torch.randn(batch, 1, n_query, n_key, dtype=torch.float64)},
    }[mask]
    trace = record(F.scaled_dot_product_attention, q, k, v, **options)
    fused, written_out = trace[0].outputs[0], trace[-1].outputs[0]
    assert trace[-1].opened == 0
    assert np.allclose(fused.array, written_out.array, rtol=1e-10, atol=1e-12, equal_nan=True)
