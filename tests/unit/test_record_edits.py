"""Edits: what a step made, or a weight, replaced while the model runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.trace.recorder import record

IDS = torch.tensor([[1, 5, 2, 7]])
X = torch.arange(6.0).reshape(2, 3)


@pytest.fixture(scope="module")
def model() -> GPT2:
    torch.manual_seed(0)
    return GPT2(GPT2Config(d_vocab=11, n_ctx=9, n_layers=2, d_model=8, n_heads=2, d_mlp=16)).eval()


class Splits(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        q, k, v = x.split(1, dim=-1)
        y = q * k + v
        y += 1
        y[0] = 7
        return y * 2


def zero(tensor: Tensor) -> Tensor:
    return tensor * 0


def test_an_edited_head_changes_what_follows_and_nothing_before(model: GPT2) -> None:
    def without_head_1(pattern: Tensor) -> Tensor:
        pattern[:, 1] = 0
        return pattern

    plain = record(model, IDS)
    trace = record(model, IDS, edits={"blocks.0.attn.pattern": without_head_1})
    at = trace["blocks.0.attn.pattern"]
    assert at.edited
    assert np.all(at.outputs[0].array[:, 1] == 0)
    assert np.array_equal(at.outputs[0].array[:, 0], plain[at.index].outputs[0].array[:, 0])
    for before in range(at.index):
        assert np.array_equal(trace[before].outputs[0].array, plain[before].outputs[0].array)
        assert not trace[before].edited
    assert not torch.equal(trace.output, plain.output)
    assert np.array_equal(trace["logits"].outputs[0].array, trace.output.detach().numpy())


def test_an_edit_is_what_the_same_change_in_plain_torch_does(model: GPT2) -> None:
    trace = record(model, IDS, edits={"blocks.1.x_mid": zero})
    block = model.blocks[1]
    x = block.mlp(block.norm_2(torch.zeros(1, 4, 8)))
    assert torch.equal(trace.output, model.unembed(model.norm_final(x)))


@pytest.mark.parametrize(("address", "expected"), [("q", 1), ("k", 1), ("v", 0)])
def test_one_of_several_outputs_can_be_edited(address: str, expected: int) -> None:
    seen = []

    def note(tensor: Tensor) -> Tensor:
        seen.append(tensor.tolist())
        return tensor * 0

    trace = record(Splits(), X, edits={address: note})
    plain = record(Splits(), X)
    value = trace.value(address)
    assert value is not None
    assert value.array.tolist() == [[0], [0]]
    assert seen == [plain.value(address).array.tolist()]  # type: ignore[union-attr]
    others = {"q", "k", "v"} - {address}
    assert all(trace.value(a).array.tolist() == plain.value(a).array.tolist() for a in others)  # type: ignore[union-attr]
    second_row = {"q": X[1, 2], "k": X[1, 2], "v": X[1, 0] * X[1, 1]}[address]
    assert trace.output[1].item() == (second_row + 1) * 2


@pytest.mark.parametrize("address", ["y#2", "y#3"])
def test_a_step_in_place_can_be_edited(address: str) -> None:
    trace = record(Splits(), X, edits={address: lambda y: y * 0 + 100})
    assert trace[address].outputs[0].array.tolist() == [[100], [100]]
    assert trace.output.tolist() == ([[14], [200]] if address == "y#2" else [[200], [200]])


def test_an_edit_in_place_is_seen_through_every_view() -> None:
    class Views(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 1
            row = y[0]
            y.add_(1)
            return row * 2

    assert record(Views(), X, edits={"y#2": zero}).output.tolist() == [0, 0, 0]


def test_a_later_name_of_a_result_can_be_edited(model: GPT2) -> None:
    by_alias = record(model, IDS, edits={"blocks.0.attn_out": zero})
    by_own_name = record(model, IDS, edits={"blocks.0.attn.attn_out": zero})
    assert torch.equal(by_alias.output, by_own_name.output)


def test_a_weight_is_edited_by_its_path_and_the_model_keeps_its_own(model: GPT2) -> None:
    before = model.blocks[0].mlp.w_in.weight.clone()
    plain = model(IDS)
    trace = record(model, IDS, edits={"blocks.0.mlp.w_in.weight": zero})
    assert not torch.equal(trace.output, plain)
    assert torch.equal(model.blocks[0].mlp.w_in.weight, before)
    assert torch.equal(model(IDS), plain)
    shown = trace["blocks.0.mlp.pre"].operand("weight")
    assert (shown.address, shown.role) == ("blocks.0.mlp.w_in.weight", "weight")
    assert np.all(shown.array == 0)
    assert trace.weights["blocks.0.mlp.w_in.weight"] is shown


def test_a_weight_that_is_read_as_a_number_is_edited_too() -> None:
    class Scales(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(3.0))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scale.item()

    assert record(Scales(), X, edits={"scale": lambda s: 5.0}).output.tolist() == (X * 5).tolist()


def test_an_input_is_edited_by_its_name(model: GPT2) -> None:
    other = torch.tensor([[1, 5, 2, 8]])
    trace = record(model, IDS, edits={"ids": lambda ids: other})
    assert torch.equal(trace.output, model(other))
    assert trace.inputs[0].array.tolist() == other.tolist()


def test_an_input_whose_name_is_given_again_is_edited_as_the_one_before_the_first() -> None:
    class Again(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x + 1
            x = y * 10
            return x + y

    plain = record(Again(), X)
    assert [value.address for value in plain.inputs] == ["x#0"] and plain["x"].op == "mul"
    assert record(Again(), X, edits={"x#0": zero}).output.tolist() == [[11.0] * 3] * 2
    assert record(Again(), X, edits={"x": zero}).output.tolist() == (X + 1).tolist()


def test_several_edits_at_once_all_hold(model: GPT2) -> None:
    edits = {"blocks.0.x_mid": zero, "blocks.1.x_mid": zero, "unembed.weight": lambda w: w * 0 + 1}
    trace = record(model, IDS, edits=edits)
    assert np.all(trace["blocks.0.x_mid"].outputs[0].array == 0)
    assert np.all(trace["blocks.1.x_mid"].outputs[0].array == 0)
    assert torch.allclose(trace.output, torch.zeros(1, 4, 11) + trace.output[..., :1], atol=1e-6)


def test_an_edit_may_return_numbers_of_any_kind(model: GPT2) -> None:
    address = "blocks.0.attn.pattern"
    shape = record(model, IDS)[address].outputs[0].shape
    for new in (np.zeros(shape), torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.int64)):
        trace = record(model, IDS, edits={address: lambda pattern, new=new: new})
        assert np.all(trace[address].outputs[0].array == 0)
        assert trace[address].outputs[0].dtype == "float32"


def fail(tensor: Tensor) -> Tensor:
    raise IndexError("index 99 is out of range")


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda t: t[..., :1], r"tensor of the shape it was given, \[1, 2, 4, 4\]; it returned \[1, 2, 4, 1\]\."),
        (lambda t: t + 1j, r"numbers of the type it was given, float32; it returned complex64\."),
        (lambda t: None, r"must return a tensor; it returned NoneType\."),
        (fail, r"An edit failed: index 99 is out of range\."),
    ],
)
def test_an_edit_that_does_not_fit_is_told_in_a_sentence(
    model: GPT2, edit: Callable[[Tensor], Any], sentence: str
) -> None:
    for budget in (0, 1 << 30):
        with pytest.raises(UserError, match=sentence):
            record(model, IDS, edits={"blocks.0.attn.pattern": edit}, budget=budget)


def test_an_edit_of_whole_numbers_must_give_whole_numbers(model: GPT2) -> None:
    with pytest.raises(UserError, match="int64; it returned float32"):
        record(model, IDS, edits={"ids": lambda ids: ids * 0.5})


def test_an_edit_of_nothing_says_what_is_near(model: GPT2) -> None:
    with pytest.raises(UserError, match=r"blocks\.7\.attn\.pattern is none \(similar: blocks\.0\.attn\.pattern"):
        record(model, IDS, edits={"blocks.7.attn.pattern": zero})


def test_an_edit_leaves_the_models_own_averages_as_one_run_does() -> None:
    model, twin = nn.BatchNorm1d(3).train(), nn.BatchNorm1d(3).train()
    record(model, X, edits={"batch_norm": zero})
    twin(X)
    assert model.state_dict().keys() == twin.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), twin.state_dict().values(), strict=True))


def test_a_trace_that_continues_another_can_be_edited(model: GPT2) -> None:
    class Readout(nn.Module):
        def forward(self, logits: Tensor) -> Tensor:
            scaled = logits / 0.5
            return scaled.softmax(-1)

    first = record(model, IDS)
    both = record(Readout(), first.output, follows=first, prefix="readout", edits={"readout.scaled": zero})
    assert torch.allclose(both.output, torch.full((1, 4, 11), 1 / 11))
    with pytest.raises(UserError, match="logits is none"):
        record(Readout(), first.output, follows=first, prefix="readout", edits={"logits": zero})


def test_dropout_stays_the_same_under_an_edit() -> None:
    torch.manual_seed(0)
    model = GPT2(GPT2Config(11, 9, 2, 8, 2, 16, dropout=0.5)).train()
    plain = record(model, IDS)
    trace = record(model, IDS, edits={"blocks.0.mlp.hidden": zero})
    for address in ("blocks.0.attn_kept", "blocks.1.attn_kept", "blocks.1.mlp_kept"):
        zeros = [t[address].outputs[0].array == 0 for t in (plain, trace)]
        assert np.array_equal(*zeros)
