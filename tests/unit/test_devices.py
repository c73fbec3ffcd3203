"""Where a model runs: what is asked for is there or is refused, and a recording is read wherever it was made."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lmviz
from lmviz.devices import DEVICES, device_of, moved, on_device
from lmviz.errors import UserError
from tests.zoo import nanogpt_like

IDS = torch.tensor([[1, 2, 3, 4]])


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_device_that_is_here_is_used(device: str) -> None:
    model = nn.Linear(2, 2)
    trace = lmviz.record(model, torch.ones(1, 2), device=device)
    np.testing.assert_allclose(trace[0].outputs[0].array, model(torch.ones(1, 2)).detach(), rtol=1e-5)
    checkpoint = lmviz.load("small-ever", device=device)
    assert next(checkpoint.model.parameters()).device == device_of(device)


@pytest.mark.parametrize(
    "device", ["gpu", "tpu", "cpu:x", "cuda:99", "", *(d for d in DEVICES if d in ("cuda", "mps"))]
)
def test_a_device_that_is_not_here_is_refused_in_a_sentence(device: str) -> None:
    if device in ("cuda", "mps") and getattr(torch, device).is_available():
        pytest.skip(f"this machine has {device}")
    with pytest.raises(UserError, match="that this machine has: cpu"):
        device_of(device)


def test_a_model_elsewhere_is_copied_and_not_moved() -> None:
    model, there = nn.Linear(2, 2), torch.device("meta")
    assert on_device(model, there) is not model and model.weight.device.type == "cpu"
    assert on_device(model, torch.device("cpu")) is model and on_device(torch.relu, there) is torch.relu
    given = moved(({"x": [IDS]}, 3, "text"), there)
    assert given[0]["x"][0].device == there and given[1:] == (3, "text")


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        part = x[:, 1:]
        part.add_(1)
        x.mul_(2)
        return x.relu_()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card here")
def test_a_recording_of_a_graphics_card_is_read_on_the_cpu() -> None:
    torch.manual_seed(0)
    model = nanogpt_like.gpt(dropout=0.0).eval()

    def loss(logits: Tensor) -> Tensor:
        return logits.float().pow(2).mean()

    here, there = (lmviz.record(model, IDS, backward=loss, device=device) for device in ("cpu", "cuda"))
    assert next(model.parameters()).device.type == "cpu"
    for a, b in zip(here, there, strict=True):
        assert a.address == b.address
        for one, other in zip(a.outputs, b.outputs, strict=True):
            np.testing.assert_allclose(one.array, other.array, rtol=1e-3, atol=1e-4)
            if one.grad is not None and other.grad is not None:
                np.testing.assert_allclose(one.grad, other.grad, rtol=1e-3, atol=1e-4)
    on_card = model.cuda()
    small = lmviz.record(on_card, IDS.cuda(), budget=0)  # nothing is kept: all is computed again, there
    np.testing.assert_allclose(small[-1].outputs[0].array, here["lm_head"].outputs[0].array, rtol=1e-3, atol=1e-4)
    changed = lmviz.record(InPlace(), torch.arange(6.0).reshape(2, 3), device="cuda")
    assert changed[0].inputs[0].array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert changed[-1].outputs[0].array.tolist() == [[0, 4, 6], [6, 10, 12]]
    with lmviz.watch(on_card, browser=False) as run:
        loss(on_card(IDS.cuda())).backward()
    assert run[0].weights and all(value.grad is not None for value in run[0].weights.values())
