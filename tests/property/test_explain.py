"""Explanations of whole recordings: every number of a model comes from numbers that can be walked back to."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lmviz.explain import Operand, explain, explain_gradient
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.llama import Llama, LlamaConfig
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig
from lmviz.trace.recorder import record
from lmviz.trace.step import Step, Trace, Value
from tests.examples import times
from tests.property.test_explain_gradient import check_gradient
from tests.property.test_explain_zoo import check_cell, is_recorded

SIZES: dict[str, Any] = {"d_vocab": 11, "n_ctx": 6, "n_layers": 2, "d_model": 8, "n_heads": 2, "d_mlp": 12}
MODELS = ("gpt2", "gpt2_other", "gpt2_dropout", "mini_llm", "llama", "llama_other")
LOSSES = ("cross_entropy", "by_hand", "nll", "squares", "cross_entropy", "squares")


def model(name: str) -> nn.Module:
    """A small model in float64 whose weights are all drawn from N(0, 1)."""
    made: nn.Module
    if name == "gpt2":
        made = GPT2(GPT2Config(**SIZES))
    elif name == "gpt2_other":
        made = GPT2(GPT2Config(**SIZES, activation="gelu", tied=False, norm_eps=1e-3))
    elif name == "gpt2_dropout":
        made = GPT2(GPT2Config(**SIZES, activation="silu", dropout=0.3)).train()
    elif name == "llama":
        made = Llama(LlamaConfig(**SIZES, n_kv_heads=1))
    elif name == "llama_other":
        other = {"bias_qkv": True, "bias_o": True, "norm_qk": True, "rotary_scaling": "llama3", "rotary_factor": 4.0}
        made = Llama(LlamaConfig(**SIZES, d_head=6, activation="gelu", tied=False, dropout=0.3, **other)).train()
    else:
        made = MiniLLM(MiniLLMConfig(**SIZES))
    torch.manual_seed(1)
    for weight in made.parameters():
        nn.init.normal_(weight)
    return made.double()


IDS = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]])


def loss(name: str, logits: Tensor) -> Tensor:
    """Four ways to say how wrong the logits are."""
    predicted, target = logits[:, :-1], IDS[:, 1:]
    if name == "cross_entropy":
        return F.cross_entropy(predicted.flatten(0, 1), target.flatten())
    log_p = F.log_softmax(predicted, dim=-1)
    if name == "by_hand":
        return -log_p.gather(-1, target[..., None]).squeeze(-1).mean()
    if name == "nll":
        return F.nll_loss(log_p.transpose(1, 2), target, reduction="sum")
    return ((logits.softmax(-1) - F.one_hot(IDS, logits.shape[-1])) ** 2).sum()


@cache
def forward(name: str, dtype: torch.dtype) -> Trace:
    with torch.no_grad():
        return record(model(name).to(dtype), IDS)


@cache
def both_ways(name: str, loss_name: str) -> Trace:
    return record(model(name), IDS, backward=lambda logits: loss(loss_name, logits))


def some_cell(draw: np.random.Generator, value: Value) -> tuple[int, ...]:
    return tuple(int(draw.integers(size)) for size in value.shape)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", MODELS)
@times(0.5)
@given(seed=st.integers(0, 2**32))
def test_every_step_of_a_model_is_explained(name: str, dtype: torch.dtype, seed: int) -> None:
    trace, draw = forward(name, dtype), np.random.default_rng(seed)
    for step in trace:
        check_cell(trace, step, 0, some_cell(draw, step.outputs[0]))


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize(("name", "loss_name"), list(zip(MODELS, LOSSES, strict=True)))
@times(0.5)
@given(seed=st.integers(0, 2**32))
def test_every_gradient_of_a_model_is_explained(name: str, loss_name: str, seed: int) -> None:
    trace, draw = both_ways(name, loss_name), np.random.default_rng(seed)
    values = [*trace.weights.values(), *(step.outputs[0] for step in trace)]
    learned = [value for value in values if value.grad is not None]
    assert len(learned) > 40
    for value in learned:
        check_gradient(trace, value, some_cell(draw, value))


def step_of(trace: Trace, address: str) -> tuple[Step, int]:
    step = trace[address]
    return step, next(i for i, value in enumerate(step.outputs) if value.address == address)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_from_any_number_one_can_walk_back_to_a_weight_or_a_token(name: str, data: st.DataObject) -> None:
    trace = forward(name, torch.float64)
    step = data.draw(st.sampled_from(trace.steps))
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    output, cell = 0, some_cell(draw, step.outputs[0])
    for _ in range(len(trace)):
        operands = list(explain(step, cell, output).operands)
        if not operands:
            assert step.op in ("arange", "ones", "tril"), step  # numbers that the source itself says
            return
        column_roles = operands[draw.integers(len(operands))]
        assert is_recorded(trace, column_roles)
        if column_roles.address in trace.weights or column_roles.address == "ids":
            return
        (step, output), cell = step_of(trace, column_roles.address), column_roles.cell
    pytest.fail("the walk did not end")


@given(seed=st.integers(0, 2**32))
def test_from_any_gradient_one_can_walk_on_to_the_loss(seed: int) -> None:
    trace, draw = both_ways("gpt2", "cross_entropy"), np.random.default_rng(seed)
    address = draw.choice([name for name, value in trace.weights.items() if value.grad is not None])
    cell = some_cell(draw, trace.weights[address])
    for _ in range(len(trace)):
        why = explain_gradient(trace, address, cell)
        onward = [operand for operand in why.operands if operand.gradient]
        if not onward:
            break
        column_roles = onward[draw.integers(len(onward))]
        address, cell = column_roles.address, column_roles.cell
    assert why.value in (1.0, 0.0)  # the loss; or a row of the embedding that no token asked for
    assert why.value == 1.0 or not why.terms


def test_a_tied_embedding_has_the_gradients_of_both_uses() -> None:
    why = explain_gradient(both_ways("gpt2", "cross_entropy"), "tok_embed.weight", (1, 2))
    assert {term.label.partition("[")[0] for term in why.terms} == {"tok", "logits"}


def test_the_gradient_of_the_loss_is_1() -> None:
    trace = both_ways("gpt2", "cross_entropy")
    assert explain_gradient(trace, trace[-1].address, ()).value == 1.0


def test_what_is_masked_has_no_part_in_the_pattern() -> None:
    trace = forward("mini_llm", torch.float64)
    why = explain(trace["blocks.0.attn.pattern"], (0, 0, 1, 0))
    assert [term.value for term in why.terms][2:] == [0.0, 0.0, 0.0]
    assert why.terms[3].pieces[1].value == -np.inf  # type: ignore[union-attr]


def test_a_look_up_says_which_number_it_was_asked_for() -> None:
    embedded = explain(forward("gpt2", torch.float64)["tok"], (0, 2, 3))
    read = [piece.address if isinstance(piece, Operand) else piece for piece in embedded.written]
    assert read == ["weight[", "ids", ", 3] = ", "tok_embed.weight"]
    picked = next(step for step in both_ways("gpt2_other", "by_hand") if step.op == "gather")
    assert [piece for piece in explain(picked, (1, 2, 0)).written if isinstance(piece, str)] == ["log_p[1, 2, ", "] = "]
