"""Fused attention is opened into its steps, beside the real call, whose output stands."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.explain import explain
from lmviz.trace.recorder import record
from lmviz.trace.step import Step, Trace

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 2e-2, torch.float16: 2e-3}


def opened(trace: Trace, fused: Step) -> dict[str, Step]:
    """What is inside a fused step, by the last part of its address."""
    return {s.address.rpartition(".")[2]: s for s in trace if s.opened == fused.index}


def assert_agrees(trace: Trace, fused: Step, dtype: torch.dtype = torch.float32) -> None:
    """What is written out comes to what the real call has returned."""
    inside = opened(trace, fused)
    assert np.allclose(
        inside["output"].outputs[0].array,
        fused.outputs[0].array.reshape(inside["output"].outputs[0].shape),
        rtol=TOLERANCE[dtype],
        atol=TOLERANCE[dtype],
        equal_nan=True,
    )


class Attends(nn.Module):
    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        z = F.scaled_dot_product_attention(q, k, v, **self.settings)
        return z


def qkv(n_query: int = 5, n_key: int = 5, kv_heads: int = 4, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    shapes = [(2, 4, n_query, 8), (2, kv_heads, n_key, 8), (2, kv_heads, n_key, 6)]
    return tuple(torch.randn(shape, dtype=torch.float64).to(dtype) for shape in shapes)


PADDING = torch.tensor([[True] * 5, [True, True, False, False, False]])[:, None, None, :]
SOFT = torch.linspace(-2, 2, 25).reshape(5, 5)
BLIND = torch.ones(5, 5, dtype=torch.bool).tril(-1)  # the first query sees nothing


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"is_causal": True},
        {"attn_mask": PADDING},
        {"attn_mask": SOFT},
        {"attn_mask": BLIND},
        {"scale": 0.3},
        {"is_causal": True, "scale": 2.0},
    ],
    ids=["plain", "causal", "bool mask", "float mask", "a row without keys", "scale", "causal and scale"],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_attention_written_out_agrees_with_the_fused_call(settings: dict[str, Any], dtype: torch.dtype) -> None:
    mask = settings.get("attn_mask")
    if mask is not None and mask.is_floating_point():
        settings = {**settings, "attn_mask": mask.to(dtype)}
    model, given = Attends(**settings), qkv(dtype=dtype)
    trace = record(model, *given)
    assert torch.equal(trace.output, model(*given))
    assert_agrees(trace, trace["z"], dtype)
    pattern = opened(trace, trace["z"])["pattern"].outputs[0]
    rows = pattern.array.sum(axis=-1)
    assert np.all(np.isclose(rows, 1, atol=TOLERANCE[dtype]) | (rows == 0))


def test_heads_of_queries_may_share_keys() -> None:
    model, given = Attends(enable_gqa=True), qkv(kv_heads=2)
    trace = record(model, *given)
    assert torch.equal(trace.output, model(*given))
    assert_agrees(trace, trace["z"])


def test_queries_and_keys_may_differ_in_number() -> None:
    for settings in ({}, {"is_causal": True}):
        trace = record(Attends(**settings), *qkv(n_query=3, n_key=7))
        assert_agrees(trace, trace["z"])


def test_dropout_inside_attention_is_that_of_the_fused_call() -> None:
    model, given = Attends(dropout_p=0.4), qkv()
    torch.manual_seed(0)
    plain = model(*given)
    trace = record(model, *given)
    assert torch.equal(trace.output, plain)
    assert_agrees(trace, trace["z"])
    assert 0 < np.mean(opened(trace, trace["z"])["used"].outputs[0].array == 0) < 1


def test_the_steps_inside_are_named_and_have_axes_and_source() -> None:
    trace = record(Attends(is_causal=True), *qkv())
    inside = opened(trace, trace["z"])
    assert [s.address for s in trace if s.opened == trace["z"].index] == [
        *("z.scores.transpose", "z.scores.matmul", "z.scores"),
        *("z.causal.ones", "z.causal", "z.masked.bitwise_not", "z.masked", "z.pattern", "z.output"),
    ]
    assert inside["pattern"].span.text == "F.softmax(masked, dim=-1)"
    assert inside["pattern"].outputs[0].axes == ("batch", "head", "query", "key")
    assert inside["pattern"].inputs[0].address == "z.masked"
    assert inside["matmul"].inputs[0].address == "q"
    assert inside["masked"].statement == trace["z"].statement
    assert trace["z.pattern"] is inside["pattern"]


# -- nn.MultiheadAttention ---------------------------------------------------------------------------------------------

FLOAT_MASK = torch.zeros(5, 5).masked_fill(torch.ones(5, 5, dtype=torch.bool).triu(1), -torch.inf)
BOOL_MASK = -torch.inf == FLOAT_MASK
PAD = torch.tensor([[False] * 5, [False, False, False, True, True]])


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"need_weights": False},
        {"attn_mask": BOOL_MASK},
        {"attn_mask": FLOAT_MASK},
        {"attn_mask": BOOL_MASK, "is_causal": True, "need_weights": False},
        {"key_padding_mask": PAD},
        {"key_padding_mask": PAD, "attn_mask": BOOL_MASK, "need_weights": False},
        {"average_attn_weights": False},
    ],
    ids=["weights", "no weights", "bool mask", "float mask", "causal hint", "padding", "both masks", "per head"],
)
def test_multi_head_attention_is_opened_and_its_output_stands(
    options: dict[str, Any], train: bool, gradients: bool
) -> None:
    torch.manual_seed(0)
    model = nn.MultiheadAttention(8, 2, batch_first=True).train(train)
    x = torch.randn(2, 5, 8)
    with torch.set_grad_enabled(gradients):
        plain, weights = model(x, x, x, **options)
        trace = record(model, x, x, x, **options)
    assert torch.equal(trace.output[0], plain)
    assert (trace.output[1] is None) == (weights is None)
    assert weights is None or torch.equal(trace.output[1], weights)
    fused = next(s for s in trace if "multi_head" in s.op)
    is_fast = not train and not gradients and options.get("attn_mask") is not FLOAT_MASK
    assert fused.op == ("native_multi_head_attention" if is_fast else "multi_head_attention_forward")
    assert_agrees(trace, fused)
    inside = opened(trace, fused)
    assert inside["pattern"].outputs[0].axes == ("batch", "head", "query", "key")
    if weights is not None and options.get("average_attn_weights", True):
        assert np.allclose(inside["pattern"].outputs[0].array.mean(axis=1), weights.detach(), atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"add_bias_kv": True, "add_zero_attn": True},
        {"bias": False},
        {"kdim": 4, "vdim": 4},
        {"batch_first": False},
    ],
    ids=["learned position", "zero position", "both", "no bias", "other widths", "positions first"],
)
@pytest.mark.parametrize("options", [{}, {"need_weights": False, "key_padding_mask": PAD, "attn_mask": BOOL_MASK}])
def test_every_kind_of_multi_head_attention_is_opened(settings: dict[str, Any], options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = nn.MultiheadAttention(8, 2, **{"batch_first": True, **settings}).eval()
    x = torch.randn(2, 5, 8)
    key = torch.randn(2, 5, settings.get("kdim", 8))
    given = (x, key, key) if settings.get("batch_first", True) else (x.transpose(0, 1), *[key.transpose(0, 1)] * 2)
    with torch.no_grad():
        trace = record(model, *given, **options)
        assert torch.equal(trace.output[0], model(*given, **options)[0])
    assert_agrees(trace, next(s for s in trace if "multi_head" in s.op))


def test_one_sequence_without_a_batch_is_opened() -> None:
    model, x = nn.MultiheadAttention(8, 2), torch.randn(5, 8)
    trace = record(model, x, x, x)
    assert torch.equal(trace.output[0], model(x, x, x)[0])
    assert_agrees(trace, next(s for s in trace if "multi_head" in s.op))


def test_dropout_inside_multi_head_attention_is_that_of_the_fused_call() -> None:
    model, x = nn.MultiheadAttention(8, 2, dropout=0.5).train(), torch.randn(5, 2, 8)
    for options in ({}, {"need_weights": False}):
        torch.manual_seed(0)
        plain = model(x, x, x, **options)[0]
        trace = record(model, x, x, x, **options)
        assert torch.equal(trace.output[0], plain)
        assert_agrees(trace, next(s for s in trace if "multi_head" in s.op))


# -- nn.TransformerEncoder ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("masks", [{}, {"src_mask": BOOL_MASK}, {"src_key_padding_mask": PAD}], ids=["", "mask", "pad"])
def test_an_encoder_layer_is_opened_and_its_output_stands(
    train: bool, gradients: bool, norm_first: bool, activation: str, masks: dict[str, Tensor]
) -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, 16, 0.2, activation, batch_first=True, norm_first=norm_first).train(train)
    x = torch.randn(2, 5, 8)
    with torch.set_grad_enabled(gradients):
        torch.manual_seed(0)
        plain = model(x, **masks)
        trace = record(model, x, **masks)
    assert torch.equal(trace.output, plain)
    fused = next(s for s in trace if s.op in ("transformer_encoder_layer", "multi_head_attention_forward"))
    assert (fused.op == "transformer_encoder_layer") == (not train and not gradients)
    assert_agrees(trace, fused)
    assert "pattern" in opened(trace, fused)


@pytest.mark.parametrize("masks", [{}, {"src_key_padding_mask": PAD}, {"mask": BOOL_MASK}], ids=["", "pad", "mask"])
def test_an_encoder_gives_the_same_with_and_without_a_recording(masks: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that nested tensors are a prototype
        model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
        x = torch.randn(2, 5, 8)
        with torch.no_grad():
            plain = model(x, **masks)
            trace = record(model, x, **masks)
            assert torch.equal(trace.output, plain)
            assert torch.equal(record(model, x, budget=0, **masks).output, plain)
        assert trace.failure is None
        values = [value for step in trace for value in step.outputs]
        assert all(value.array.shape == value.shape for value in values)
    assert [s.op for s in trace].count("transformer_encoder_layer") == 2


def padded_encoder() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    return model, torch.randn(2, 5, 8), torch.tensor([[False] * 5, [False] * 3 + [True] * 2])


@pytest.mark.filterwarnings("ignore:.*nested.*")
def test_an_encoder_that_is_given_padding_is_opened_too() -> None:
    model, x, padding = padded_encoder()
    with torch.no_grad():
        trace = record(model, x, src_key_padding_mask=padding)
        assert torch.equal(trace.output, model(x, src_key_padding_mask=padding))
    fused = [s for s in trace if s.op == "transformer_encoder_layer"]
    assert len(fused) == 2
    for step in fused:
        inside, made = opened(trace, step), step.outputs[0].array
        assert np.isnan(made[1, 3:]).all()
        assert np.allclose(inside["padded"].outputs[0].array, np.nan_to_num(made), atol=2e-6)
        assert not inside["pattern"].outputs[0].array[1, ..., 3:].any()
        even = [s for s in inside.values() if not any(value.ragged for value in s.inputs)]
        assert len(even) == len(inside) - 1  # all but the one that puts the texts into a box
        assert all(explain(s, tuple(n // 2 for n in s.outputs[0].shape)).known for s in even)


@pytest.mark.filterwarnings("ignore:.*nested.*")
def test_inside_an_encoder_that_is_given_padding_numbers_can_be_changed() -> None:
    model, x, padding = padded_encoder()
    pattern = "layers.0.transformer_encoder_layer.pattern"
    with torch.no_grad():
        same = record(model, x, src_key_padding_mask=padding, edits={pattern: lambda shares: shares})
        even = record(model, x, src_key_padding_mask=padding, edits={pattern: torch.zeros_like})
        plain = model(x, src_key_padding_mask=padding)
    assert torch.allclose(same.output, plain, atol=2e-6)
    assert not torch.allclose(even.output, plain, atol=1e-3)
    assert not even.output[1, 3:].any()


def test_torchs_own_switches_are_as_before() -> None:
    model, x = nn.MultiheadAttention(8, 2, batch_first=True).eval(), torch.randn(2, 5, 8)
    record(model, x, x, x)
    assert torch.overrides.has_torch_function is torch._C._has_torch_function
    assert torch.backends.mha.get_fastpath_enabled()


def test_under_a_mode_of_the_users_own_torch_decides_as_without_a_recording() -> None:
    model, x = nn.MultiheadAttention(8, 2, batch_first=True).eval(), torch.randn(2, 5, 8)
    with torch.no_grad(), torch.device("cpu"):  # a mode like ours: torch then takes the slow path
        trace = record(model, x, x, x)
        assert torch.equal(trace.output[0], model(x, x, x)[0])
    assert "multi_head_attention_forward" in [s.op for s in trace]


# -- gradients and edits inside ----------------------------------------------------------------------------------------


def test_attention_on_the_inputs_themselves_is_opened() -> None:
    def attends(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)

    trace = record(attends, *torch.randn(3, 1, 2, 4, 8))
    assert trace[-1].op == "matmul"
    assert trace[-1].opened == 0
    assert np.allclose(trace[-1].outputs[0].array, trace[0].outputs[0].array, atol=1e-6)
    assert {value.name for step in trace for value in step.inputs if value.role == "input"} == {"query", "key", "value"}


def test_gradients_reach_the_steps_inside() -> None:
    q, k, v = (tensor.requires_grad_() for tensor in qkv(dtype=torch.float64))
    trace = record(Attends(is_causal=True), q, k, v, backward=lambda out: out.pow(2).sum())
    inside = opened(trace, trace["z"])
    scores = (q @ k.transpose(-2, -1) / 8**0.5).masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf)
    pattern = scores.softmax(-1)
    out = pattern @ v
    expected = torch.autograd.grad(out.pow(2).sum(), [pattern, out])
    assert np.allclose(inside["pattern"].outputs[0].grad, expected[0], rtol=1e-9)
    assert np.allclose(inside["output"].outputs[0].grad, expected[1], rtol=1e-9)


def test_a_step_inside_a_fused_call_can_be_edited() -> None:
    given = qkv()
    uniform = {"z.pattern": lambda pattern: torch.full_like(pattern, 1 / 5)}
    trace = record(Attends(), *given, edits=uniform)
    assert torch.allclose(trace.output, given[2].mean(dim=-2, keepdim=True).expand(-1, -1, 5, -1), atol=1e-6)
    assert np.all(trace["z.pattern"].outputs[0].array == np.float32(1 / 5))
    assert trace["z.pattern"].edited
    assert trace["z"].edited
    assert not trace["z.scores"].edited
    assert_agrees(trace, trace["z"])


@pytest.mark.parametrize("train", [False, True])
def test_a_step_inside_multi_head_attention_can_be_edited(train: bool) -> None:
    model, x = nn.MultiheadAttention(8, 2, batch_first=True).train(train), torch.randn(2, 5, 8)
    with torch.no_grad():
        plain = record(model, x, x, x)
        address = next(a for a in plain.find("pattern"))
        trace = record(model, x, x, x, edits={address: lambda p: torch.full_like(p, 1 / 5)})
    assert torch.allclose(trace.output[1], torch.full((2, 5, 5), 1 / 5))
    assert not torch.allclose(trace.output[0], plain.output[0])
