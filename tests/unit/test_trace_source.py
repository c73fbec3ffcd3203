"""A step knows its exact expression, and the name that the source gives its result."""

from __future__ import annotations

import functools
import importlib.util
import linecache
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import einops
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.trace.recorder import record
from lmviz.trace.source.sites import listing
from lmviz.trace.source.syntax import axes_in
from lmviz.trace.step import Step, Trace

X = torch.arange(6.0).reshape(2, 3)


def texts(trace: Trace) -> dict[str, str]:
    return {step.address: step.span.text for step in trace}


def addresses(trace: Trace) -> list[str]:
    return [step.address for step in trace]


# -- expressions -----------------------------------------------------------------------------------------------------


class Expressions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bend: Callable[[Tensor], Tensor] = lambda t: t.tanh() * 2

    def forward(self, x: Tensor) -> Tensor:
        chained = (
            x.abs()
            .sqrt()  # a comment between
            .clamp(min=0.5)
        )
        parts = [row.exp() for row in (chained, x)]
        if (walrus := parts[0] - parts[1]).dim() == 2:
            x += walrus
        either = x.relu() if x.dim() == 2 else x.neg()
        low, high = either.amin(), either.amax()
        bent = self.bend(low + high)
        self.kept = bent / 2
        return helper(either) @ x.T + self.kept


def helper(x: Tensor) -> Tensor:
    doubled = x * 2
    return doubled + 1


def test_every_expression_is_found_exactly() -> None:
    assert texts(record(Expressions(), X.clone())) == {
        "chained.abs": "x.abs()",
        "chained.sqrt": "x.abs()\n            .sqrt()",
        "chained": "x.abs()\n            .sqrt()  # a comment between\n            .clamp(min=0.5)",
        "parts.exp": "row.exp()",
        "parts.exp#2": "row.exp()",
        "walrus": "parts[0] - parts[1]",
        "x": "x += walrus",
        "either": "x.relu()",
        "low": "either.amin()",
        "high": "either.amax()",
        "bent.add": "low + high",
        "bend.tanh": "t.tanh()",
        "bend.mul": "t.tanh() * 2",
        "kept": "bent / 2",
        "doubled": "x * 2",
        "add": "doubled + 1",
        "T": "x.T",
        "matmul": "helper(either) @ x.T",
        "add#2": "helper(either) @ x.T + self.kept",
    }


def test_a_span_says_where_its_text_stands() -> None:
    step = record(Expressions(), X.clone())["low"]
    lines = Path(step.span.file).read_text().splitlines()
    assert step.span.lines[0] == step.span.lines[1]
    assert lines[step.span.lines[0] - 1][slice(*step.span.columns)] == step.span.text == "either.amin()"
    assert step.span.function == "Expressions.forward"


