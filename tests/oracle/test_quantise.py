"""Round trips and their gradients against torch's own quantisation functions and observers, to the last bit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lmviz.quantise.arithmetic import scale_and_zero, to_blocks
from lmviz.quantise.fake import FakeQuantise, FakeQuantiseRange
from lmviz.quantise.quantised import Quantised, quantise
from lmviz.quantise.scheme import Scheme

INTEGERS = [
    Scheme(format, symmetric, granularity, group_size=4, keep=keep)
    for format in ("int8", "int4")
    for symmetric in (True, False)
    for granularity in ("tensor", "channel", "group")
    for keep in (1.0, 0.7)
]


@pytest.fixture(autouse=True)
def _deprecated_oracles() -> Iterator[None]:
    """torch will drop its quantised tensors one day; until then they are an oracle."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield


def weight(seed: int = 0) -> Tensor:
    """[6, 10] numbers of very different sizes, one row of them 0."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(6, 10, generator=generator) * torch.tensor([0.01, 1, 3, 100, 0, 1e-4])[:, None]
    return drawn + torch.tensor([0, 0.5, -2, 0, 0, 0])[:, None]


def theirs(matrix: Tensor, quantised: Quantised) -> Tensor:
    """torch's fake quantisation with the scales and zero points that we found."""
    scheme = quantised.scheme
    assert quantised.scales is not None
    assert quantised.zero_points is not None
    zeros = quantised.zero_points.to(torch.int32)
    if scheme.granularity == "tensor":
        return torch.fake_quantize_per_tensor_affine(
            matrix, quantised.scales[0], zeros[0], scheme.lowest, scheme.highest
        )
    blocks = to_blocks(matrix, scheme)
    fake = torch.fake_quantize_per_channel_affine(blocks, quantised.scales, zeros, 0, scheme.lowest, scheme.highest)
    return fake.reshape(len(matrix), -1)[:, : matrix.shape[1]]


@pytest.mark.parametrize("scheme", INTEGERS, ids=str)
def test_round_trips_and_gradients_are_those_of_torch(scheme: Scheme) -> None:
    ours, other = weight().requires_grad_(), weight().requires_grad_()
    quantised = quantise(ours, scheme)
    expected = theirs(other, quantised)
    assert torch.equal(quantised.restored, expected.detach())
    assert torch.equal(FakeQuantise(scheme)(ours), expected)
    slopes = weight(seed=1)
    (FakeQuantise(scheme)(ours) * slopes).sum().backward()
    (expected * slopes).sum().backward()
    torch.testing.assert_close(ours.grad, other.grad)
    if scheme.keep < 1:
        assert (ours.grad == 0).any()  # where it is clipped


def test_numbers_near_the_middle_of_a_step_are_rounded_to_the_same_side() -> None:
    scale = quantise(weight()[1], Scheme("int8")).scales
    assert scale is not None
    numbers = (torch.arange(-120, 120) + 0.5) * scale
    numbers = torch.cat(
        [numbers, numbers.nextafter(torch.tensor(9e9)), numbers.nextafter(torch.tensor(-9e9)), 127 * scale]
    )
    quantised = quantise(numbers, Scheme("int8"))
    assert torch.equal(quantised.restored, theirs(numbers, quantised))


@pytest.mark.parametrize("scheme", [s for s in INTEGERS if s.format == "int8" and s.granularity != "group"], ids=str)
def test_codes_are_those_of_torch(scheme: Scheme) -> None:
    quantised = quantise(weight(), scheme)
    assert quantised.codes is not None
    assert quantised.scales is not None
    assert quantised.zero_points is not None
    dtype = torch.qint8 if scheme.symmetric else torch.quint8
    if scheme.granularity == "tensor":
        made = torch.quantize_per_tensor(weight(), float(quantised.scales[0]), int(quantised.zero_points[0]), dtype)
    else:
        made = torch.quantize_per_channel(weight(), quantised.scales, quantised.zero_points, 0, dtype)
    if scheme.keep == 1:
        assert torch.equal(made.dequantize(), quantised.restored)
    lowest = torch.full_like(quantised.codes, scheme.lowest)
    assert torch.equal(torch.maximum(made.int_repr().to(torch.int16), lowest), quantised.codes)


@given(st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=20))
def test_scales_and_zero_points_are_those_of_the_observer(numbers: list[float]) -> None:
    from torch.ao.quantization.observer import MinMaxObserver

    x = torch.tensor(numbers)
    for scheme in (Scheme("int8", symmetric=False), Scheme("int4", symmetric=False)):
        observer = MinMaxObserver(
            dtype=torch.quint8, qscheme=torch.per_tensor_affine, quant_min=0, quant_max=scheme.highest, eps=0.0
        )
        observer(x)
        scale, zero = scale_and_zero(x.amin(), x.amax(), scheme)
        expected_scale, expected_zero = observer.calculate_qparams()
        if x.abs().max() > 1e-30:
            assert scale == expected_scale[0]
            assert zero == expected_zero[0]


@pytest.mark.parametrize("format", ["fp16", "bf16"])
def test_other_floats_are_those_of_torch(format: str) -> None:
    dtype = torch.float16 if format == "fp16" else torch.bfloat16
    matrix = weight().requires_grad_()
    assert torch.equal(quantise(matrix, Scheme(format)).restored, matrix.detach().to(dtype).float())
    rounded = FakeQuantise(Scheme(format))(matrix)
    assert torch.equal(rounded, matrix.to(dtype).float())
    rounded.sum().backward()
    assert (matrix.grad == 1).all()


def test_activations_in_a_range_are_those_of_torch() -> None:
    x = weight()
    module = FakeQuantiseRange(-3.0, 50.0, Scheme("int8", symmetric=False))
    expected = torch.fake_quantize_per_tensor_affine(x, float(module.scale), int(module.zero), 0, 255)
    assert torch.equal(module(x), expected)
