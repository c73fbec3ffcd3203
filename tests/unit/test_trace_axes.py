# ruff: noqa: F841, RUF059  # the recorder reads the names that results are given here
"""Axis names: from the shape comments that fit, and from what operations mean; never made up."""

from __future__ import annotations

import ast
import importlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.llama import Llama, LlamaConfig
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig
from lmviz.trace.recorder import record
from lmviz.trace.source.syntax import Syntax
from lmviz.trace.step import Trace, Value


def axes_of(forward: Callable[..., Any], *inputs: Tensor) -> dict[str, tuple[str, ...]]:
    trace = record(type("Model", (nn.Module,), {"forward": forward})(), *inputs)
    assert trace.failure is None, trace.failure
    return {value.address: value.axes for step in trace for value in step.outputs}


# -- comments ----------------------------------------------------------------------------------------------------------


def test_a_comment_names_the_axes_of_what_its_statement_makes() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        a = x * 2  # [batch, pos, d]
        q, k = a.split(2, dim=-1)  # [batch, pos, d_half]
        long = (
            a.exp()
            .log()
        )  # [batch, pos, d]  # fmt: skip
        return a.sum(-1)  # [batch, pos]

    axes = axes_of(forward, torch.ones(2, 3, 4))
    assert axes["a"] == axes["long"] == ("batch", "pos", "d")
    assert axes["q"] == axes["k"] == ("batch", "pos", "d_half")
    assert axes["sum"] == ("batch", "pos")


def test_a_comment_that_does_not_fit_is_not_believed() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        rank = x * 2  # [batch, pos, d]
        size = x * 2  # [batch, 7]
        twice = x * 2  # [pos, pos]
        return rank + size + twice

    axes = axes_of(forward, torch.ones(2, 3))
    assert axes["rank"] == axes["size"] == axes["twice"] == ("", "")


def test_a_comment_may_have_numbers() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        right = x.mean(-1, keepdim=True)  # [batch, 1]
        return right

    assert axes_of(forward, torch.ones(2, 3))["right"] == ("batch", "1")


def test_a_comment_is_not_believed_of_a_part_of_its_statement() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        y = F.pad((h := x.exp()), (1, 1))  # [batch, padded]
        return y + h.sum()

    axes = axes_of(forward, torch.ones(2, 3))
    assert axes["y"] == ("batch", "padded")
    assert axes["h"] == ("", "")


def test_a_part_keeps_its_own_name_where_it_is_joined_to_a_whole() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=-1)  # [batch, pos, pair]
        whole = torch.cat((-right, left), dim=-1)  # [batch, pos, d_head]
        return whole

    axes = axes_of(forward, torch.ones(2, 3, 4))
    assert axes["whole.neg"] == axes["left"] == ("batch", "pos", "pair")
    assert axes["whole"] == ("batch", "pos", "d_head")


