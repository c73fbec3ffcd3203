"""A memory budget: what was not kept is computed again when it is read, bit for bit."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.trace.capture.raw import handles_in
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace

IDS = torch.tensor([[1, 5, 2, 7]])


def gpt2(dropout: float = 0.0) -> GPT2:
    torch.manual_seed(0)
    config = GPT2Config(d_vocab=11, n_ctx=9, n_layers=3, d_model=8, n_heads=2, d_mlp=16, dropout=dropout)
    return GPT2(config).train(dropout > 0)


def assert_same_numbers(one: Trace, other: Trace) -> None:
    assert [step.address for step in one] == [step.address for step in other]
    for a, b in zip(one, other, strict=True):
        for x, y in zip((*a.inputs, *a.outputs), (*b.inputs, *b.outputs), strict=True):
            assert x.address == y.address
            assert x.array.dtype == y.array.dtype
            assert np.array_equal(x.array, y.array, equal_nan=x.array.dtype.kind == "f"), a.address


BUDGETS = [0, 200, 2_000, 20_000]


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_what_was_dropped_is_computed_again_bit_for_bit(budget: int, dropout: float) -> None:
    model = gpt2(dropout)
    assert_same_numbers(record(model, IDS), record(model, IDS, budget=budget))


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize("budget", BUDGETS)
def test_edits_hold_in_what_is_computed_again(budget: int) -> None:
    edits: dict[str, Callable[[Tensor], Tensor]] = {
        "blocks.1.attn.pattern": lambda p: p * 0.5,
        "blocks.0.mlp.w_in.weight": lambda w: w * 2,
    }
    model = gpt2(0.5)
    assert_same_numbers(record(model, IDS, edits=edits), record(model, IDS, edits=edits, budget=budget))


class Overwrites(nn.Module):
    """Changes everything in place that can be: its stream, a view of it, its input, a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Adds() for _ in range(4))
        self.register_buffer("count", torch.zeros(3))
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        y = x * 1
        for layer in self.layers:
            y = layer(y)
            row = y[0]
            row.add_(self.count)
        x.zero_()
        return self.norm(y) + x