def test_columns_count_characters_and_not_bytes() -> None:
    class Accents(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            été = "é" and x * 2
            return été

    span = record(Accents(), X)["été.mul"].span
    line = Path(span.file).read_text().splitlines()[span.lines[0] - 1]
    assert line[slice(*span.columns)] == span.text == "x * 2"


def test_a_listing_is_the_function_around_a_span() -> None:
    span = record(Expressions(), X.clone())["doubled"].span
    shown = listing(span)
    assert shown.lines == ("def helper(x: Tensor) -> Tensor:", "    doubled = x * 2", "    return doubled + 1")
    assert shown.lines[span.lines[0] - shown.first].strip() == "doubled = x * 2"


# -- names -----------------------------------------------------------------------------------------------------------


def names_of(forward: Callable[[nn.Module, Tensor], Any]) -> dict[str, str]:
    """Address -> operation of everything in a forward."""
    model = type("Model", (nn.Module,), {"forward": forward})()
    return {value.address: step.op for step in record(model, X.clone()) for value in step.outputs}


def test_several_outputs_have_a_name_each() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        q, k, v = x.split(1, dim=-1)
        largest, where = x.max(dim=-1)
        first, second = x
        return q + k + v + largest + where + first + second

    assert list(names_of(forward))[:7] == ["q", "k", "v", "largest", "where", "first", "second"]


def test_what_a_loop_is_unpacked_to_has_a_name_each() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        q, k = (t.abs().mT for t in x.chunk(2, -1))  # [d_head, pos]
        both = x.chunk(2, -1)
        r, s = map(lambda t: t.neg(), both)  # noqa: C417
        u, w = tuple([t + 1 if t is both[0] else t - 1 for t in both])
        y, z = (t if t is both[0] else t.neg() for t in both)
        return q + k + r + s + u + w + y + z

    made = [*names_of(forward)]
    assert made[2:6] == ["q.abs", "q", "k.abs", "k"]
    assert made[8:] == ["r", "s", "add", "sub", "neg", *(f"add#{i}" for i in range(2, 9))]
    trace = record(type("Model", (nn.Module,), {"forward": forward})(), X)
    assert trace["k"].outputs[0].axes == ("d_head", "pos")


def test_one_name_for_several_outputs_numbers_them() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        best = x.max(dim=-1)
        return best.values * 2

    trace = record(type("Model", (nn.Module,), {"forward": forward})(), X)
    assert [value.address for value in trace["best"].outputs] == ["best.0", "best.1"]
    assert trace["mul"].inputs[0] is trace["best"].outputs[0]
    assert trace.value("best.1") is trace["best"].outputs[1]
    assert trace.value("") is None
    assert trace.value("best.2") is None


def test_what_gives_its_input_back_has_a_name_of_its_own() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        a = x * 2
        b = a.contiguous()
        c = b.float()
        d = F.dropout(c, training=False)
        return d + 1

    trace = record(type("Model", (nn.Module,), {"forward": forward})(), X)
    assert [(step.address, step.inputs[0].address) for step in trace] == [
        *(("a", "x"), ("b", "a"), ("c", "b"), ("d", "c"), ("add", "d"))
    ]


def test_several_outputs_without_a_name_are_numbered() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        parts = x.chunk(3, dim=-1)
        return parts[0] + x.max(dim=-1).values

    assert list(names_of(forward)) == ["parts.0", "parts.1", "parts.2", "max.0", "max.1", "add"]


def test_a_statement_that_runs_several_times_numbers_its_names() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        for _ in range(3):
            x = x * 2
        return x

    assert list(names_of(forward)) == ["x", "x#2", "x#3"]


def test_what_is_overwritten_gets_its_name_again() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        y = x * 2
        y += 1
        y[0] = 0
        y.mul_(3)
        torch.add(y, 1, out=y)
        return y

    assert names_of(forward) == {"y": "mul", "y#2": "add", "y#3": "setitem", "y#4": "mul", "y#5": "add"}


def test_the_value_of_an_augmented_assignment_is_the_sum_and_not_the_addend() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        y = x.clone()
        y += x.abs()
        return y

    assert names_of(forward) == {"y": "clone", "y.abs": "abs", "y#2": "add"}


def test_a_sum_of_many_is_one_value() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        total = sum([x, x, x], x)
        return total

    assert list(names_of(forward)) == ["total.add", "total.add#2", "total"]


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.inner(self.act(self.inner(x))))