def test_a_comment_on_a_call_names_what_the_called_module_returns() -> None:
    class Inner(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            out = x * 2
            return out

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def forward(self, x: Tensor) -> Tensor:
            y = self.inner(x)  # [batch, d]
            return y

    assert record(Outer(), torch.ones(2, 3))["inner.out"].outputs[0].axes == ("batch", "d")


# -- what follows from comments ----------------------------------------------------------------------------------------


def test_names_go_on_through_every_kind_of_operation() -> None:
    def forward(self: nn.Module, x: Tensor, w: Tensor, ids: Tensor) -> Tensor:
        x = x * 1  # [batch, pos, d]
        mean = x.mean(dim=-1, keepdim=True)
        total = x.sum(1)
        normed = (x - mean) / (mean + 1)
        turned = x.transpose(1, 2)
        moved = x.permute(2, 0, 1)
        product = x @ turned
        wide = F.linear(x, w)
        cell = x[:, -1]
        cut = x[..., None, :2]
        flat = x.flatten(0, 1)
        split_up = x.unflatten(-1, (2, 2))
        more = x.unsqueeze(1)
        less = more.squeeze(1)
        rows = torch.stack([x, x])
        found = F.embedding(ids, w)
        summed = torch.einsum("bpd,od->bpo", x, w)
        top = x.topk(2).values
        ranked = x.argmax(-1)
        picked = torch.where(x > 0, x, 0.0)
        spectrum = torch.fft.fft(x)
        unknown = torch.special.i0(x)
        return product

    x, w, ids = torch.ones(2, 3, 4), torch.ones(5, 4), torch.zeros(2, 3, dtype=torch.int64)
    axes = axes_of(forward, x, w, ids)
    assert {name: axes[name] for name in axes if "." not in name} == {
        "x": ("batch", "pos", "d"),
        "mean": ("batch", "pos", "1"),
        "total": ("batch", "d"),
        "normed": ("batch", "pos", "d"),
        "turned": ("batch", "d", "pos"),
        "moved": ("d", "batch", "pos"),
        "product": ("batch", "pos", "pos"),
        "wide": ("batch", "pos", ""),
        "cell": ("batch", "d"),
        "cut": ("batch", "pos", "1", "d"),
        "flat": ("", "d"),
        "split_up": ("batch", "pos", "", ""),
        "more": ("batch", "1", "pos", "d"),
        "less": ("batch", "pos", "d"),
        "rows": ("", "batch", "pos", "d"),
        "found": ("", "", ""),
        "summed": ("batch", "pos", ""),
        "ranked": ("batch", "pos"),
        "picked": ("batch", "pos", "d"),
        "spectrum": ("batch", "pos", ""),
        "unknown": ("", "", ""),
    }
    assert axes["top.topk.0"] == ("batch", "pos", "")


def test_a_comment_names_what_led_up_to_it_in_its_statement() -> None:
    def forward(self: nn.Module, x: Tensor, w: Tensor) -> Tensor:
        q = F.linear(x, w).unflatten(-1, (2, 2)).transpose(1, 2)  # [batch, head, pos, d_head]
        scores = q @ q.transpose(-2, -1) / math.sqrt(2)  # [batch, head, query, key]
        joined = (scores @ q).permute(0, 2, 1, 3).flatten(-2)  # [batch, pos, d]
        return joined

    axes = axes_of(forward, torch.ones(2, 3, 4), torch.ones(4, 4))
    assert axes["q.linear"] == ("batch", "pos", "")
    assert axes["q.unflatten"] == ("batch", "pos", "head", "d_head")
    assert axes["scores.transpose"] == ("batch", "head", "d_head", "key")
    assert axes["scores.matmul"] == ("batch", "head", "query", "key")
    assert axes["joined.permute"] == ("batch", "pos", "head", "d_head")
    assert axes["joined.matmul"] == ("batch", "head", "pos", "d_head")


@pytest.mark.parametrize("join", ["flatten(-2)", "reshape(2, 3, 4)"])
def test_a_single_head_keeps_its_names_until_the_heads_are_joined(join: str) -> None:
    def flattened(self: nn.Module, x: Tensor) -> Tensor:
        z = x.unflatten(-1, (1, 4)).transpose(1, 2)  # [batch, head, pos, d_head]
        joined = z.transpose(1, 2).flatten(-2)  # [batch, pos, d_model]
        return joined

    def reshaped(self: nn.Module, x: Tensor) -> Tensor:
        z = x.unflatten(-1, (1, 4)).transpose(1, 2)  # [batch, head, pos, d_head]
        joined = z.transpose(1, 2).reshape(2, 3, 4)  # [batch, pos, d_model]
        return joined

    axes = axes_of(flattened if join.startswith("flatten") else reshaped, torch.ones(2, 3, 4))
    assert axes["joined.transpose"] == ("batch", "pos", "head", "d_head")
    assert axes["joined"] == ("batch", "pos", "d_model")


def test_what_has_no_comment_takes_names_from_what_is_made_of_it() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        y = x * 2
        z = y.exp()
        out = z.transpose(0, 1)  # [pos, batch]
        return out

    axes = axes_of(forward, torch.ones(2, 3))
    assert axes["y"] == axes["z"] == ("batch", "pos")


def test_inputs_and_weights_are_named_by_what_they_meet() -> None:
    trace = record(GPT2(GPT2Config(11, 9, 1, 8, 2, 16)), torch.tensor([[1, 2, 3]]))
    assert trace.inputs[0].axes == ("batch", "pos")
    expected = {
        "tok_embed.weight": ("id", "d_model"),
        "blocks.0.norm_1.weight": ("d_model",),
        "blocks.0.mlp.w_in.weight": ("d_mlp", "d_model"),
        "blocks.0.mlp.w_in.bias": ("d_mlp",),
    }
    assert {path: trace.weights[path].axes for path in expected} == expected


# -- the comments of our own models ------------------------------------------------------------------------------------


def recordings() -> Iterator[tuple[str, nn.Module]]:
    torch.manual_seed(0)
    sizes = {"d_vocab": 13, "n_ctx": 11, "n_layers": 2, "d_model": 8, "n_heads": 2, "d_mlp": 17}
    yield "gpt2", GPT2(GPT2Config(**sizes))
    yield "gpt2", GPT2(GPT2Config(**sizes, dropout=0.1)).train()
    yield "mini_llm", MiniLLM(MiniLLMConfig(**{**sizes, "d_model": 6, "n_heads": 2}))
    yield "llama", Llama(LlamaConfig(**{**sizes, "n_heads": 4}, n_kv_heads=2, d_head=6, norm_qk=True))


IDS = torch.randint(13, (3, 5), generator=torch.Generator().manual_seed(0))  # every axis has a size of its own


@pytest.fixture(scope="module", params=[*recordings()], ids=["gpt2", "gpt2 with dropout", "mini_llm", "llama"])
def recording(request: pytest.FixtureRequest) -> tuple[str, Trace]:
    name, model = request.param
    return name, record(model, IDS)


def values_of(trace: Trace) -> list[Value]:
    """Inputs first, then what was made, each once; weights left out."""
    made = [value for step in trace for value in step.outputs]
    return [*trace.inputs, *made]


def test_every_axis_name_of_our_models_has_one_size(recording: tuple[str, Trace]) -> None:
    _, trace = recording
    sizes: dict[str, set[int]] = {}
    for value in values_of(trace):
        assert len(value.axes) == len(value.shape)
        for name, size in zip(value.axes, value.shape, strict=True):
            sizes.setdefault(name, set()).add(size)
    sizes.pop("", None)
    assert {name: found for name, found in sizes.items() if len(found) > 1} == {}
    assert sizes.get("1", {1}) == {1}
    for query in ("query", "key"):
        assert sizes[query] == sizes["pos"]


def test_every_shape_comment_of_our_models_is_true(recording: tuple[str, Trace]) -> None:
    name, trace = recording
    path = Path(str(importlib.import_module(f"lmviz.model.{name}").__file__))
    syntax = Syntax(str(path), path.read_text().splitlines(keepends=True))
    seen: set[int] = set()
    for statement in trace.statements:
        line = statement.span.lines[1]
        comment = syntax.axes.get(line)
        if comment is None or statement.span.file != str(path):
            continue
        made = trace[statement.last].outputs[0]
        assert made.axes == comment, f"{name}.py:{line} says {comment} of {made.address} {made.shape}"
        seen.add(line)
    ran = {line for f in functions_of(path) if ran_in(trace, f.name, f) for line in range(f.lineno, f.end_lineno or 0)}
    assert seen == ran & set(syntax.axes), "comments that no statement of the run stands before"


def functions_of(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def ran_in(trace: Trace, name: str, function: ast.FunctionDef) -> bool:
    return name == "forward" and any(
        function.lineno <= s.span.lines[0] <= (function.end_lineno or 0) for s in trace.statements
    )


def test_the_steps_of_our_models_have_axes(recording: tuple[str, Trace]) -> None:
    _, trace = recording
    without = [value.address for value in values_of(trace) if value.shape and not any(value.axes)]
    assert without == []
