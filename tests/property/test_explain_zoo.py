"""Every operation, in every spelling that we know of: its explanation gives the number that torch computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.explain import Explanation, Operand, explain
from lmviz.trace.operations.explanation import plain_number
from lmviz.trace.recorder import record
from lmviz.trace.step import Step, Trace
from tests.property.test_explain_written import worked_out

TOLERANCE = {
    **{"float64": 1e-9, "float32": 1e-5, "float16": 5e-3, "bfloat16": 4e-2},
    **{"complex128": 1e-9, "complex64": 1e-5},
}


class Small(nn.Module):
    """A model of one expression."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        out = self.function(*inputs)
        return out


def tolerance_of(step: Step, output: int) -> float:
    """How far a value may be from the recorded one, as a share of it: by the coarsest type that torch worked in."""
    return max(TOLERANCE.get(value.dtype, 0.0) for value in (step.outputs[output], *step.inputs))


def same(value: complex, expected: complex, tolerance: float, size: float) -> bool:
    """Whether two numbers are equal but for rounding; NaN is NaN, and a complex number has two parts."""
    if isinstance(value, complex) or isinstance(expected, complex):
        a, b = complex(value), complex(expected)
        return same(a.real, b.real, tolerance, size + abs(b)) and same(a.imag, b.imag, tolerance, size + abs(b))
    close: bool = value == pytest.approx(expected, rel=tolerance, abs=tolerance / 10 * size, nan_ok=True)
    return close


def size_of(why: Explanation) -> float:
    """How large the terms are, together."""
    return 1 + sum(abs(value) for value in why.values.tolist() if math.isfinite(abs(value)))


def check_cell(trace: Trace, step: Step, output: int, cell: tuple[int, ...]) -> None:
    """The explanation of a cell is known, has the recorded value, writes it out, and names where its numbers stand."""
    value = step.outputs[output]
    why = explain(step, cell, output)
    assert why.known, step
    size = size_of(why)
    assert same(why.value, plain_number(value.array[cell]), tolerance_of(step, output), size), why
    assert same(worked_out(why), why.value, 1e-9, size / 100), why
    for term, worth in zip(why.terms, why.values.tolist(), strict=True):
        assert same(term.value, worth, 1e-12, 1e-3), why
    for operand in why.operands:
        assert is_recorded(trace, operand), (step, operand)


def is_recorded(trace: Trace, operand: Operand) -> bool:
    """Whether an operand is what the trace has at its address; a constant, and the gradient of a past one, has none."""
    if not operand.address:
        return not operand.gradient
    value = trace.value(operand.address)
    assert value is not None
    array = value.grad if operand.gradient else value.array
    return array is None or np.array_equal(plain_number(array[operand.cell]), operand.value, equal_nan=True)


def check_trace(trace: Trace, at_most: int = 20) -> None:
    """Every output of every step, at all of its cells, or at some if there are many."""
    draw = np.random.default_rng(0)
    assert trace.failure is None, trace.failure
    for step in trace:
        for output, value in enumerate(step.outputs):
            cells = list(np.ndindex(*value.shape))
            for cell in cells if len(cells) <= at_most else [cells[i] for i in draw.choice(len(cells), at_most)]:
                check_cell(trace, step, output, tuple(cell))