class Adds(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        before = x.abs()
        x += self.lin(before).sin()
        F.relu(x, inplace=True)
        x[1] *= 2
        return x


@pytest.mark.slow
@pytest.mark.parametrize("budget", [0, 40, 100, 300])
def test_what_operations_in_place_have_overwritten_is_computed_again(budget: int) -> None:
    torch.manual_seed(0)
    model = Overwrites()
    x, twin = torch.randn(2, 3), copy.deepcopy(model)
    full, small = record(model, x.clone()), record(twin, x.clone(), budget=budget)
    after = {name: tensor.clone() for name, tensor in twin.state_dict().items()}
    assert torch.equal(full.output, small.output)
    for a, b in zip(full, small, strict=True):
        for one, other in zip((*a.inputs, *a.outputs), (*b.inputs, *b.outputs), strict=True):
            assert np.array_equal(one.array, other.array), (a.address, one.address)
    for name, tensor in twin.state_dict().items():
        assert torch.equal(tensor, after[name]), f"reading has changed {name}"


@pytest.mark.nightly
@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_modes_are_as_they_were_when_something_is_computed_again(mode: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    x = torch.randn(2, 5, 8)
    with mode():
        full, small = record(model, x), record(model, x, budget=0)
    assert_same_numbers(full, small)
    with mode(), torch.autocast("cpu", torch.bfloat16):
        full, small = record(gpt2(), IDS), record(gpt2(), IDS, budget=0)
    assert_same_numbers(full, small)


def test_a_weight_that_was_changed_does_not_lead_to_other_numbers() -> None:
    model = gpt2()
    trace = record(model, IDS, budget=0)
    assert trace["blocks.0.attn.pattern"].outputs[0].array.shape == (1, 2, 4, 4)
    with torch.no_grad():
        model.blocks[2].mlp.w_in.weight.add_(1)
    assert trace["blocks.1.attn.pattern"].outputs[0].array.shape == (1, 2, 4, 4)
    with pytest.raises(UserError, match="record again"):
        trace["blocks.2.mlp.hidden"].outputs[0].array  # noqa: B018


def test_a_model_that_does_something_else_the_second_time_is_found_out() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            y = x * self.calls
            return y.exp()

    trace = record(Counts(), torch.ones(3), budget=0)
    with pytest.raises(UserError, match="did something else when it was run again"):
        trace["y"].outputs[0].array  # noqa: B018


def test_a_model_that_is_given_an_object_of_its_own_is_run_again_from_further_out() -> None:
    class Cache:
        def __init__(self) -> None:
            self.rows: list[Tensor] = []

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(3, 3)
            self.part = nn.ReLU()

        def forward(self, x: Tensor, cache: Cache) -> Tensor:
            cache.rows.append(x)
            total = torch.stack(cache.rows).sum(0)
            return self.part(self.lin(total))

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.ModuleList([Inner(), Inner()])

        def forward(self, x: Tensor) -> Tensor:
            cache = Cache()
            for inner in self.inner:
                x = inner(x, cache)
            return x

    torch.manual_seed(0)
    model, x = Outer(), torch.randn(2, 3)
    assert_same_numbers(record(model, x), record(model, x, budget=0))


class Scales(nn.Module):
    """A part that a hook tells by how much."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.register_forward_pre_hook(lambda module, args: (*args, 2.0))

    def forward(self, x: Tensor, factor: float) -> Tensor:
        return self.lin(x).mul(factor).exp()


def test_a_hook_runs_once_when_its_module_is_run_again() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 3), Scales()), torch.ones(2, 3)
    assert_same_numbers(record(model, x), record(model, x, budget=60))


def test_the_smallest_call_around_a_tensor_is_what_runs_again() -> None:
    runs: list[str] = []

    class Layer(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name, self.lin = name, nn.Linear(50, 50)

        def forward(self, x: Tensor) -> Tensor:
            runs.append(self.name)
            hidden = self.lin(x).relu()
            return hidden + x

    model = nn.Sequential(*[Layer(str(i)) for i in range(5)])
    trace = record(model, torch.ones(4, 50), budget=6_000)
    trace.steps  # noqa: B018
    runs.clear()
    assert trace["3.hidden"].outputs[0].array.shape == (4, 50)
    assert runs == ["3"]
    runs.clear()
    assert trace["3.lin"].outputs[0].array.shape == (4, 50)
    assert runs == [], "what is near was kept by the replay before"


class Deep(nn.Module):
    """Makes `n` tensors of 1 MB, one after the other, in modules inside modules."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(Scale(), Scale()) for _ in range(n))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Scale(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        big = x * 1.5
        bigger = big + 1
        return bigger / 2


MB = 10**6


@pytest.mark.parametrize("n", [4, 40])
def test_memory_is_bounded_whatever_the_depth(n: int) -> None:
    with torch.no_grad():
        recorder = record(Deep(n), torch.ones(MB // 4), budget=5 * MB).segments[0].recorder
    kept = [slot.kept for step in recorder.steps for slot in (*handles_in((step.args, step.kwargs)), *step.outputs)]
    storages = {tensor.untyped_storage().data_ptr() for tensor in kept if tensor is not None}
    assert len(storages) <= 5 + 5 + 1, "as many for steps as for the inputs of calls, and the model's own input"
    assert recorder.spent <= 5 * MB
    assert recorder.memory.spent_on_calls <= 5 * MB


def test_tensors_that_are_dropped_are_gone_while_the_model_runs() -> None:
    seen: list[weakref.ref[Tensor]] = []
    most = 0

    class Watched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            nonlocal most
            y = x * 1.5
            seen.append(weakref.ref(y))
            most = max(most, sum(ref() is not None for ref in seen))
            return y + 1

    gc.collect()
    with torch.no_grad():
        record(nn.Sequential(*[Watched() for _ in range(50)]), torch.ones(MB // 4), budget=4 * MB)
    assert most <= 4


@pytest.mark.slow
def test_reading_all_of_a_small_trace_keeps_little() -> None:
    with torch.no_grad():
        trace = record(Deep(20), torch.ones(MB // 4), budget=2 * MB)
        kept: set[int] = set()
        for step in trace:
            step.outputs[0].array  # noqa: B018
            replays = [r for replayer in _replayers(trace) for r in replayer._recent.values()]
            slots = [slot for r in replays for s in r.steps for slot in s.outputs if slot.kept is not None]
            kept.add(len(slots))
    assert max(kept) <= 2 * (2 * 24 + 1)
    assert max(kept) * MB <= 8 * MB


def _replayers(trace: Trace) -> list[Any]:
    return trace[0].outputs[0].cells._reader._replayers  # type: ignore[attr-defined]


def test_a_failed_run_is_computed_again_up_to_its_end() -> None:
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 2
            z = y.exp()
            return z @ z

    full, small = record(Fails(), torch.ones(2, 3)), record(Fails(), torch.ones(2, 3), budget=0)
    assert_same_numbers(full, small)


@pytest.mark.parametrize("budget", [0, 1 << 30])
def test_fused_calls_are_opened_from_what_is_computed_again(budget: int) -> None:
    torch.manual_seed(0)
    model, x = nn.MultiheadAttention(8, 2, dropout=0.3, batch_first=True).train(), torch.randn(2, 5, 8)
    assert_same_numbers(record(model, x, x, x), record(model, x, x, x, budget=budget))


def test_views_of_what_is_kept_cost_nothing() -> None:
    class Views(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            big = x * 2
            for _ in range(20):
                big = big.view(-1).view(x.shape)
            return big

    trace = record(Views(), torch.ones(MB // 4, 1), budget=3 * MB)
    assert trace.segments[0].recorder.spent == MB
    assert all(slot.kept is not None for step in trace.segments[0].recorder.steps for slot in step.outputs)


def test_memory_that_was_only_reserved_is_not_shown_as_numbers() -> None:
    class Reserves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            space = torch.empty_like(x)
            space.copy_(x)
            return space * 2

    trace = record(Reserves(), torch.ones(100), budget=0)
    with pytest.raises(UserError, match=r"torch\.empty only reserves memory"):
        trace["space"].outputs[0].array  # noqa: B018
    assert trace["space#2"].outputs[0].array.tolist() == [1.0] * 100
