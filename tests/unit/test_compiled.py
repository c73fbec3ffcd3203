"""Models that were compiled, and parts that say of themselves that they are empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.trace.recorder import record

X = torch.arange(4.0)[None]


class Empty(nn.Module):
    """Has a length, as containers do, which is 0."""

    def __len__(self) -> int:
        return 0

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.l, self.part = nn.Linear(4, 4), Empty()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.l(x)
        return self.part(hidden)


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    torch._dynamo.reset()


def told(model: nn.Module) -> list[tuple[str, str, str]]:
    return [(step.op, step.address, step.span.text) for step in record(model, X)]


def test_a_module_that_says_that_it_is_empty_is_a_module(net: Net) -> None:
    trace = record(net, X)
    assert [call.class_name for call in trace.calls] == ["", "Net", "Empty"]


@pytest.mark.parametrize("was_called", [False, True])
def test_a_compiled_model_is_told_as_what_it_was_made_from(net: Net, was_called: bool) -> None:
    compiled = torch.compile(net, backend="eager")
    with torch.no_grad():
        if was_called:
            compiled(X)
        assert told(compiled) == told(net)
        assert torch.equal(record(compiled, X).output, net(X))
        edited = record(compiled, X, edits={"l.bias": torch.zeros_like})
        assert edited[0].outputs[0].array.tolist() == (X @ net.l.weight.T).tolist()


def test_a_compiled_part_is_told_as_what_it_was_made_from(net: Net) -> None:
    whole = nn.Sequential(net, nn.Linear(4, 2))
    part = nn.Sequential(torch.compile(net, backend="eager"), whole[1])
    with torch.no_grad():
        assert told(part) == told(whole)


def test_a_compiled_model_has_the_gradients_of_its_own_weights(net: Net) -> None:
    compiled = torch.compile(net, backend="eager")
    found = record(compiled, X, backward=torch.sum).weights["l.weight"].grad
    wanted = record(net, X, backward=torch.sum).weights["l.weight"].grad
    assert found is not None and found.tolist() == wanted.tolist()
    assert any(map(any, found.tolist()))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, X)], ids=["scripted", "traced"])
@pytest.mark.parametrize("is_part", [False, True])
def test_what_has_no_python_is_a_failure_that_says_so(make: object, is_part: bool) -> None:
    made = make(nn.Linear(4, 4))  # type: ignore[operator]
    trace = record(nn.Sequential(made, nn.ReLU()) if is_part else made, X)
    assert trace.failure is not None
    assert isinstance(trace.failure.exception, UserError)
    assert ("0 is TorchScript" if is_part else "this one is TorchScript") in str(trace.failure)
    assert len(trace) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_function_is_a_failure_too() -> None:
    trace = record(torch.jit.script(twice), X)
    assert trace.failure is not None and "TorchScript" in str(trace.failure)


def twice(x: Tensor) -> Tensor:
    return x + x
