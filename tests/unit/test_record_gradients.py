"""backward=: the gradient of every recorded value, equal to autograd's, beside the model's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.explain.backward import explain_gradient
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.trace.recorder import record

IDS = torch.tensor([[1, 5, 2, 7]])
TARGETS = torch.tensor([[5, 2, 7, 0]])


@pytest.fixture
def model() -> GPT2:
    torch.manual_seed(0)
    return GPT2(GPT2Config(d_vocab=11, n_ctx=9, n_layers=2, d_model=8, n_heads=2, d_mlp=16)).double()


def loss_of(logits: Tensor) -> Tensor:
    flat = logits.flatten(0, 1)
    loss = F.cross_entropy(flat, TARGETS.flatten())
    return loss


class Loss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.entropy = nn.CrossEntropyLoss()

    def forward(self, logits: Tensor) -> Tensor:
        return self.entropy(logits.flatten(0, 1), TARGETS.flatten())


def test_gradients_of_weights_are_autograds_and_the_models_own_are_untouched(model: GPT2) -> None:
    trace = record(model, IDS, backward=loss_of)
    assert all(p.grad is None for p in model.parameters())
    loss = loss_of(model(IDS))
    loss.backward()
    assert trace.loss == loss.item()
    own = dict(model.named_parameters(remove_duplicate=False))
    for path, value in trace.weights.items():
        if path in own:
            assert np.array_equal(value.grad, own[path].grad), path
    assert trace.weights["blocks.0.attn.causal"].grad is None


def test_gradients_of_activations_are_those_that_autograd_retains() -> None:
    kept: dict[str, Tensor] = {}

    class Keeps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for name, make in {
                "a": lambda: x * 2,
                "b": lambda: kept["a"].exp(),
                "c": lambda: kept["b"].transpose(0, 1),
                "d": lambda: (kept["c"] @ kept["a"]).relu(),
                "unused": lambda: kept["d"] * 2,
            }.items():
                kept[name] = make()
                if kept[name].requires_grad:
                    kept[name].retain_grad()
            out = kept["d"] + kept["c"].sum()
            return out

    x = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3).requires_grad_()
    trace = record(Keeps(), x, backward=lambda out: out.pow(2).mean())
    values = [value for step in trace for value in step.outputs]
    kept.clear()
    Keeps()(x).pow(2).mean().backward()
    for name in "abcd":
        grad = kept[name].grad
        assert grad is not None
        same = [v for v in values if v.shape == tuple(grad.shape) and np.array_equal(v.array, kept[name].detach())]
        assert np.allclose(same[0].grad, grad, rtol=1e-12), name
    unused = next(v for v in values if np.array_equal(v.array, kept["unused"].detach()))
    assert unused.grad is None
    assert np.allclose(trace.inputs[0].grad, x.grad, rtol=1e-12)


def test_the_value_from_before_an_operation_in_place_has_a_gradient_of_its_own() -> None:
    class InPlace(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 3
            row = y[0]
            y.mul_(2)
            row.mul_(5)
            return y * y

    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    trace = record(InPlace(), x, backward=lambda out: out.sum())
    z = torch.tensor([[30.0, 60.0], [18.0, 24.0]])  # y at the end
    factor = torch.tensor([[10.0], [2.0]])  # what the two operations in place multiplied by
    assert np.array_equal(trace["y"].outputs[0].array, [[3, 6], [9, 12]])
    assert np.array_equal(trace["y"].outputs[0].grad, 2 * z * factor)
    assert np.array_equal(trace.inputs[0].grad, 2 * z * factor * 3)


def test_gradients_of_what_was_overwritten_are_explained() -> None:
    w = torch.tensor([2.0, -3.0], dtype=torch.float64, requires_grad=True)

    def overwrites(x: Tensor) -> Tensor:
        y = x * w
        y += 1
        y *= 2
        F.leaky_relu(y, 0.25, inplace=True)
        return y

    trace = record(overwrites, torch.ones(2, dtype=torch.float64), backward=lambda out: out.sum())
    for address, expected in {"y": [2, 0.5], "y#2": [2, 0.5], "y#3": [1, 0.25]}.items():
        assert [explain_gradient(trace, address, (i,)).value for i in range(2)] == expected, address
        assert np.array_equal(trace[address].outputs[0].grad, expected), address


def test_gradients_that_autograd_cannot_compute_are_a_failure_at_no_step() -> None:
    def overwrites_what_exp_needs(x: Tensor) -> Tensor:
        y = x.exp()
        y += 1
        return y

    trace = record(overwrites_what_exp_needs, torch.ones(2, requires_grad=True), backward=lambda out: out.sum())
    assert trace.failure is not None
    assert trace.failure.step is None
    assert "modified by an inplace operation" in str(trace.failure)
    assert [step.op for step in trace] == ["exp", "add", "sum"]
    assert np.allclose(trace["y#2"].outputs[0].array, np.e + 1)


@pytest.mark.parametrize(
    "backward", [loss_of, lambda logits: loss_of(logits), Loss()], ids=["function", "lambda", "module"]
)
def test_the_loss_is_recorded_with_its_source_under_its_own_prefix(model: GPT2, backward: nn.Module) -> None:
    trace = record(model, IDS, backward=backward)
    own = [step for step in trace if step.module.split(".")[0] == "loss"]
    assert [step.op for step in own] == ["flatten", "flatten", "cross_entropy"]
    assert own == list(trace[-3:])
    assert all(step.address.startswith("loss") for step in own)
    assert own[-1].span.text in (
        "F.cross_entropy(flat, TARGETS.flatten())",
        "self.entropy(logits.flatten(0, 1), TARGETS.flatten())",
    )
    assert own[0].inputs[0].address == "logits"
    assert trace["loss"] is own[-1]
    assert own[-1].outputs[0].grad == 1
    assert trace.loss == own[-1].outputs[0].array
    assert torch.equal(trace.output, model(IDS))


def test_the_loss_may_have_weights(model: GPT2) -> None:
    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

        def forward(self, logits: Tensor) -> Tensor:
            loss = logits.sum() * self.weight
            return loss

    backward = Weighted()
    trace = record(model, IDS, backward=backward)
    assert trace.weights["loss.weight"].grad == pytest.approx(trace.output.sum().item())
    assert backward.weight.grad is None


def test_gradients_are_there_in_spite_of_no_grad_and_inference_mode(model: GPT2) -> None:
    expected = record(model, IDS, backward=loss_of)["blocks.0.attn.pattern"].outputs[0].grad
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            trace = record(model, IDS, backward=loss_of)
        assert np.array_equal(trace["blocks.0.attn.pattern"].outputs[0].grad, expected)


def test_without_backward_there_are_no_gradients(model: GPT2) -> None:
    trace = record(model, IDS)
    assert trace.loss is None
    assert all(value.grad is None for step in trace for value in step.outputs)


@pytest.mark.parametrize(
    ("backward", "found"), [(lambda out: out, r"a tensor of shape \[1, 4, 11\]"), (lambda out: 1.0, "float")]
)
def test_a_loss_must_be_one_number(model: GPT2, backward: nn.Module, found: str) -> None:
    with pytest.raises(UserError, match=f"must return one number, the loss, as a tensor; it returned {found}"):
        record(model, IDS, backward=backward)


def test_a_loss_that_raises_is_a_failure_at_its_step(model: GPT2) -> None:
    trace = record(model, IDS, backward=lambda out: out @ out)
    assert trace.failure is not None
    assert trace.failure.step == trace[-1].index
    assert trace[-1].module == "loss"
    assert trace["logits"].outputs[0].array.shape == (1, 4, 11)
    with pytest.raises(RuntimeError):
        trace.output  # noqa: B018


def test_a_model_that_raises_has_no_loss(model: GPT2) -> None:
    trace = record(model, torch.tensor([[99]]), backward=loss_of)
    assert trace.failure is not None
    assert trace.loss is None


def test_an_edited_value_has_a_gradient_and_what_led_to_it_has_none(model: GPT2) -> None:
    edits = {"blocks.1.x_mid": lambda x: x * 0.5}
    trace = record(model, IDS, edits=edits, backward=loss_of)
    assert trace["blocks.1.x_mid"].outputs[0].grad is not None
    assert trace["blocks.1.mlp.hidden"].outputs[0].grad is not None
    assert trace["blocks.1.attn.pattern"].outputs[0].grad is None
    assert trace["blocks.0.x_mid"].outputs[0].grad is None


def test_what_led_to_one_of_several_edited_outputs_only_has_the_gradient_of_the_others() -> None:
    def halves(x: Tensor) -> Tensor:
        y = x * 3
        low, high = y.chunk(2)
        return low.sum() + 5 * high.sum()

    trace = record(halves, torch.ones(2, requires_grad=True), backward=lambda out: out, edits={"low": lambda t: t + 1})
    assert [value.edited for value in trace["low"].outputs] == [True, False]
    assert np.array_equal(trace["y"].outputs[0].grad, [0, 5])
    assert [explain_gradient(trace, "y", (i,)).value for i in range(2)] == [0, 5]


def test_the_graph_is_let_go(model: GPT2) -> None:
    trace = record(model, IDS, backward=loss_of)
    slots = [slot for segment in trace.segments for slot in segment.recorder.memory.handles]
    assert slots
    assert all(slot.edge is None for slot in slots)
    assert not any(slot.kept.requires_grad for slot in slots if slot.kept is not None)


def test_a_trace_that_is_followed_keeps_its_loss_and_its_gradients_can_be_explained(model: GPT2) -> None:
    trace = record(model, IDS, backward=loss_of)
    followed = record(nn.Softmax(-1), trace.output.detach(), follows=trace, prefix="readout")
    assert followed.loss == trace.loss
    why = explain_gradient(followed, "blocks.1.mlp.hidden", (0, 1, 2))
    assert why.value == pytest.approx(trace["blocks.1.mlp.hidden"].outputs[0].grad[0, 1, 2], rel=1e-9)


class LooksWithoutGradients(nn.Module):
    """Looks at its own weight where gradients are off: a view there says that it requires one."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3))

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            turned = self.weight.t()
            aim = x @ turned
        return (x @ self.weight - aim).square().sum()


def test_a_view_that_was_made_where_gradients_are_off_has_none() -> None:
    trace = record(LooksWithoutGradients(), torch.ones(2, 3), backward=lambda loss: loss)
    assert trace.failure is None
    assert trace["turned"].outputs[0].grad is None and trace["aim"].outputs[0].grad is None
    grad = trace.value("weight").grad
    assert grad is not None and grad.shape == (3, 3)
