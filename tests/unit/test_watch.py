"""A training loop of one's own is recorded, learns what it would have learned, and stops where a condition holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lmviz
import lmviz.attach.show as showing
from lmviz.errors import UserError
from lmviz.explain.backward import explain_gradient
from lmviz.registry.attached import Attached, attached, detach
from lmviz.registry.edits import CellEdit
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from lmviz.trace.step import Step


class Net(nn.Module):
    """With dropout, a buffer that it writes to, and a weight that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.seen += x.detach().mean(0)
        hidden = self.drop(self.layer(x))  # [batch, width]
        out = self.layer(hidden.relu())
        return {"out": out}


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is shown is attached; no server starts."""
    monkeypatch.setattr(showing._SERVER, "port", 8501)
    before = {one.name for one in attached()}
    yield []
    for one in attached():
        if one.name not in before:
            detach(one.name)


def train(steps: int = 6, watched: dict[str, Any] | None = None, inside: Callable[[], None] = lambda: None) -> Any:
    """The trained model, and the run if it was watched."""
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)

    def loop() -> None:
        inside()
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.randn(3, 4))["out"].pow(2).mean().backward()
            optimizer.step()
            with torch.no_grad():  # an evaluation
                model(torch.ones(1, 4))

    if watched is None:
        loop()
        return model, None
    with lmviz.watch(model, browser=False, **watched) as run:
        loop()
    return model, run


@pytest.mark.parametrize("how", [{}, {"every": 2}, {"memory": 3000}])
def test_watching_changes_nothing_of_what_is_learned(how: dict[str, int]) -> None:
    plain, after = train()[0].state_dict(), torch.rand(1)
    watched, later = train(watched=how)[0].state_dict(), torch.rand(1)
    assert all(torch.equal(plain[name], watched[name]) for name in plain) and torch.equal(after, later)


def test_every_recording_has_the_numbers_of_its_own_step() -> None:
    """Weights, inputs, and gradients too, though the loop has overwritten them all since."""
    _, run = train(watched={})
    assert run.steps == tuple(range(6)) and len(run) == 6 and len(run[1:3]) == 2
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for trace in run:
        optimizer.zero_grad()
        x = torch.randn(3, 4)
        for path in ("layer.weight", "layer.bias"):
            np.testing.assert_array_equal(trace.weights[path].array, model.get_parameter(path).detach())
        np.testing.assert_array_equal(trace["layer"].inputs[0].array, x)
        out = model(x)["out"]
        out.retain_grad()
        out.pow(2).mean().backward()
        np.testing.assert_array_equal(trace["out"].outputs[0].array, out.detach())
        np.testing.assert_array_equal(trace["out"].outputs[0].grad, out.grad)
        np.testing.assert_allclose(trace.weights["layer.weight"].grad, model.layer.weight.grad, rtol=1e-6)
        why = explain_gradient(trace, "layer", (0, 0))
        assert why.value == pytest.approx(trace["layer"].outputs[0].grad[0, 0], rel=1e-5, abs=1e-7)
        last = explain_gradient(trace, "out", (0, 0))
        assert not last.known and last.value == trace["out"].outputs[0].grad[0, 0]  # the loss is outside
        optimizer.step()
        with torch.no_grad():
            model(torch.ones(1, 4))


def test_the_budget_holds_and_what_is_left_is_evenly_spread() -> None:
    _, run = train(steps=40, watched={"memory": 6000})
    assert 0 < run.n_bytes <= 6000 and len(run) > 1 and run.every > 1
    assert {b - a for a, b in zip(run.steps, run.steps[1:], strict=False)} == {run.every}
    assert re.fullmatch(r"<\d recordings of Net, passes \[0, .*\]>", repr(run))


def test_any_of_them_opens_in_the_app_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    _, run = train(watched={})
    assert run.show(2) is run[2]
    link = capsys.readouterr().out
    assert re.search(r"model=attached/Net@1$", link.strip())
    run.show(4)
    models, name = Models(), re.search(r"attached/([\w-]+)", link)[1]  # type: ignore[index]
    for number, index in ((1, 2), (2, 4)):
        shown = models.record(Request(Attached(name, number), "")).trace
        np.testing.assert_array_equal(shown["out"].outputs[0].array, run[index]["out"].outputs[0].array)
    with pytest.raises(UserError, match="training is over"):
        models.record(Request(Attached(name, 1), "", edits=(CellEdit("out", (0, 0), 1.0),)))


def stops_at(condition: Callable[[Step], object]) -> Any:
    return train(watched={}, inside=lambda: lmviz.breakpoint_if(condition))[1]


def test_a_run_stops_at_the_first_step_where_a_condition_holds(capsys: pytest.CaptureFixture[str]) -> None:
    run = stops_at(lambda step: step.op == "relu")
    assert run.steps == (0,) and run.stopped_at.address == run[0][run.stopped_at.index].address
    assert "&step=relu" in capsys.readouterr().out or run.stopped_at.op == "relu"
    late = stops_at(lambda step: step.outputs[0].grad is not None and step.address == "out")
    assert late.steps == (0,) and late.stopped_at.address == "out"
    assert stops_at(lambda step: False).stopped_at is None


def test_a_condition_needs_a_run_that_is_watched() -> None:
    with pytest.raises(UserError, match="inside"):
        lmviz.breakpoint_if(lambda step: True)


def test_an_error_of_the_loop_comes_out_and_the_model_is_as_before() -> None:
    model = Net()

    def loop(run: lmviz.Run) -> None:
        with run:
            model(torch.ones(1, 4))["out"].sum().backward()
            model(torch.ones(1, 3))

    run = lmviz.watch(model, browser=False)
    with pytest.raises(RuntimeError, match="must match"):
        loop(run)
    assert run.steps == (0, 1) and run[-1].failure is not None and run[-1].failure.step is not None
    assert run[0]["out"].outputs[0].grad is not None and "__call__" not in Net.__dict__


@pytest.mark.parametrize("wrong", [{"every": 0}, {"memory": 0}])
def test_wrong_use_is_told(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match="at least 1"):
        lmviz.watch(Net(), **wrong)
    with pytest.raises(UserError, match=r"torch\.nn\.Module"):
        lmviz.watch(torch.relu)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no recording"):
        lmviz.watch(Net()).show()


def test_what_is_in_memory_is_shown_and_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    trace = lmviz.show(nn.Embedding(3, 3), torch.tensor([[0, 2]]), tokenizer="abc", browser=False)
    assert trace["readout.probs"].outputs[0].shape == (1, 2, 3)
    again = lmviz.show(nn.Embedding(3, 3), torch.tensor([[0, 2]]), browser=False)
    assert again.failure is None
    first, second = re.findall(r"attached/([\w-]+)", capsys.readouterr().out)
    assert first != second
    run = Models().record(Request(Attached(first), "", edits=(CellEdit("weight", (0, 0), 9.0),)))
    assert run.tokens.text == "ac" and run.trace.weights["weight"].array[0, 0] == 9
    broken = lmviz.show(nn.Linear(2, 2), torch.ones(1, 3), name="a b/c", browser=False)
    assert broken.failure is not None and "attached/a-b-c&step=" in capsys.readouterr().out
