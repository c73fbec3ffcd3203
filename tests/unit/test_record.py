"""Recording changes nothing, loses nothing, and mixes nothing up."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.explain import explain
from lmviz.model.checkpoint import load
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.trace.recorder import record

X = torch.arange(6.0).reshape(2, 3)


class Model(nn.Module):
    """A model whose forward is `function(module, x)`."""

    def __init__(self, function: Callable[..., Any], **parts: nn.Module | Tensor) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, nn.Module | nn.Parameter):
                setattr(self, name, part)
            else:
                self.register_buffer(name, part)

    def forward(self, x: Tensor, **kwargs: Any) -> Any:
        return self.function(self, x, **kwargs)


def gpt2(**sizes: Any) -> GPT2:
    torch.manual_seed(0)
    sizes = {"d_vocab": 11, "n_ctx": 9, "n_layers": 2, "d_model": 8, "n_heads": 2, "d_mlp": 16, **sizes}
    return GPT2(GPT2Config(**sizes)).eval()


IDS = torch.tensor([[1, 5, 2, 7]])


# -- nothing changes ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode", [torch.no_grad, torch.enable_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_outputs_are_bit_identical(mode: Callable[[], AbstractContextManager[Any]], dtype: torch.dtype) -> None:
    model = gpt2().to(dtype)
    with mode():
        plain = model(IDS)
        trace = record(model, IDS)
        small = record(model, IDS, budget=0)
    for recorded in (trace, small):
        assert torch.equal(plain, recorded.output)
        assert plain.dtype == recorded.output.dtype
        assert plain.requires_grad == recorded.output.requires_grad
        expected = plain.detach().float() if plain.dtype is torch.bfloat16 else plain.detach()
        assert np.array_equal(recorded["logits"].outputs[0].array, expected.numpy())


def test_the_global_stream_of_random_numbers_is_untouched() -> None:
    model = gpt2(dropout=0.5).train()
    before = torch.get_rng_state()
    record(model, IDS).steps  # noqa: B018
    record(Model(lambda m, x: x + torch.randn(3) + torch.rand_like(x) + x.clone().uniform_()), X, budget=0).steps  # noqa: B018
    assert torch.equal(before, torch.get_rng_state())


def test_dropout_is_that_of_the_plain_run_with_the_same_seed() -> None:
    model = gpt2(dropout=0.5).train()
    torch.manual_seed(3)
    plain = model(IDS)
    assert torch.equal(plain, record(model, IDS, seed=3).output)
    assert not torch.equal(plain, record(model, IDS, seed=4).output)


def test_every_kind_of_random_draw_is_that_of_the_plain_run() -> None:
    def draws(m: nn.Module, x: Tensor) -> Tensor:
        noise = torch.randn(3) + torch.randperm(3) + torch.multinomial(torch.ones(3), 3) + torch.empty(3).exponential_()
        noise = noise + F.rrelu(-x, training=True) + F.gumbel_softmax(x) + F.feature_alpha_dropout(x[None, None], 0.5)
        return noise + torch.normal(x, 1.0) + torch.bernoulli(torch.full((3,), 0.5)) + nn.init.trunc_normal_(x.clone())

    torch.manual_seed(0)
    plain = draws(nn.Module(), X)
    state = torch.get_rng_state()
    assert torch.equal(record(Model(draws), X).output, plain)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_call_twice_gives_the_same_trace() -> None:
    model = gpt2(dropout=0.5).train()
    first, second = record(model, IDS), record(model, IDS)
    assert [step.address for step in first] == [step.address for step in second]
    for a, b in zip(first, second, strict=True):
        assert all(np.array_equal(x.array, y.array) for x, y in zip(a.outputs, b.outputs, strict=True))


def test_a_generator_of_the_models_own_is_left_to_it() -> None:
    plain = torch.rand(3, generator=torch.Generator().manual_seed(5))
    own = torch.Generator().manual_seed(5)
    assert torch.equal(record(Model(lambda m, x: torch.rand(3, generator=own)), X).output, plain)


@pytest.mark.slow
def test_two_threads_do_not_mix() -> None:
    model = gpt2(dropout=0.5).train()
    inputs = [torch.tensor([[i, i + 1, 3]]) for i in range(8)]
    alone = [record(model, ids, seed=i) for i, ids in enumerate(inputs)]
    found: dict[int, list[Any]] = {}

    def work(i: int) -> None:
        found[i] = [record(model, inputs[i], seed=i) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, traces in found.items():
        for trace in traces:
            assert torch.equal(trace.output, alone[i].output)
            assert [s.address for s in trace] == [s.address for s in alone[i]]
            assert np.array_equal(trace["blocks.1.attn.pattern"].outputs[0].array, _pattern(alone[i]))


def _pattern(trace: Any) -> Any:
    return trace["blocks.1.attn.pattern"].outputs[0].array


def test_a_thread_beside_a_recording_is_not_recorded() -> None:
    def beside(m: nn.Module, x: Tensor) -> Tensor:
        thread = threading.Thread(target=lambda: x.exp())
        thread.start()
        thread.join()
        return x.log()

    assert [step.op for step in record(Model(beside), X)] == ["log"]


@pytest.mark.nightly
def test_one_trace_may_be_read_by_many_threads_at_once() -> None:
    trace = record(gpt2(), IDS, budget=0)
    expected = [v.array.copy() for step in record(gpt2(), IDS) for v in step.outputs]
    wrong: list[int] = []

    def read() -> None:
        found = [v.array for step in trace for v in step.outputs]
        wrong.extend(i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if not np.array_equal(a, b))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# -- in place ----------------------------------------------------------------------------------------------------------


def before_and_after(function: Callable[..., Any]) -> Iterator[tuple[str, list[Any], list[Any]]]:
    trace = record(Model(function), X.clone())
    assert trace.failure is None
    for step in trace:
        yield step.op, [v.array.tolist() for v in step.inputs], [v.array.tolist() for v in step.outputs]


def test_an_operation_in_place_keeps_the_value_from_before() -> None:
    def steps(m: nn.Module, x: Tensor) -> Tensor:
        y = x * 1
        y += 1
        y[0] = -1
        F.relu(y, inplace=True)
        y.mul_(2)
        torch.add(y, 1, out=y)
        return y

    found = [*before_and_after(steps)]
    assert found == [
        ("mul", [[[0, 1, 2], [3, 4, 5]]], [[[0, 1, 2], [3, 4, 5]]]),
        ("add", [[[0, 1, 2], [3, 4, 5]]], [[[1, 2, 3], [4, 5, 6]]]),
        ("setitem", [[[1, 2, 3], [4, 5, 6]]], [[[-1, -1, -1], [4, 5, 6]]]),
        ("relu", [[[-1, -1, -1], [4, 5, 6]]], [[[0, 0, 0], [4, 5, 6]]]),
        ("mul", [[[0, 0, 0], [4, 5, 6]]], [[[0, 0, 0], [8, 10, 12]]]),
        ("add", [[[0, 0, 0], [8, 10, 12]], [[0, 0, 0], [8, 10, 12]]], [[[1, 1, 1], [9, 11, 13]]]),
    ]


def test_an_input_that_the_model_overwrites_keeps_its_value() -> None:
    trace = record(Model(lambda m, x: x.add_(1)), X.clone())
    assert trace.inputs[0].array.tolist() == X.tolist()
    assert trace["add"].outputs[0].array.tolist() == (X + 1).tolist()


def test_views_of_what_is_overwritten_keep_their_value() -> None:
    def steps(m: nn.Module, x: Tensor) -> Tensor:
        base = x * 1
        row = base[0]
        flat = base.flatten()
        base.zero_()
        return row + flat[:3]

    trace = record(Model(steps), X)
    assert trace["base"].outputs[0].array.tolist() == X.tolist()
    assert trace["row"].outputs[0].array.tolist() == [0, 1, 2]
    assert trace["flat"].outputs[0].array.tolist() == [0, 1, 2, 3, 4, 5]
    assert trace["base#2"].outputs[0].array.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_what_was_overwritten_through_a_view_is_a_new_value_with_its_old_name() -> None:
    def steps(m: nn.Module, x: Tensor) -> Tensor:
        base = x * 1
        row = base[0]
        row += 10
        out = base * 2
        return out

    trace = record(Model(steps), X)
    read = trace["out"].inputs[0]
    assert (read.name, read.address, read.role) == ("base", "base#2", "activation")
    assert read.array.tolist() == [[10, 11, 12], [3, 4, 5]]
    assert trace["base"].outputs[0].array.tolist() == X.tolist()
    assert trace["base#2"] is trace["row#2"]


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: x.mul_(-1),
        lambda m, x: F.relu(-x, inplace=True),
        lambda m, x: F.leaky_relu(-x, 0.1, True),
        lambda m, x: nn.Hardswish(inplace=True)(-x),
        lambda m, x: F.dropout(-x, 0.5, training=True, inplace=True),
    ],
)
def test_a_step_says_that_it_is_in_place(forward: Callable[..., Any]) -> None:
    step = record(Model(forward), X.clone())[-1]
    assert step.in_place
    assert step.inputs[0].array.tolist() != step.outputs[0].array.tolist()


def test_calls_in_place_may_be_chained() -> None:
    trace = record(Model(lambda m, x: x.mul(1).add_(1).mul_(2).relu_().sub_(1)), X - 3)
    assert [value.array[0].tolist() for step in trace for value in step.outputs] == [
        *([-3, -2, -1], [-2, -1, 0], [-4, -2, 0], [0, 0, 0], [-1, -1, -1])
    ]
    assert [value.address for step in trace[1:] for value in step.inputs] == ["mul", "add", "mul#2", "relu"]


def test_a_layer_that_updates_its_own_averages_keeps_those_from_before() -> None:
    model = nn.BatchNorm1d(3).train()
    trace = record(model, X)
    assert trace.failure is None
    assert trace.weights["running_mean"].array.tolist() == [0, 0, 0]
    assert model.running_mean is not None
    assert model.running_mean.tolist() != [0, 0, 0]
    twin = nn.BatchNorm1d(3).train()
    assert torch.equal(twin(X), trace.output)
    assert torch.equal(twin.running_mean, model.running_mean)  # type: ignore[arg-type]


def test_what_an_initialiser_overwrites_is_kept_as_it_was() -> None:
    def steps(m: nn.Module, x: Tensor) -> Tensor:
        weight = x * 3
        nn.init.uniform_(weight, 5, 6)
        return weight

    trace = record(Model(steps), X)
    before, drawn = trace[0].outputs[0], trace[1].outputs[0]
    assert np.array_equal(before.array, X * 3)
    assert drawn.array.min() >= 5


def test_lists_that_change_after_the_call_are_recorded_as_they_were() -> None:
    def steps(m: nn.Module, x: Tensor) -> Tensor:
        rows = [x, x]
        both = torch.cat(rows)
        rows.append(x)
        rows[0] = x * 5
        return both + torch.cat(rows)[:4]

    trace = record(Model(steps), X)
    dims = [0]
    total = record(Model(lambda m, x: (torch.sum(x, dim=dims), dims.append(1))[0]), X)
    assert dims == [0, 1] and total[-1].settings == {"dim": [0]}
    assert [v.shape for v in trace["both"].inputs] == [(2, 3), (2, 3)]
    assert [v.address for v in trace["both"].inputs] == ["x", "x"]


# -- weights that change afterwards ------------------------------------------------------------------------------------


@pytest.mark.parametrize("look_first", [False, True])
def test_a_weight_that_was_changed_in_place_does_not_pass_for_the_recorded_one(look_first: bool) -> None:
    model = nn.Linear(3, 2)
    trace = record(model, X)
    if look_first:
        trace.steps  # noqa: B018
    with torch.no_grad():
        model.weight.add_(1)
    with pytest.raises(UserError, match="record again"):
        trace.weights["weight"].array  # noqa: B018
    assert trace.weights["bias"].array.shape == (2,)
    assert trace["linear"].outputs[0].array.shape == (2, 2)


@pytest.mark.parametrize("look_first", [False, True])
def test_weights_that_were_put_elsewhere_do_not_pass_for_the_recorded_ones(look_first: bool) -> None:
    model = nn.Linear(3, 2)
    before = model.weight.detach().numpy().copy()
    trace = record(model, X)
    if look_first:
        trace.steps  # noqa: B018
    model.half()
    try:
        found = trace.weights["weight"].array
    except UserError:
        assert not look_first
    else:
        assert np.array_equal(found, before)


def test_an_input_or_output_that_was_changed_afterwards_does_not_pass_for_the_recorded_one() -> None:
    x = X.clone()
    trace = record(Model(lambda m, x: x * 2), x)
    x.zero_()
    trace.output.zero_()
    for value in (trace.inputs[0], trace["mul"].outputs[0]):
        with pytest.raises(UserError, match="record again"):
            value.array  # noqa: B018


def test_arrays_can_not_be_written_to() -> None:
    array = record(Model(lambda m, x: x * 2), X)["mul"].outputs[0].array
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


# -- models that raise -------------------------------------------------------------------------------------------------


def test_a_model_that_raises_inside_torch_is_recorded_up_to_there() -> None:
    def steps(m: nn.Module, x: Tensor) -> Tensor:
        y = x * 2
        z = y @ x
        return z + 1

    trace = record(Model(steps), X)
    assert [step.op for step in trace] == ["mul", "matmul"]
    failure = trace.failure
    assert failure is not None
    assert failure.step == trace[-1].index
    assert "RuntimeError: mat1 and mat2 shapes cannot be multiplied" in str(failure)
    assert trace[-1].error == str(failure)
    assert trace[-1].outputs == ()
    assert [v.address for v in trace[-1].inputs] == ["y", "x"]
    assert failure.span is not None
    assert failure.span.text == "y @ x"
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        trace.output  # noqa: B018


def test_a_model_that_raises_in_python_is_recorded_up_to_there() -> None:
    def steps(m: nn.Module, x: Tensor) -> Tensor:
        y = x * 2
        return [y][1]

    trace = record(Model(steps), X)
    assert [step.op for step in trace] == ["mul"]
    assert trace.failure is not None
    assert trace.failure.step is None
    assert trace.failure.span is not None
    assert trace.failure.span.text == "[y][1]"
    assert str(trace.failure) == "IndexError: list index out of range"
    assert not any(step.error for step in trace)


def test_an_error_that_the_model_handles_is_no_failure() -> None:
    def steps(m: nn.Module, x: Tensor) -> Tensor:
        try:
            return x @ x
        except RuntimeError:
            return x @ x.T

    trace = record(Model(steps), X)
    assert trace.failure is None
    assert [bool(step.error) for step in trace] == [True, False, False]
    assert trace.output.shape == (2, 2)


def test_a_failure_after_one_that_was_handled_is_told_apart() -> None:
    def steps(m: nn.Module, x: Tensor) -> Tensor:
        with suppress(RuntimeError):
            x @ x
        return x.view(7)

    trace = record(Model(steps), X)
    assert trace.failure is not None
    assert trace.failure.step == 1
    assert trace[1].op == "view"


def test_a_failure_holds_on_to_no_tensors() -> None:
    class Holder:
        pass

    seen: list[weakref.ref[Holder]] = []

    def steps(m: nn.Module, x: Tensor) -> Tensor:
        holder = Holder()
        seen.append(weakref.ref(holder))
        raise ValueError("halfway")

    trace = record(Model(steps), X)
    assert trace.failure is not None
    assert seen[0]() is None


# -- kinds of tensors --------------------------------------------------------------------------------------------------


def test_tensors_without_numbers_say_so() -> None:
    trace = record(gpt2().to("meta"), IDS.to("meta"))
    assert trace.failure is None
    assert trace["logits"].outputs[0].shape == (1, 4, 11)
    with pytest.raises(UserError, match="shape but no numbers"):
        trace["logits"].outputs[0].array  # noqa: B018


@pytest.mark.parametrize(
    "x", [torch.tensor(2.0), torch.empty(0, 3), torch.tensor([1 + 2j]), torch.tensor([True]), torch.tensor([3])]
)
def test_every_kind_of_number_and_shape_is_recorded(x: Tensor) -> None:
    for budget in (0, 1 << 20):
        trace = record(Model(lambda m, x: (x * 1).conj().clone()), x, budget=budget)
        assert trace.failure is None
        assert np.array_equal(trace["clone"].outputs[0].array, x.conj().resolve_conj().numpy())
        assert trace["mul"].outputs[0].shape == tuple(x.shape)


def test_sparse_tensors_are_shown_dense() -> None:
    trace = record(Model(lambda m, x: torch.sparse.mm(x.to_sparse(), x.T)), X)
    assert trace.failure is None
    assert np.array_equal(trace["to_sparse"].outputs[0].array, X.numpy())


def test_tensors_of_a_class_of_their_own_are_recorded() -> None:
    class Own(Tensor):
        pass

    x = X.as_subclass(Own)
    trace = record(Model(lambda m, x: x * 2), x)
    assert type(trace.output) is Own
    assert trace["mul"].outputs[0].array.tolist() == (X * 2).tolist()


@pytest.mark.parametrize("budget", [0, 10**6])
def test_inside_vmap_the_numbers_are_those_of_the_first(budget: int) -> None:
    def one(row: Tensor, column: Tensor) -> Tensor:
        return (row * column).sum() + torch.func.grad(lambda x: (x**3).sum())(row).sum()

    def forward(m: Any, x: Tensor) -> Tensor:
        return torch.func.vmap(torch.func.vmap(one, in_dims=(None, 1)), in_dims=(0, None))(x, x.mT)

    trace = record(Model(forward), X, budget=budget)
    assert trace.failure is None
    assert torch.equal(trace.output, forward(None, X))
    assert trace["mul"].outputs[0].array.tolist() == (X[0] * X[0]).tolist()
    assert trace["pow"].outputs[0].array.tolist() == (X[0] ** 3).tolist()
    assert explain(trace["mul"], (2,)).value == X[0, 2] ** 2
    assert trace["mul"].outputs[0].several and not trace.inputs[0].several


def test_a_custom_function_with_its_own_backward_is_recorded() -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return grad * 2

    trace = record(Model(lambda m, x: Double.apply(x) + 1), X)
    assert [step.op for step in trace] == ["mul", "add"]
    assert torch.equal(trace.output, X * 2 + 1)


def test_a_scripted_part_runs_as_it_does() -> None:
    lstm = nn.LSTM(3, 4, batch_first=True)
    x = torch.ones(1, 2, 3)
    trace = record(lstm, x)
    assert trace.failure is None
    assert torch.equal(trace.output[0], lstm(x)[0])
    assert next(step.op for step in trace if step.opened is None and len(step.outputs) == 3) == "lstm"


# -- a trace that continues another ------------------------------------------------------------------------------------


class Readout(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        scaled = logits / 0.5
        probs = F.softmax(scaled, dim=-1)
        return probs


@pytest.mark.parametrize("budget", [1 << 30, 0])
def test_a_second_model_continues_a_trace(budget: int) -> None:
    first = record(gpt2(), IDS, budget=budget)
    both = record(Readout(), first.output, follows=first, prefix="readout", budget=budget)
    assert [s.address for s in both][: len(first)] == [s.address for s in first]
    assert [s.index for s in both] == list(range(len(both)))
    assert both["readout.scaled"].inputs[0].address == "logits"
    assert both["readout.scaled"].inputs[0].role == "activation"
    assert both["readout.probs"].span.text == "F.softmax(scaled, dim=-1)"
    assert torch.equal(both.output, F.softmax(first.output / 0.5, dim=-1))
    assert np.array_equal(both["readout.probs"].outputs[0].array, both.output.detach().numpy())
    assert np.array_equal(both["logits"].outputs[0].array, first.output.detach().numpy())
    again = record(Readout(), both.output, follows=both, prefix="readout")
    assert again["readout.scaled#2"].inputs[0].address == "readout.probs"


# -- nothing stays behind ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("budget", "look"), [(1 << 30, False), (1 << 30, True), (0, True)])
def test_a_trace_goes_with_its_last_user(budget: int, look: bool) -> None:
    """At once, and not when the garbage collector comes by: a trace may hold much memory."""
    gc.collect()
    gc.disable()
    try:
        model = gpt2()
        trace = record(model, IDS, budget=budget)
        if look:
            [value.array for step in trace for value in (*step.inputs, *step.outputs)]
        recorder = weakref.ref(trace.segments[0].recorder)
        tensor = weakref.ref(trace.output)
        del trace
        assert recorder() is None
        assert tensor() is None
    finally:
        gc.enable()


def test_a_model_is_as_before() -> None:
    model = gpt2()
    before = copy.deepcopy(model.__dict__)
    record(model, IDS).steps  # noqa: B018
    assert model.__dict__.keys() == before.keys()
    assert not model._forward_hooks
    assert torch.overrides.has_torch_function is torch._C._has_torch_function


def test_what_is_no_model_is_a_sentence_and_no_empty_trace() -> None:
    for given in (load("small-ever"), None, "names", 3):
        with pytest.raises(UserError, match=f"or a function; it is {type(given).__name__}"):
            record(given)  # type: ignore[arg-type]