def tensors(dtype: torch.dtype, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {
        "x": torch.randn(2, 3, 4, dtype=dtype),
        "y": torch.randn(2, 3, 4, dtype=dtype),
        "positive": torch.rand(2, 3, 4, dtype=dtype) + 0.5,
        "square": torch.randn(4, 4, dtype=dtype),
        "tall": torch.randn(4, 5, dtype=dtype),
        "vector": torch.randn(4, dtype=dtype),
        "column": torch.randn(3, 1, dtype=dtype),
        "number": torch.randn((), dtype=dtype),
        "ids": torch.randint(0, 4, (2, 3)),
        "mask": torch.rand(2, 3, 4) < 0.5,
    }


ZOO: dict[str, Callable[..., Any]] = {
    # products
    "matmul_batch": lambda x, tall: x @ tall,
    "matmul_both_batched": lambda x, y: x.matmul(y.mT),
    "matmul_vector_right": lambda x, vector: x @ vector,
    "matmul_vector_left": lambda vector, tall: vector @ tall,
    "matmul_vectors": lambda vector: torch.matmul(vector, vector),
    "matmul_vector_left_batched": lambda vector, x: vector @ x.transpose(1, 2),
    "matmul_broadcast": lambda x, square: x[:, None] @ square.expand(5, 4, 4),
    "matmul_size_one": lambda x, y: x[:1] @ y.mT,
    "mm": lambda square, tall: torch.mm(square, tall),
    "bmm": lambda x, y: torch.bmm(x, y.mT),
    "addmm": lambda vector, square: torch.addmm(vector, square, square, beta=0.5, alpha=2),
    "outer": lambda vector: torch.outer(vector, vector),
    "linear": lambda x, tall, vector: F.linear(x, tall.T, tall[0]),
    "linear_no_bias": lambda x, square: F.linear(x, square),
    "linear_vector_weight": lambda x, vector: F.linear(x, vector),
    "linear_vector_input": lambda vector, tall: F.linear(vector, tall.T),
    "einsum_matmul": lambda x, y: torch.einsum("bik,bjk->bij", x, y),
    "einsum_implicit": lambda x, tall: torch.einsum("bij,jk", x, tall),
    "einsum_implicit_order": lambda square, tall: torch.einsum("ca,cb", tall, square),
    "einsum_ellipsis": lambda x, square: torch.einsum("...i,ij->...j", x, square),
    "einsum_ellipsis_implicit": lambda x, square: torch.einsum("...i, ij", x, square),
    "einsum_trace": lambda square: torch.einsum("ii->", square),
    "einsum_diagonal": lambda square: torch.einsum("ii->i", square),
    "einsum_sum": lambda x: torch.einsum("bij->j", x),
    "einsum_permute": lambda x: torch.einsum("bij->jib", x),
    "einsum_three": lambda x, square, vector: torch.einsum("bij,jk,k->bi", x, square, vector),
    "einsum_outer": lambda vector, tall: torch.einsum("i,jk->ijk", vector, tall),
    "einsum_list": lambda x, y: torch.einsum("bij,bij->b", [x, y]),
    "einsum_size_one": lambda x, y: torch.einsum("bij,bij->bi", x[:, :1], y),
    # element by element
    "add": lambda x, vector, column, number: (x + vector, x + column, x + number, x + 1, 1 + x, x.add(vector, alpha=2)),
    "add_keyword": lambda x, y: torch.add(x, other=y, alpha=0.5),
    "sub": lambda x, vector: (x - vector, 1 - x, x - 2.5, torch.sub(x, vector, alpha=3), torch.rsub(x, 1)),
    "rsub_alpha": lambda x: torch.rsub(x, 3, alpha=2),
    "mul": lambda x, vector: (x * vector, 2 * x, x.mul(0.5), torch.multiply(x, x)),
    "div": lambda x, positive: (x / positive, x / 2, 1 / positive, torch.true_divide(x, 3), x.div(positive)),
    "pow": lambda x, positive: (x**2, x.pow(3), positive**0.5, 2**x, positive**x, torch.pow(positive, -1), x**0),
    "ints": lambda ids: (ids % 2, ids // 2, ids + 1, ids * 2, ids - ids, ids / 2, ids**2, 2**ids),
    "signs": lambda x: (-x, x.neg(), abs(x), x.abs(), torch.sign(x)),
    "exponentials": lambda x, positive: (x.exp(), positive.log(), torch.erf(x), positive.reciprocal()),
    "roots": lambda x, positive: (positive.sqrt(), positive.rsqrt(), x.square()),
    "circles": lambda x: (x.sin(), torch.cos(x)),
    "activations": lambda x: (F.relu(x), x.relu(), F.silu(x), torch.tanh(x), torch.sigmoid(x), F.tanh(x)),
    "gelu": lambda x: (F.gelu(x), F.gelu(x, approximate="tanh"), F.gelu(x, approximate="none")),
    "modules": lambda x: nn.Sequential(nn.GELU("tanh"), nn.GELU(), nn.ReLU(), nn.SiLU(), nn.Tanh(), nn.Sigmoid())(x),
    "clamp": lambda x, y: (x.clamp(-0.5, 0.5), x.clamp(min=0), x.clamp(max=0.1), torch.clip(x, 0, 1),
        x.clamp(min=y.detach())),
    "maximum": lambda x, y, vector: (torch.maximum(x, y), torch.minimum(x, vector), x.max(y), torch.min(x, y)),
    "comparisons": lambda x, y: (x > y, x >= 0, x < vector_of(x), x <= y, x == x, x != y, torch.gt(x, y), x.lt(0.5)),
    "comparisons_of_equals": lambda ids: (ids <= 1, ids < 1, ids >= 2, ids > 2, ids == 1, ids != 1),
    "logic": lambda mask, x: (~mask, mask & (x > 0), mask | (x > 0), mask.logical_not(),
        torch.logical_and(mask, x > 0), mask & True),
    "not_int": lambda ids: (~ids, ids.logical_not()),
    "masked_fill": lambda x, mask: (x.masked_fill(mask, -math.inf), x.masked_fill(mask[0, 0], 2.0)),
    "masked_fill_tensor": lambda x, mask, number: x.masked_fill(mask, number),
    "masked_fill_grows": lambda vector, mask: vector.masked_fill(mask, 0.0),
    "where": lambda x, y, mask, vector: (torch.where(mask, x, y), torch.where(mask, x, 0.0),
        torch.where(mask, 1.0, vector)),
    "where_method": lambda x, mask: x.where(mask, -math.inf),
    "triangles": lambda x, square: (x.tril(), square.triu(), torch.tril(x, diagonal=-1), torch.triu(x, 1)),
    "isnan": lambda x: torch.isnan(x),
    # along axes
    "sum": lambda x: (x.sum(), x.sum(-1), x.sum(dim=(0, 2)), x.sum(1, keepdim=True), torch.sum(x, [0, 1]),
        x.sum(dim=())),
    "sum_bool": lambda mask, ids: (mask.sum(), mask.sum(-1), ids.sum(0)),
    "mean": lambda x: (x.mean(), x.mean(-1, keepdim=True), x.mean((0, 1)),
        torch.mean(x, axis=1, keepdims=True)),  # type: ignore[call-overload]
    "var": lambda x: (x.var(), x.var(-1), x.var(-1, correction=0), x.var(dim=-1, unbiased=False),
        x.var((0, 2), keepdim=True)),
    "var_positional": lambda x: (x.var(-1, False), x.var(-1, True, True), x.var(False), torch.var(x, -1, keepdim=True)),
    "std": lambda x: (x.std(), x.std(-1), torch.std(x, dim=(0, 1), correction=0), x.std(-1, unbiased=False)),
    "extremes": lambda x: (x.amax(-1), x.amin((0, 1)), x.amax(dim=1, keepdim=True), x.max(), x.min()),
    "ties": lambda x: ((x * 0).amax(-1), (x * 0).max(), torch.maximum(x * 0, -x * 0), torch.min(x * 0, -x * 0)),
    "arg": lambda x: (x.argmax(), x.argmax(-1), x.argmin(0), x.argmax(dim=1, keepdim=True)),
    "prod": lambda x: (x.prod(), x.prod(-1), x.prod(1, keepdim=True)),
    "cumsum": lambda x: (x.cumsum(-1), torch.cumsum(x, dim=0)),
    "logsumexp": lambda x: (x.logsumexp(-1), torch.logsumexp(x, dim=(0, 1), keepdim=True)),
    "softmax": lambda x: (F.softmax(x, dim=-1), x.softmax(0), torch.softmax(x, 1), F.softmax(x * 1000, -1)),
    "softmax_dtype": lambda x: torch.softmax(x, dim=-1, dtype=torch.float64),
    "log_softmax": lambda x: (F.log_softmax(x, dim=-1), x.log_softmax(1), F.log_softmax(x * 1000, -1)),
    "softmax_module": lambda x: nn.Softmax(dim=-1)(x),
    "layer_norm": lambda x, vector: (F.layer_norm(x, (4,)), F.layer_norm(x, (4,), vector, vector, 1e-3)),
    "layer_norm_axes": lambda x, y: F.layer_norm(x, (3, 4), y[0], x[1]),
    "layer_norm_no_bias": lambda x, vector: F.layer_norm(x, (4,), weight=vector),
    "rms_norm": lambda x, vector: (F.rms_norm(x, (4,)), F.rms_norm(x, (4,), vector, 1e-5), F.rms_norm(x, (3, 4))),
    # look-ups
    "embedding": lambda ids, tall: F.embedding(ids, tall),
    "gather": lambda x, ids: (x.gather(-1, ids[..., None]), x.gather(1, (ids % 3)[..., None]), x[0].gather(0, ids % 3)),
    "gather_part": lambda x, ids: torch.gather(x, dim=2, index=ids[:1, :2, None]),
    "index_select": lambda x, ids: x.index_select(2, ids[0]),
    "take_along_dim": lambda x, ids: (x.take_along_dim(ids[..., None], dim=-1), x.take_along_dim(ids[0])),
    "one_hot": lambda ids: (F.one_hot(ids, 4), F.one_hot(ids, num_classes=7)),
    # indexing
    "getitem_plain": lambda x: (x[0], x[0, 1], x[-1, -1, -1], x[1:], x[:, 1:, ::2], x[..., -1], x[:, None, 0], x[None]),
    "getitem_tensor": lambda x, ids: (x[ids % 2], x[:, ids[0] % 3], x[..., ids], x[ids % 2, ids % 3],
        x[ids[0] % 2, :, ids[0]]),
    "getitem_list": lambda x: (x[[0, 1, 0]], x[:, [2, 0]], x[[0, 1], [2, 1]]),
    "getitem_mask": lambda x, mask: (x[mask], x[mask[0, 0, 0]], x[:, mask[0, :, 0]], x[x > 0], x[mask[:, :, 0]]),
    "getitem_number_between": lambda x, ids: (x[0, :, ids[0]], x[ids[0] % 2, 0, ids[0]], x[:, 0, ids[0]],
        x[:, ids[0] % 3, 1]),
    "getitem_0d": lambda x, ids: (x[ids[0, 0] % 2], x[:, ids[0, 0] % 3], x[ids[0, 0] % 2, :, ids[1]]),
    "getitem_positions": lambda x, ids: x[torch.arange(2)[:, None], torch.arange(3), ids],
    # in place
    "setitem": lambda x: put(x.clone(), 0, 5.0),
    "setitem_tensor": lambda x, y: put(x.clone(), (slice(None), 1), y[:, 0]),
    "setitem_broadcast": lambda x, vector: put(x.clone(), (slice(None), [0, 2]), vector),
    "setitem_mask": lambda x, mask: put(x.clone(), mask, 0.0),
    "setitem_mask_values": lambda x, y, mask: put(x.clone(), mask, y[mask]),
    "setitem_number_between": lambda x, ids: put(x.clone(), (0, slice(None), ids[0, :1]), 1.5),
    "in_place": lambda x, y: (x.clone().add_(y), x.clone().mul_(2), x.clone().clamp_(-1, 1), x.clone().exp_()),
    "in_place_fill": lambda x, mask: (x.clone().masked_fill_(mask, 3.0), F.relu(x.clone(), inplace=True)),
    # views
    "transpose": lambda x: (x.transpose(0, 2), x.transpose(-1, -2), x.swapaxes(0, 1),
        torch.transpose(x, dim0=0, dim1=1)),
    "turned": lambda x, tall: (tall.T, x.mT, x.permute(2, 0, 1), x.permute((0, 2, 1)),
        torch.permute(x, (1, 0, 2)), tall.t()),
    "reshape": lambda x: (x.view(6, 4), x.reshape(-1), x.mT.reshape(4, 6), x.view((2, -1)), torch.reshape(x, (24,))),
    "flatten": lambda x: (x.flatten(), x.flatten(1), x.flatten(0, 1), x.unflatten(-1, (2, 2)), x.mT.flatten(-2)),
    "flatten_names": lambda x: (x.unflatten(dim=2, sizes=[2, -1]), torch.flatten(x, start_dim=1), x.view_as(x)),
    "squeeze": lambda x: (x.unsqueeze(1), x.unsqueeze(-1).squeeze(-1), x[:1].squeeze(), x[:1].squeeze(0),
        x[:1].squeeze((0,))),
    "expand": lambda x, vector, column: (vector.expand(3, 4), column.expand(-1, 4), x[:1].expand(5, 3, 4),
        vector.expand_as(x)),
    "copies": lambda x: (x.contiguous(), x.mT.contiguous(), x.clone(), x.detach(), x.to(torch.float64),
        x.float(), x.double()),
    "types": lambda x, ids: (x.long(), (x * 3).int(), x.bool(), ids.bool(), ids.double(),
        x.to(torch.float16), ids.to(x.dtype)),
    "narrow": lambda x: (x.narrow(1, 1, 2), x.narrow(-1, 0, 3), x.select(1, 2), torch.select(x, 0, -1)),
    "split": lambda x: three(*x.split(1, dim=1)),
    "split_sizes": lambda x: two(*x.split([1, 3], dim=-1)),
    "chunk": lambda x: two(*x.chunk(2, -1)),
    "chunk_uneven": lambda x: two(*torch.chunk(x, 2, dim=1)),
    "tensor_split": lambda x: two(*torch.tensor_split(x, 2, dim=1)),
    "unbind": lambda x: two(*x.unbind()),
    "unbind_last": lambda x: three(*torch.unbind(x[..., :3], -1)),
    "repeat": lambda x, vector: (x.repeat(2, 1, 1), vector.repeat(3, 2), vector.repeat(2)),
    "repeat_interleave": lambda x: (x.repeat_interleave(2, dim=1), x.repeat_interleave(2),
        torch.repeat_interleave(x, 2, 0)),
    "repeat_each": lambda x: x.repeat_interleave(torch.tensor([1, 0, 2]), dim=1),
    "roll": lambda x: (x.roll(1, -1), x.roll((1, -1), (0, 2)), torch.roll(x, 2)),
    "flip": lambda x: (x.flip(-1), x.flip(0, 1), torch.flip(x, [0, 2])),
    "cat": lambda x, y: (torch.cat([x, y]), torch.cat((x, y, x), dim=-1), torch.cat([x, y], 1), torch.concat([x, y])),
    "cat_empty": lambda x: torch.cat([x.new_tensor([]), x[0, 0]]),
    "stack": lambda x, y: (torch.stack([x, y]), torch.stack((x, y), dim=-1), torch.stack([x, y], 1)),
    "rotary": lambda x, y: x * y + torch.cat([-x[..., 2:], x[..., :2]], dim=-1) * y,
    # order
    "topk": lambda x: two(*x.topk(2)),
    "topk_smallest": lambda x: two(*torch.topk(x, k=2, dim=1, largest=False)),
    "topk_unsorted": lambda x: two(*torch.topk(x, 3, sorted=False)),
    "sort": lambda x: two(*x.sort()),
    "sort_down": lambda x: two(*torch.sort(x, dim=1, descending=True)),
    "sort_ties": lambda ids: two(*ids.sort(-1)),
    "max_dim": lambda x: two(*x.max(dim=-1)),
    "min_keepdim": lambda x: two(*torch.min(x, 1, keepdim=True)),
    "max_ties": lambda ids: two(*(ids // 2).max(-1)),
    # losses
    "cross_entropy": lambda square, ids: F.cross_entropy(square[:3], ids[0]),
    "cross_entropy_sum": lambda square, ids: F.cross_entropy(square[:3], ids[0], reduction="sum"),
    "cross_entropy_none": lambda square, ids: F.cross_entropy(square[:3], ids[0], reduction="none"),
    "cross_entropy_one": lambda vector: F.cross_entropy(vector, torch.tensor(2)),
    "cross_entropy_ignore": lambda square: F.cross_entropy(square, torch.tensor([0, -100, 3, -100])),
    "cross_entropy_ignore_index": lambda square: F.cross_entropy(square, torch.tensor([0, 1, 3, 1]), ignore_index=1),
    "cross_entropy_weights": lambda square, positive: F.cross_entropy(square, torch.tensor([0, 1, 3, 1]),
        positive[0, 0].detach()),
    "cross_entropy_smooth": lambda square: F.cross_entropy(square, torch.tensor([0, 1, 3, -100]), label_smoothing=0.1),
    "cross_entropy_smooth_weights": lambda square, positive: F.cross_entropy(
        square, torch.tensor([0, 1, 3, 1]), positive[0, 0].detach(), label_smoothing=0.1
    ),
    "cross_entropy_shares": lambda square, x: F.cross_entropy(square, x[0, :1].softmax(-1).expand(4, 4).detach()),
    "cross_entropy_positions": lambda x, ids: F.cross_entropy(x.mT, ids),
    "cross_entropy_positions_none": lambda x, ids: F.cross_entropy(x.mT, ids, reduction="none"),
    "cross_entropy_module": lambda x, ids: nn.CrossEntropyLoss()(x.flatten(0, 1), ids.flatten()),
    "nll_loss": lambda square, ids: F.nll_loss(square[:3].log_softmax(-1), ids[0]),
    "nll_loss_none": lambda square, ids: F.nll_loss(square[:3], ids[0], reduction="none"),
    "nll_loss_weights": lambda square, positive: F.nll_loss(square, torch.tensor([0, 1, -100, 1]),
        positive[0, 0].detach()),
    "mse_loss": lambda x, y: (F.mse_loss(x, y), F.mse_loss(x, y, reduction="sum"), F.mse_loss(x, y, reduction="none")),
    "loss_by_hand": lambda x, ids: -x.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1).mean(),
    # attention
    "attention": lambda x, y: F.scaled_dot_product_attention(x.clone(), y.clone(), x.clone()),
    "attention_causal": lambda x, y: F.scaled_dot_product_attention(x.clone(), y.clone(), y.clone(),
        is_causal=True, scale=0.3),
    "attention_mask": lambda x, y, mask: F.scaled_dot_product_attention(x.clone(), y.clone(), y.clone(),
        attn_mask=(mask | True)[..., :3].tril()),
    "attention_added": lambda x, y: F.scaled_dot_product_attention(x.clone(), y.clone(), y.clone(),
        attn_mask=y[0, :, :3].clone()),
    "attention_heads": lambda x, y: F.scaled_dot_product_attention(x[:, None], y[:, None], y[:, None]),
    "attention_shared": lambda x, y: F.scaled_dot_product_attention(
        x[None].repeat(1, 2, 1, 1), y[None], y[None], enable_gqa=True
    ),
    "dropout": lambda x: F.dropout(x, 0.4, training=True),
    "dropout_off": lambda x: (F.dropout(x * 1, 0.4, training=False), F.dropout(x * 2, p=0.0),
        nn.Dropout(0.5).eval()(x * 3)),
    # from nothing
    "made": lambda x: (torch.arange(3), torch.arange(1, 4), torch.arange(0, 2, 0.5), torch.zeros(2, 3),
        torch.ones((2,))),
    "filled": lambda x: (torch.full((2, 2), 3.5), torch.tensor([[1.0, 2.0]]), torch.tensor(5), torch.zeros_like(x)),
}  # fmt: skip


def vector_of(x: Tensor) -> Tensor:
    return x[0, 0]


def put(x: Tensor, index: Any, value: Any) -> Tensor:
    x[index] = value
    return x


def two(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return a, b


def three(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return a, b, c


def run(name: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> Trace:
    function = ZOO[name]
    given = tensors(dtype, seed)
    return record(Small(function), *(given[n] for n in function.__code__.co_varnames[: function.__code__.co_argcount]))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ZOO)
def test_every_cell_of_every_operation_is_explained_by_its_own_value(name: str) -> None:
    check_trace(run(name))
