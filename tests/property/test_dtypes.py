"""What a type of number holds is what torch makes of it: rounded, wrapped around, cut off, or infinite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmviz.explain import explain
from lmviz.trace.operations.dtypes import BITS, cast
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace
from tests.property.test_explain_zoo import Small, check_trace

FLOATS = ("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2")
WHOLE = ("int8", "int16", "int32", "int64", "uint8")
AWKWARD = (
    0.0,
    -0.0,
    math.inf,
    -math.inf,
    math.nan,
    0.1,
    255.5,
    256.0,
    300.7,
    -300.7,
    65519.0,
    65520.0,
    3e9,
    1e19,
    448.0,
    464.0,
)
NUMBERS = st.sampled_from(AWKWARD) | st.floats(width=32) | st.floats(-1e3, 1e3, width=32)
INTS = st.sampled_from([0, 1, -1, 127, 128, -128, -129, 2**31 - 1, 2**31, 2**63 - 1, -(2**63)]) | st.integers(
    -(2**63), 2**63 - 1
)


def same(value: complex, expected: float) -> bool:
    return value == expected or (math.isnan(expected) and math.isnan(value.real))


def check_values(trace: Trace) -> None:
    """Exactly: what is written has floats in it, which whole numbers of 64 bits don't fit into."""
    assert trace.failure is None, trace.failure
    for step in trace:
        for cell in np.ndindex(*step.outputs[0].shape):
            why = explain(step, cell)
            assert why.known
            assert why.value == float(step.outputs[0].array[cell])


@pytest.mark.parametrize("dtype", [*FLOATS, *WHOLE, "bool"])
@given(number=NUMBERS)
def test_a_float_in_another_type(dtype: str, number: float) -> None:
    kind = getattr(torch, dtype)
    single = torch.tensor([number], dtype=torch.float32)
    assert same(cast(float(single[0]), dtype), float(single.to(kind).to(torch.float64)[0]))


@pytest.mark.parametrize("dtype", [*WHOLE, "float16", "bfloat16", "float32"])
@given(number=INTS)
def test_a_whole_number_in_another_type(dtype: str, number: int) -> None:
    made = torch.tensor([number]).to(getattr(torch, dtype))
    assert cast(number, dtype) == pytest.approx(float(made.double()[0]), rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["add", "sub", "mul", "floor_divide", "remainder", "maximum", "bitwise_xor"])
@pytest.mark.parametrize("dtype", WHOLE)
@given(data=st.data())
def test_arithmetic_of_whole_numbers_wraps_around(dtype: str, operation: str, data: st.DataObject) -> None:
    kind = getattr(torch, dtype)
    low, high = torch.iinfo(kind).min, torch.iinfo(kind).max
    edge = st.sampled_from([low, high, 1, 3]) | st.integers(low, high)
    a, b = (torch.tensor(data.draw(st.lists(edge, min_size=3, max_size=3)), dtype=kind) for _ in range(2))
    if operation in ("floor_divide", "remainder"):
        a, b = (a if low == 0 else a.clamp(min=low + 1)), b | 1  # the smallest by -1 stops a processor
    check_values(record(Small(lambda x, y: getattr(torch, operation)(x, y)), a, b))


@pytest.mark.parametrize("dtype", WHOLE)
def test_sums_and_products_of_whole_numbers_wrap_around(dtype: str) -> None:
    kind = getattr(torch, dtype)
    x = torch.full((3, 3), torch.iinfo(kind).max, dtype=kind)
    trace = record(
        Small(lambda x: (x.sum(dtype=kind), x.prod(-1), x.cumsum(0, dtype=kind), x @ x, x**5, -x, x.square())), x
    )
    check_values(trace)
    assert explain(trace[0], ()).written[0] == f"{dtype}("


def test_a_product_that_is_too_long_for_a_float_wraps_around_all_the_same() -> None:
    x = torch.full((40,), 3**39)
    trace = record(Small(lambda x: (x.prod(), x.cumprod(0), x**39)), x)
    check_values(trace)


def test_the_largest_numbers_overflow() -> None:
    x = torch.tensor([3e38, -3e38, 1e-30, 88.0])
    half = torch.tensor([6e4, -6e4, 1e-4], dtype=torch.float16)
    trace = record(
        Small(lambda x, half: (x + x, x * x, x.exp(), x.half(), half + half, half.float() * half, x.bfloat16())),
        x,
        half,
    )
    check_trace(trace)
    assert explain(trace[0], (0,)).value == math.inf
    assert explain(trace[0], (0,)).written[0] == "float32("


def test_infinities_and_nan_as_whole_numbers_are_what_the_processor_makes_of_them() -> None:
    """T5's relative positions: log(0).long()."""
    x = torch.tensor([math.inf, -math.inf, math.nan, 1e20, -2.7])
    for dtype in WHOLE:
        trace = record(Small(lambda x, dtype=dtype: x.to(getattr(torch, dtype))), x)
        for cell in np.ndindex(5):
            assert explain(trace[-1], cell).value == float(trace[-1].outputs[0].array[cell])


@given(a=NUMBERS, b=NUMBERS, dtype=st.sampled_from(["float16", "bfloat16"]))
def test_arithmetic_in_half_precision_is_rounded_as_torch_rounds_it(a: float, b: float, dtype: str) -> None:
    x, y = (torch.tensor([number]).to(getattr(torch, dtype)) for number in (a, b))
    trace = record(Small(lambda x, y: (x + y, x - y, x * y, x.to(torch.float32))), x, y)
    for step in trace:
        why = explain(step, (0,))
        assert why.known
        assert same(why.value, float(step.outputs[0].array[0]))


def test_a_number_of_the_source_is_compared_in_the_type_of_the_tensor() -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        x = torch.tensor([0.1, 0.7], dtype=dtype)
        check_trace(
            record(Small(lambda x: (x == 0.1, x <= 0.7, x < 0.7, x >= 0.1, x > 0.1, x // 0.1, x % 0.1, x.fmod(0.1))), x)
        )


def test_every_type_of_whole_numbers_has_its_bits() -> None:
    assert all(torch.iinfo(getattr(torch, dtype)).bits == bits for dtype, bits in BITS.items())
