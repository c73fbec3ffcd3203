"""Recurrent networks are opened into their positions, beside the real call, whose output stands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lmviz.explain import explain, explain_gradient
from lmviz.trace.recorder import record
from lmviz.trace.replay.fused_calls import MAX_POSITIONS
from lmviz.trace.step import Step, Trace

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")

KINDS = [
    nn.LSTM(4, 3),
    nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True, bias=False),
    nn.LSTM(4, 3, num_layers=2, proj_size=2),
    nn.GRU(4, 3, bidirectional=True),
    nn.GRU(4, 3, num_layers=2, batch_first=True),
    nn.RNN(4, 3, num_layers=2, bidirectional=True),
    nn.RNN(4, 3, nonlinearity="relu", bias=False),
]
CELLS = [nn.LSTMCell(4, 3), nn.GRUCell(4, 3), nn.RNNCell(4, 3), nn.RNNCell(4, 3, nonlinearity="relu", bias=False)]


def named(module: nn.Module) -> str:
    return str(module)


def texts(module: Any) -> Tensor:
    torch.manual_seed(1)
    return torch.randn((2, 5, 4) if getattr(module, "batch_first", False) else (5, 2, 4))


def fused(trace: Trace) -> Step:
    return next(step for step in trace if step.index in {s.opened for s in trace})


def assert_agrees(trace: Trace) -> None:
    """What is written out comes to what the real call has returned, output for output."""
    real = fused(trace)
    returned = {step.returned: step for step in trace if step.opened == real.index and step.returned is not None}
    assert sorted(returned) == [*range(len(real.outputs))]
    for output, step in returned.items():
        assert np.allclose(step.outputs[0].array, real.outputs[output].array, atol=2e-6, rtol=2e-6), output


@pytest.mark.parametrize("module", KINDS, ids=named)
def test_a_network_written_out_agrees_with_the_call(module: nn.Module) -> None:
    x = texts(module)
    trace = record(module, x)
    assert torch.equal(trace.output[0], module(x)[0])
    assert_agrees(trace)


@pytest.mark.slow
@pytest.mark.parametrize("module", KINDS, ids=named)
def test_texts_of_unequal_length_are_opened_too(module: Any) -> None:
    class Packs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, x: Tensor) -> Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x, [5, 2], batch_first=module.batch_first)
            out, _ = self.network(packed)
            padded, lengths = nn.utils.rnn.pad_packed_sequence(out, batch_first=module.batch_first)
            return padded * lengths.max()

    trace = record(Packs(), texts(module))
    assert trace.failure is None, trace.failure
    assert_agrees(trace)
    for step in trace:
        for output, value in enumerate(step.outputs):
            for cell in [*np.ndindex(*value.shape)][::11]:
                why = explain(step, cell, output)
                assert why.known
                assert why.value == pytest.approx(float(value.array[cell]), abs=1e-5)


@pytest.mark.parametrize("module", CELLS, ids=named)
def test_a_cell_alone_is_opened(module: nn.Module) -> None:
    trace = record(module, texts(module)[0])
    assert_agrees(trace)


def test_the_gates_have_names_source_and_axes() -> None:
    trace = record(nn.LSTM(4, 3), texts(None))
    inside = {step.address.rpartition(".")[2]: step for step in trace if step.opened is not None}
    assert inside["gates"].span.text == "read + F.linear(h, w_hh, b_hh)"
    assert inside["c"].span.text == "f.sigmoid() * c + i.sigmoid() * g.tanh()"
    assert inside["c"].outputs[0].axes == ("batch", "d_hidden")
    assert {"i", "f", "g", "o"} <= {value.name for step in trace for value in step.outputs}
    assert "h#5" in inside


def test_dropout_between_layers_is_that_of_the_call() -> None:
    module, x = nn.LSTM(4, 3, num_layers=2, dropout=0.5).train(), texts(None)
    torch.manual_seed(0)
    plain, _ = module(x)
    trace = record(module, x)
    assert torch.equal(trace.output[0], plain)
    assert_agrees(trace)
    assert torch.equal(record(module, x).output[0], trace.output[0])


@pytest.mark.nightly
@pytest.mark.slow
def test_a_very_long_text_is_one_step() -> None:
    network = nn.GRU(1, 1, num_layers=2)
    for n_pos, is_open in ((MAX_POSITIONS // 2, True), (MAX_POSITIONS // 2 + 1, False)):
        trace = record(network, torch.ones(n_pos, 1, 1))
        assert any(step.opened is not None for step in trace) == is_open
        call = next(step for step in trace if step.op == "gru")
        why = explain(call, (n_pos - 1, 0, 0))
        assert why.known
        assert why.value == pytest.approx(float(call.outputs[0].array[-1, 0, 0]), abs=1e-6)


def test_a_gate_can_be_edited() -> None:
    module, x = nn.GRU(4, 3), texts(None)
    trace = record(module, x)
    address = next(step.address for step in trace if step.address.endswith(".z"))
    edited = record(module, x, edits={address: torch.zeros_like})
    assert edited[address].outputs[0].edited
    assert not np.array_equal(fused(edited).outputs[0].array[0], fused(trace).outputs[0].array[0])
    n = next(step for step in edited if step.address.endswith(".n")).outputs[0].array
    assert np.allclose(fused(edited).outputs[0].array[0], n)  # with z = 0 the state is the new one


@pytest.mark.nightly
@pytest.mark.parametrize("module", [KINDS[1], KINDS[3], KINDS[5], *CELLS[:3], nn.MultiheadAttention(4, 2)], ids=named)
def test_gradients_inside_a_call_are_those_that_reach_it(module: Any) -> None:
    """Also where a call has several outputs, and where one is made of another (h and c of an LSTM's cell)."""
    is_attention = isinstance(module, nn.MultiheadAttention)

    def function(x: Tensor) -> Any:
        return module(x, x, x) if is_attention else module(x)

    x = texts(module)
    x = x[0] if any(module is cell for cell in CELLS) else x
    trace = record(function, x.requires_grad_(), backward=a_loss)
    assert trace.failure is None, trace.failure
    for value in [*trace.inputs, *(v for step in trace for v in step.outputs)]:
        if value.grad is None:
            continue
        for cell in [*np.ndindex(*value.shape)][::5]:
            why = explain_gradient(trace, value.address, cell)
            assert why.known
            assert why.value == pytest.approx(float(value.grad[cell]), abs=2e-5, rel=1e-4), (value.address, cell)


def a_loss(outputs: Any) -> Tensor:
    """One that gives every number of every output another gradient."""
    total = torch.zeros(())
    for out in outputs if isinstance(outputs, tuple) else (outputs,):
        for tensor in out if isinstance(out, tuple) else (out,):
            total = total + (tensor * torch.arange(1.0, tensor.numel() + 1).cos().view(tensor.shape)).sum()
    return total
