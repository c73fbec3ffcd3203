"""Explanations hold for shapes, axes, indices and equations that nobody chose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from lmviz.trace.recorder import record
from tests.examples import times
from tests.property.test_explain_gradient import check_gradients, mixed
from tests.property.test_explain_zoo import Small, check_trace

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=3)
BATCHED = hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3)
PAIRS = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3)


def normal(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    made = torch.from_numpy(np.random.default_rng(seed).normal(size=shape))
    return made.requires_grad_()


def check(function: Callable[..., Any], *inputs: Tensor) -> None:
    """Values and gradients, from one recording."""
    trace = record(Small(function), *inputs, backward=mixed)
    check_trace(trace, at_most=5)
    check_gradients(trace, at_most=4)


def axes(data: st.DataObject, shape: tuple[int, ...]) -> Any:
    """None, one axis or several, from either end."""
    if not shape:
        return None
    one = st.integers(-len(shape), len(shape) - 1)
    return data.draw(st.none() | one | st.lists(one, min_size=1, unique_by=lambda i: i % len(shape)).map(tuple))


@given(shapes=BATCHED)
def test_matmul(shapes: hnp.BroadcastableShapes) -> None:
    a, b = shapes.input_shapes
    check(lambda x, y: x @ y, normal(a), normal(b, 1))


@given(shapes=PAIRS, operation=st.sampled_from(["add", "sub", "mul", "div", "maximum", "minimum"]))
def test_arithmetic_repeats_size_1(shapes: hnp.BroadcastableShapes, operation: str) -> None:
    a, b = shapes.input_shapes
    check(lambda x, y: getattr(torch, operation)(x, y), normal(a), normal(b, 1))


@given(shapes=PAIRS)
def test_choices_repeat_size_1(shapes: hnp.BroadcastableShapes) -> None:
    a, b = shapes.input_shapes
    check(lambda x, y: (torch.where(x > 0, y, x), y.masked_fill(torch.zeros(b) > y, 2.0)), normal(a), normal(b, 1))


@given(data=st.data(), shape=SHAPES, keepdim=st.booleans())
def test_reductions(data: st.DataObject, shape: tuple[int, ...], keepdim: bool) -> None:
    dim, operation = axes(data, shape), data.draw(st.sampled_from(["sum", "mean", "amax", "amin", "var", "logsumexp"]))
    if operation in ("amax", "amin", "logsumexp") and dim is None:
        dim = tuple(range(len(shape)))
    extra = {"correction": 0} if operation == "var" else {}
    check(lambda x: getattr(torch, operation)(x, dim=dim, keepdim=keepdim, **extra), normal(shape))


@given(data=st.data(), shape=SHAPES.filter(bool), operation=st.sampled_from(["softmax", "log_softmax", "cumsum"]))
def test_along_an_axis(data: st.DataObject, shape: tuple[int, ...], operation: str) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    check(lambda x: getattr(torch, operation)(x, dim=dim), normal(shape))


@pytest.mark.slow
@times(0.5)  # ten ways each
@given(data=st.data(), shape=SHAPES.filter(lambda shape: len(shape) > 1))
def test_views(data: st.DataObject, shape: tuple[int, ...]) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    i, j = data.draw(st.integers(-len(shape), len(shape) - 1)), data.draw(st.integers(0, len(shape) - 1))
    size = data.draw(st.integers(1, shape[j]))
    check(
        lambda x: (
            *(
                x.permute(order),
                x.transpose(i, j),
                x.permute(order).reshape(-1),
                x.unsqueeze(i),
                x.flip(j),
                x.roll(1, j),
            ),
            *(x[None].expand(2, *shape), torch.cat([x, x], i), torch.stack([x, x], j), x.narrow(j, 0, size)),
        ),
        normal(shape),
    )


@given(data=st.data(), shape=SHAPES.filter(bool))
def test_basic_indexing(data: st.DataObject, shape: tuple[int, ...]) -> None:
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True).filter(_forwards))
    check(lambda x: x[index], normal(shape))


def _forwards(index: Any) -> bool:
    """Torch knows no negative steps."""
    items = index if isinstance(index, tuple) else (index,)
    return all(not isinstance(item, slice) or item.step is None or item.step > 0 for item in items)


@given(data=st.data(), shape=SHAPES.filter(lambda shape: len(shape) > 1))
def test_advanced_indexing(data: st.DataObject, shape: tuple[int, ...]) -> None:
    """Tensors, masks, numbers and slices in one index, for reading and for writing."""
    length = data.draw(st.integers(1, 3))
    items: list[Any] = []
    for size in shape:
        kind = data.draw(st.sampled_from(["tensor", "tensor", "number", "slice", "all"]))
        numbers = data.draw(st.lists(st.integers(-size, size - 1), min_size=length, max_size=length))
        made = {"tensor": torch.tensor(numbers), "number": numbers[0], "slice": slice(0, size - 1), "all": slice(None)}
        items.append(made[kind])
    cut = data.draw(st.integers(1, len(items)))
    ellipsis = data.draw(st.booleans())
    index = (*items[:cut], ...) if ellipsis else tuple(items[:cut])
    check(lambda x: x[index], normal(shape))
    trace = record(Small(lambda x: _written(x.clone(), index, 7.0)), normal(shape).detach())
    check_trace(trace, at_most=8)


def _written(x: Tensor, index: Any, value: Any) -> Tensor:
    x[index] = value
    return x


@given(data=st.data())
def test_einsum(data: st.DataObject) -> None:
    """Any letters on the left, some of them, in any order, on the right; or none said."""
    letters, sizes = "abcd", dict(zip("abcd", (2, 3, 1, 2), strict=True))
    parts = data.draw(st.lists(st.text(letters, min_size=1, max_size=3), min_size=1, max_size=3))
    met = sorted({letter for part in parts for letter in part})
    right = data.draw(st.permutations(met).flatmap(lambda p: st.integers(0, len(p)).map(lambda n: "".join(p[:n]))))
    equation = ",".join(parts) + data.draw(st.sampled_from(["", "->" + right]))
    tensors = [normal(tuple(sizes[letter] for letter in part), i) for i, part in enumerate(parts)]
    check(lambda *x: torch.einsum(equation, *x), *tensors)


@given(data=st.data(), shape=SHAPES.filter(bool))
def test_normalisation(data: st.DataObject, shape: tuple[int, ...]) -> None:
    over = shape[data.draw(st.integers(0, len(shape) - 1)) :]
    weight, bias = normal(over, 1), normal(over, 2)
    check(
        lambda x, w, b: (
            torch.nn.functional.layer_norm(x, over, w, b),
            torch.nn.functional.rms_norm(x, over, w, 1e-3),
        ),
        *(normal(shape), weight, bias),
    )
