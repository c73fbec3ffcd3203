"""Laws of quantisation, whatever the weights."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from lmviz.quantise.packing import pack
from lmviz.quantise.quantised import quantise
from lmviz.quantise.round_trip import error_map, work_out
from lmviz.quantise.scheme import Scheme

NUMBERS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
MATRICES = st.tuples(st.integers(1, 5), st.integers(1, 9)).flatmap(
    lambda shape: st.lists(NUMBERS, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
        lambda numbers: torch.tensor(numbers).reshape(shape)
    )
)
SCHEMES = st.builds(
    Scheme,
    format=st.sampled_from(["int8", "int4"]),
    symmetric=st.booleans(),
    granularity=st.sampled_from(["tensor", "channel", "group"]),
    group_size=st.integers(1, 12),
)


def unpack(packed: torch.Tensor, shape: torch.Size, scheme: Scheme) -> torch.Tensor:
    """The codes (int16) that were packed."""
    counted = packed
    if scheme.n_bits == 4:
        counted = torch.stack([packed & 15, packed >> 4], dim=1).flatten()
    return counted[: shape.numel()].to(torch.int16).reshape(shape) + scheme.lowest


@given(MATRICES, SCHEMES)
def test_no_error_is_larger_than_half_a_step(matrix: torch.Tensor, scheme: Scheme) -> None:
    quantised = quantise(matrix, scheme)
    steps = quantised.steps()
    assert (quantised.error.abs() <= steps * 0.5 + matrix.abs() * 1e-6 + steps * scheme.highest * 1e-6).all()


@given(MATRICES, SCHEMES)
def test_zero_is_kept_and_codes_stay_within_their_bits(matrix: torch.Tensor, scheme: Scheme) -> None:
    matrix[0, 0] = 0
    quantised = quantise(matrix, scheme)
    assert quantised.restored[0, 0] == 0
    assert quantised.codes is not None
    assert scheme.lowest <= int(quantised.codes.min())
    assert int(quantised.codes.max()) <= scheme.highest
    assert len(set(quantised.codes.flatten().tolist())) <= 2**scheme.n_bits


@given(MATRICES, SCHEMES, st.floats(0.05, 1))
def test_packed_codes_come_back(matrix: torch.Tensor, scheme: Scheme, keep: float) -> None:
    scheme = Scheme(scheme.format, scheme.symmetric, scheme.granularity, scheme.group_size, keep)
    quantised = quantise(matrix, scheme)
    assert quantised.codes is not None
    packed = pack(quantised.codes, scheme)
    assert packed.dtype == torch.uint8
    assert len(packed) == (matrix.numel() * scheme.n_bits + 7) // 8
    assert torch.equal(unpack(packed, matrix.shape, scheme), quantised.codes)


@given(MATRICES, SCHEMES, st.floats(0.05, 1), st.data())
def test_one_weight_worked_out_is_what_was_computed(
    matrix: torch.Tensor, scheme: Scheme, keep: float, data: st.DataObject
) -> None:
    scheme = Scheme(scheme.format, scheme.symmetric, scheme.granularity, scheme.group_size, keep)
    quantised = quantise(matrix, scheme)
    cell = tuple(data.draw(st.integers(0, size - 1)) for size in matrix.shape)
    working = work_out(quantised, cell)
    assert quantised.codes is not None
    assert working.code == quantised.codes[cell]
    assert working.restored == quantised.restored[cell]
    assert working.scale == quantised.steps()[cell]
    assert working.error == quantised.error[cell]
    assert working.is_clipped or abs(error_map(quantised)[cell]) <= 0.5001


@given(MATRICES, st.sampled_from(["int8", "int4"]), st.sampled_from(["tensor", "channel", "group"]))
def test_what_is_symmetrically_quantised_stays_as_it_is(matrix: torch.Tensor, format: str, granularity: str) -> None:
    scheme = Scheme(format, granularity=granularity, group_size=3)
    once = quantise(matrix, scheme).restored
    torch.testing.assert_close(quantise(once, scheme).restored, once, rtol=1e-6, atol=0)