def test_a_submodule_used_twice_is_numbered() -> None:
    assert addresses(record(Twice(), X)) == ["inner", "act", "inner#2", "act#2"]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        out = x + self.lin(x)
        return out


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Sequential(nn.Linear(3, 4), nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        scores = self.head(x)
        return scores


def test_addresses_are_module_paths_and_names() -> None:
    trace = record(Stack(), X)
    assert addresses(trace) == ["blocks.0.lin", "blocks.0.out", "blocks.1.lin", "blocks.1.out", "head.0", "head.1"]
    assert [step.module for step in trace] == ["blocks.0", "blocks.0", "blocks.1", "blocks.1", "head", "head"]


def test_the_name_that_a_modules_result_gets_later_is_an_address_too() -> None:
    trace = record(Stack(), X)
    assert trace["x"] is trace["blocks.0.out"]
    assert trace["x#2"] is trace["blocks.1.out"]
    assert trace["scores"] is trace["head.1"]
    assert trace.value("x#2") is trace["blocks.1.out"].outputs[0]


def test_a_modules_path_is_its_last_step() -> None:
    trace = record(Stack(), X)
    assert trace["blocks.1"] is trace["blocks.1.out"]
    assert trace["blocks.0.lin"].op == "linear"
    assert trace["head"] is trace["head.1"]


def test_a_result_has_no_later_name_where_that_is_not_sure() -> None:
    class Chooses(nn.Module):
        def pick(self, x: Tensor) -> Tensor:
            y = x * 2
            z = y.abs()
            return y if bool(z.all()) else x

        def forward(self, x: Tensor) -> Tensor:
            picked = self.pick(x)
            return picked

    assert "picked" not in record(Chooses(), X)


def test_an_address_that_is_none_says_which_are_near() -> None:
    with pytest.raises(KeyError, match=r"blocks\.0\.lin, blocks\.1\.lin"):
        record(Stack(), X)["blocks.7.lin"]


def test_find_lists_addresses_in_order() -> None:
    trace = record(Stack(), X)
    assert trace.find("out") == ["blocks.0.out", "blocks.1.out"]
    assert "blocks.0.out" in trace
    assert "blocks.0.in" not in trace
    assert trace[0:2] == trace.steps[0:2]


# -- functions outside, decorators, nesting ----------------------------------------------------------------------------


HELPERS = """
import torch

def rearrange(x):
    for _ in range(2):
        x = x.transpose(0, 1)
    return x.contiguous()

def logged(function):
    def wrapper(*args):
        return function(*args)
    return wrapper
"""


@pytest.fixture
def helpers(tmp_path: Path) -> ModuleType:
    path = tmp_path / "outside.py"
    path.write_text(HELPERS)
    return load(path)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    with pytest.MonkeyPatch.context() as patch:  # what is saved again within a second would be what Python has compiled
        patch.setattr(sys, "dont_write_bytecode", True)
        spec.loader.exec_module(module)
    return module


def test_a_helper_outside_the_models_file_counts_to_the_expression_that_called_it(helpers: ModuleType) -> None:
    class Rearranges(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for _ in range(2):
                y = helpers.rearrange(x * 2)
            return y

    trace = record(Rearranges(), X)
    assert addresses(trace) == [
        *("y.mul", "y.transpose", "y.transpose#2", "y"),
        *("y.mul#2", "y.transpose#3", "y.transpose#4", "y#2"),
    ]
    assert {step.span.text for step in trace if step.op != "mul"} == {"helpers.rearrange(x * 2)"}
    assert [(s.first, s.last) for s in trace.statements] == [(0, 3), (4, 7)]


def test_einops_counts_to_the_expression_that_called_it() -> None:
    class Heads(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            q = einops.rearrange(x, "batch pos (head d_head) -> batch head pos d_head", head=2)
            scores = einops.einsum(q, q, "b h query d, b h key d -> b h query key")
            return scores

    x = torch.randn(1, 3, 4)
    trace = record(Heads(), x)
    assert trace.failure is None
    assert torch.equal(trace.output, Heads()(x))
    assert {step.span.text.partition("(")[0] for step in trace} == {"einops.rearrange", "einops.einsum"}
    assert [s.span.text.partition(" ")[0] for s in trace.statements] == ["q", "scores"]
    assert trace["q"].outputs[0].shape == (1, 2, 3, 2)
    assert trace["scores"].op == "einsum"


def test_a_decorated_forward_shows_its_own_source(helpers: ModuleType) -> None:
    class Decorated(nn.Module):
        @helpers.logged
        def forward(self, x: Tensor) -> Tensor:
            y = x * 2
            return y

    class Wrapped(nn.Module):
        @functools.wraps(Decorated.forward)
        def forward(self, x: Tensor) -> Tensor:
            y = x * 3
            return y

    assert texts(record(Decorated(), X)) == {"y": "x * 2"}
    assert texts(record(Wrapped(), X)) == {"y": "x * 3"}


def test_a_nested_function_shows_its_own_source() -> None:
    class Nested(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            def inner(t: Tensor) -> Tensor:
                squared = t**2
                return squared

            outer = inner(x)
            return outer

    trace = record(Nested(), X)
    assert texts(trace) == {"squared": "t**2"}
    assert trace["outer"] is trace["squared"]


def test_torchs_own_modules_show_their_line_of_torch() -> None:
    trace = record(nn.Linear(3, 3), X)
    assert texts(trace) == {"linear": "F.linear(input, self.weight, self.bias)"}
    assert trace["linear"].span.file.endswith("linear.py")


def test_a_torch_only_model_has_module_paths_as_addresses() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=-1)))
    trace = record(model, X)
    assert addresses(trace) == ["0", "1", "2.0", "2.1"]
    assert {step.span.text for step in trace} == {"module(input)"}
    assert [(call.module, call.class_name) for call in trace.calls] == [
        ("", ""),
        ("", "Sequential"),
        ("2", "Sequential"),
    ]


def test_a_function_can_be_recorded_like_a_model() -> None:
    def readout(logits: Tensor) -> Tensor:
        probs = F.softmax(logits / 0.5, dim=-1)
        return probs

    assert addresses(record(readout, X, prefix="readout")) == ["readout.probs.div", "readout.probs"]


# -- no source, other source -------------------------------------------------------------------------------------------


WITHOUT_SOURCE = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = torch.nn.Linear(3, 3)
    def forward(self, x):
        y = self.lin(x)
        for _ in range(2):
            y = y * 2
        return y.relu()
"""


def test_a_model_made_by_exec_is_recorded_without_source() -> None:
    scope: dict[str, Any] = {"torch": torch}
    exec(WITHOUT_SOURCE, scope)
    model = scope["Model"]()
    trace = record(model, X)
    assert torch.equal(trace.output, model(X))
    assert [step.op for step in trace] == ["linear", "mul", "mul", "relu"]
    assert {step.span.text for step in trace} == {""}
    assert [step.span.lines[0] for step in trace] == [7, 9, 9, 10]
    assert trace["lin"].op == "linear"
    assert listing(trace["lin"].span).lines == ()


def test_a_model_from_a_notebook_cell_has_source() -> None:
    """Notebooks put a cell's text where Python's own tracebacks look for it."""
    name = "<cell 1>"
    linecache.cache[name] = (len(WITHOUT_SOURCE), None, WITHOUT_SOURCE.splitlines(keepends=True), name)
    scope: dict[str, Any] = {"torch": torch}
    exec(compile(WITHOUT_SOURCE, name, "exec"), scope)
    assert texts(record(scope["Model"](), X)) == {
        "y": "self.lin(x)",
        "y#2": "y * 2",
        "y#3": "y * 2",
        "relu": "y.relu()",
    }


MODEL_FILE = """
from torch import nn

class Model(nn.Module):
    def forward(self, x):
        y = x * 2
        return y
"""


def test_source_that_was_edited_after_it_was_loaded_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "edited_model.py"
    path.write_text(MODEL_FILE)
    old = load(path).Model()
    path.write_text(MODEL_FILE.replace("* 2", "* 3"))
    assert [step.span.text for step in record(old, X)] == [""]
    assert [step.span.text for step in record(load(path).Model(), X)] == ["x * 3"]
    assert [step.span.text for step in record(old, X)] == [""]


def test_a_listing_is_of_the_version_that_ran(tmp_path: Path) -> None:
    path = tmp_path / "second_model.py"
    path.write_text(MODEL_FILE)
    old = record(load(path).Model(), X)["y"].span
    path.write_text(MODEL_FILE.replace("* 2", "* 3"))
    new = record(load(path).Model(), X)["y"].span
    assert "        y = x * 2" in listing(old).lines
    assert "        y = x * 3" in listing(new).lines


# -- the tree ----------------------------------------------------------------------------------------------------------


def transcript(trace: Trace, module: str) -> str:
    """The statements of a module, as they ran."""
    return "\n".join(s.span.text for s in trace.statements if trace.calls[s.call].module == module)


def test_a_recording_reads_like_its_source() -> None:
    trace = record(Stack(), X)
    assert transcript(trace, "") == "x = block(x)\nx = block(x)\nscores = self.head(x)"
    assert transcript(trace, "blocks.1") == "out = x + self.lin(x)"


def test_attention_reads_like_its_source() -> None:
    trace = record(
        GPT2(GPT2Config(d_vocab=5, n_ctx=4, n_layers=1, d_model=4, n_heads=2, d_mlp=3)), torch.tensor([[1, 2]])
    )
    assert transcript(trace, "blocks.0.attn").splitlines() == [
        "q = self.w_q(x).unflatten(-1, heads).transpose(1, 2)",
        "k = self.w_k(x).unflatten(-1, heads).transpose(1, 2)",
        "v = self.w_v(x).unflatten(-1, heads).transpose(1, 2)",
        "scores = q @ k.transpose(-2, -1) / math.sqrt(self.cfg.d_head)",
        "masked = scores.masked_fill(~self.causal[:n_pos, :n_pos], -math.inf)",
        "pattern = F.softmax(masked, dim=-1)",
        "z = pattern @ v",
        "joined = z.transpose(1, 2).flatten(-2)",
        "attn_out = self.w_o(joined)",
    ]
    assert [
        f"{step.address.removeprefix('blocks.0.attn.')}: {step.span.text}" for step in trace if step.op == "matmul"
    ] == [
        "scores.matmul: q @ k.transpose(-2, -1)",
        "z: pattern @ v",
    ]


def test_the_tree_goes_from_calls_to_statements_to_steps() -> None:
    trace = record(Stack(), X)
    calls = {call.module: call for call in trace.calls[1:]}
    block = calls["blocks.1"]
    assert (block.class_name, block.first, block.last) == ("Block", 2, 3)
    assert block.statement is not None
    assert block.parent is not None
    made_by = trace.statements[block.statement]
    assert (made_by.span.text, made_by.first, made_by.last) == ("x = block(x)", 2, 3)
    assert trace.calls[block.parent] is calls[""]
    assert (calls[""].first, calls[""].last) == (0, len(trace) - 1)
    for step in trace:
        statement = trace.statements[step.statement]
        assert statement.first <= step.index <= statement.last
        assert statement.call == step.call


def test_a_helpers_statements_are_inside_the_statement_that_called_it() -> None:
    trace = record(Expressions(), X.clone())
    inner = trace.statements[trace["doubled"].statement]
    assert inner.parent is not None
    outer = trace.statements[inner.parent]
    assert outer.span.text == "return helper(either) @ x.T + self.kept"
    assert outer.first <= inner.first <= inner.last < outer.last


def test_a_comprehension_is_one_statement() -> None:
    trace = record(Expressions(), X.clone())
    statement = trace.statements[trace["parts.exp"].statement]
    assert statement.span.text == "parts = [row.exp() for row in (chained, x)]"
    assert statement.last == trace["parts.exp#2"].index


# -- what a model is given, and gives ----------------------------------------------------------------------------------


@dataclass
class Batch:
    ids: Tensor
    mask: Tensor


class TakesMuch(nn.Module):
    def forward(self, x: Tensor, *rest: Tensor, pair: list[Tensor], batch: Batch, scale: float = 1.0) -> dict[str, Any]:
        total = x + rest[0] + pair[1] * scale
        return {"total": total, "batch": Batch(total, batch.mask * 2)}


def test_inputs_have_the_names_of_their_arguments() -> None:
    a, b, c, d, e, f = (torch.full((2,), float(i)) for i in range(6))
    trace = record(TakesMuch(), a, b, pair=[c, d], batch=Batch(e, f), scale=2.0)
    assert {value.name: value.array[0] for value in trace.inputs} == {"x": 0, "input_2": 1, "pair.1": 3, "batch.1": 5}
    assert all(value.role == "input" for value in trace.inputs)
    assert isinstance(trace.output["batch"], Batch)
    assert trace.output["total"].tolist() == [7.0, 7.0]


def test_an_operand_is_found_by_the_argument_that_it_was_given_as() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return torch.where(x > 1, input=x, other=1 - x.mean(dim=-1, keepdim=True))

    steps: dict[str, Step] = {step.op: step for step in record(type("M", (nn.Module,), {"forward": forward})(), X)}
    assert steps["where"].arguments == ("condition", "input", "other")
    assert steps["sub"].operand("input") == 1
    assert steps["sub"].operand("other").address == "mean"
    assert steps["mean"].settings == {"dim": -1, "keepdim": True}


def test_the_operands_of_where_are_told_apart_however_it_is_called() -> None:
    def forward(self: nn.Module, x: Tensor, mask: Tensor, y: Tensor) -> Tensor:
        return x.where(mask, y) + torch.where(mask, x, y)

    trace = record(type("M", (nn.Module,), {"forward": forward})(), X, X > 1, -X)
    for step in trace.steps[:2]:
        named = dict(zip(step.arguments, (value.name for value in step.inputs), strict=True))
        assert named == {"input": "x", "condition": "mask", "other": "y"}


def test_operations_that_are_not_listed_have_torchs_names_for_their_arguments() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        far = torch.cdist(x, x).to(torch.float64)
        return F.hardshrink(far, 0.1) + torch.heaviside(x @ x.T, far.float()) + far.cummax(0).values

    steps = {step.op: step for step in record(type("M", (nn.Module,), {"forward": forward})(), X)}
    assert steps["cdist"].arguments == ("x1", "x2")
    assert steps["heaviside"].arguments == ("input", "values")
    assert steps["hardshrink"].settings == {"lambd": 0.1}
    assert steps["cummax"].settings == {"dim": 0}
    assert steps["to"].settings in ({"dtype": torch.float64}, {})


# -- shape comments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "axes"),
    [
        ("# [batch, pos, d_model]", ("batch", "pos", "d_model")),
        ("# [batch, pos, 1], the mean", ("batch", "pos", "1")),
        ("# (B, T, C)", ("B", "T", "C")),
        ("# (B, nh, T, hs) x (B, nh, hs, T) -> (B, nh, T, T)", ("B", "nh", "T", "T")),
        ("# (B,)", ("B",)),
        ("# see [1, 2]: sizes", ("1", "2")),
        ("# (as in the paper, roughly)", ()),
        ("# (optional)", ()),
        ("# nothing", ()),
    ],
)
def test_a_shape_comment_is_read(comment: str, axes: tuple[str, ...]) -> None:
    assert axes_in(comment) == axes
