"""Windows, normalisation, scattering and the like hold for shapes and settings that nobody chose."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn

from lmviz.trace.recorder import record
from tests.examples import times
from tests.property.test_explain_shapes import PAIRS, SHAPES, check, normal
from tests.property.test_explain_zoo import Small, check_trace

SIDE = st.integers(2, 5)
CONVOLUTIONS = {1: (F.conv1d, F.conv_transpose1d), 2: (F.conv2d, F.conv_transpose2d), 3: (F.conv3d, F.conv_transpose3d)}
POOLS = {1: (F.max_pool1d, F.avg_pool1d), 2: (F.max_pool2d, F.avg_pool2d), 3: (F.max_pool3d, F.avg_pool3d)}
few = times(1 / 3)  # these take long


def sizes(data: st.DataObject, n: int, low: int = 2, high: int = 5) -> tuple[int, ...]:
    return tuple(data.draw(st.integers(low, high)) for _ in range(n))


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 3])
@few
@given(data=st.data(), groups=st.integers(1, 2), batched=st.booleans(), bias=st.booleans())
def test_convolutions(n: int, data: st.DataObject, groups: int, batched: bool, bias: bool) -> None:
    place, kernel = sizes(data, n, 2, 5 if n < 3 else 3), sizes(data, n, 1, 2)
    stride, padding, dilation = (sizes(data, n, low, 2) for low in (1, 0, 1))
    forward, back = CONVOLUTIONS[n]
    lead = (2,) if batched else ()
    x, shift = normal((*lead, 2, *place)), normal((2,), 2) if bias else None
    weight = normal((2, 2 // groups, *kernel), 1)
    padding = tuple(
        max(p, (d * (k - 1) + 2 - size) // 2) for p, d, k, size in zip(padding, dilation, kernel, place, strict=True)
    )
    given_bias = [] if shift is None else [shift]
    check(lambda x, w, *b: forward(x, w, *(b or (None,)), stride, padding, dilation, groups), x, weight, *given_bias)
    check(lambda x, w: back(x, w, None, stride, 0, 0, groups, dilation), x, weight)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 3])
@few
@given(data=st.data(), ceil=st.booleans(), counts=st.booleans())
def test_pools(n: int, data: st.DataObject, ceil: bool, counts: bool) -> None:
    place, kernel, stride = sizes(data, n, 3, 5 if n < 3 else 4), sizes(data, n, 1, 3), sizes(data, n, 1, 2)
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    largest, mean = POOLS[n]
    x = normal((1, 2, *place))
    check(lambda x: mean(x, kernel, stride, padding, ceil, counts), x)
    check(lambda x: largest(x, kernel, stride, padding, ceil_mode=ceil), x)
    check_trace(record(Small(lambda x: largest(x, kernel, stride, padding, ceil_mode=ceil, return_indices=True)), x), 6)


@pytest.mark.parametrize("n", [1, 2, 3])
@few
@given(data=st.data())
def test_adaptive_pools(n: int, data: st.DataObject) -> None:
    x, out = normal((1, 2, *sizes(data, n, 1, 5))), sizes(data, n, 1, 4)
    size: Any = out if n > 1 else out[0]
    mean, largest = (getattr(F, f"adaptive_{kind}_pool{n}d") for kind in ("avg", "max"))
    check(lambda x: (mean(x, size), largest(x, size)), x)


@pytest.mark.slow
@given(data=st.data(), mode=st.sampled_from(["constant", "reflect", "replicate", "circular"]), n=st.integers(1, 2))
def test_borders(data: st.DataObject, mode: str, n: int) -> None:
    shape = (2, 3, *sizes(data, n, 3, 5))
    low = -1 if mode == "constant" else 0
    pad = [data.draw(st.integers(low, 2)) for _ in range(2 * n)]
    value = {"value": 1.5} if mode == "constant" else {}
    check(lambda x: F.pad(x, pad, mode, **value), normal(shape))


@given(
    data=st.data(),
    align=st.booleans(),
    mode=st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]),
)
def test_resampling(data: st.DataObject, align: bool, mode: str) -> None:
    x = normal((1, 2, *sizes(data, 2, 1, 5)))
    by_size = data.draw(st.booleans()) or mode == "area"
    how: dict[str, Any] = (
        {"size": sizes(data, 2, 1, 6)} if by_size else {"scale_factor": data.draw(st.sampled_from([0.7, 1.5, 2.0]))}
    )
    if not by_size and min(x.shape[2:]) * how["scale_factor"] < 1:
        return
    if mode in ("bilinear", "bicubic"):
        how["align_corners"] = align
    check(lambda x: F.interpolate(x, mode=mode, **how), x)


@pytest.mark.slow
@given(data=st.data(), align=st.booleans(), mode=st.sampled_from(["bilinear", "nearest"]),
    border=st.sampled_from(["zeros", "border", "reflection"]))  # fmt: skip
def test_sampling_at_places(data: st.DataObject, align: bool, mode: str, border: str) -> None:
    x, grid = normal((1, 2, *sizes(data, 2, 2, 4))), normal((1, 2, 3, 2), 1) * 1.5
    check(lambda x: F.grid_sample(x, grid.detach(), mode, border, align), x)


@pytest.mark.slow
@given(data=st.data(), dilation=st.integers(1, 2), padding=st.integers(0, 1), stride=st.integers(1, 2))
def test_windows_laid_out_and_put_back(data: st.DataObject, dilation: int, padding: int, stride: int) -> None:
    image, kernel = sizes(data, 2, 3, 5), sizes(data, 2, 1, 2)
    how = (kernel, dilation, padding, stride)
    check(lambda x: F.fold(F.unfold(x, *how), image, *how), normal((1, 2, *image)))


@few
@given(data=st.data(), groups=st.sampled_from([1, 2, 4]), learned=st.booleans())
def test_norms_of_channels(data: st.DataObject, groups: int, learned: bool) -> None:
    x = normal((2, 4, *sizes(data, data.draw(st.integers(1, 2)), 2, 3)))
    own = [normal((4,), 1), normal((4,), 2)] if learned else []
    kept, spread = normal((4,), 3).detach(), normal((4,), 4).detach().abs() + 0.1
    check(
        lambda x, *own: (
            F.group_norm(x, groups, *own),
            F.instance_norm(x, None, None, *own),
            F.batch_norm(x, None, None, *(own or (None, None)), True),
            F.batch_norm(x, kept, spread, *own),
        ),
        *(x, *own),
    )


@pytest.mark.slow
@given(data=st.data(), shape=SHAPES.filter(bool), p=st.sampled_from([1.0, 2.0, 3.0, 0.5]), keepdim=st.booleans())
def test_lengths(data: st.DataObject, shape: tuple[int, ...], p: float, keepdim: bool) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    check(
        lambda x: (x.norm(p, dim, keepdim), F.normalize(x, p, dim), torch.linalg.vector_norm(x, p, dim, keepdim)),
        normal(shape),
    )


@given(data=st.data(), shape=SHAPES.filter(bool), operation=st.sampled_from(
    ["cumprod", "cummax", "cummin", "logcumsumexp", "diff", "sort", "kthvalue", "median", "mode", "var_mean",
        "glu"]))  # fmt: skip
def test_along_an_axis(data: st.DataObject, shape: tuple[int, ...], operation: str) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    if operation == "glu":
        check(lambda x: F.glu(torch.cat([x, x * 2], dim), dim), normal(shape))
    elif operation == "kthvalue":
        check(lambda x: x.kthvalue(1, dim)[0], normal(shape))
    else:
        extra = {"correction": 0} if operation == "var_mean" else {}
        check(lambda x: getattr(torch, operation)(x, dim=dim, **extra), normal(shape))


@pytest.mark.slow
@given(data=st.data(), shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
def test_scattering(data: st.DataObject, shape: tuple[int, ...]) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    draw = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    index = torch.randint(0, shape[dim], shape, generator=draw)
    places = torch.randint(0, shape[dim], (shape[dim],), generator=draw)
    check(
        lambda x, y: (
            *(x.scatter_add(dim, index, y), x.index_add(dim, places, y, alpha=2), x.gather(dim, index)),
            *(x.index_select(dim, places), x.scatter_reduce(dim, index, y, "mean"), x.index_fill(dim, places, 2.0)),
        ),
        *(normal(shape), normal(shape, 1)),
    )
    check_trace(
        record(Small(lambda x, y: x.scatter(dim, index, y)), normal(shape).detach(), normal(shape, 1).detach()), 6
    )


@given(shapes=PAIRS, name=st.sampled_from(["atan2", "hypot", "logaddexp", "fmod", "copysign", "xlogy", "fmax"]))
def test_functions_of_two_numbers_repeat_size_1(shapes: hnp.BroadcastableShapes, name: str) -> None:
    a, b = shapes.input_shapes
    check(lambda x, y: getattr(torch, name)(x, y.abs() + 0.1), normal(a), normal(b, 1))


@pytest.mark.slow
@given(shapes=PAIRS, weight=st.sampled_from([0.3, -1.0]))
def test_between_two_repeats_size_1(shapes: hnp.BroadcastableShapes, weight: float) -> None:
    a, b = shapes.input_shapes
    check(lambda x, y: (torch.lerp(x.expand(shapes.result_shape), y.expand(shapes.result_shape), weight),
        torch.addcmul(x, y, y, value=weight), F.cosine_similarity(x, y, dim=-1) if shapes.result_shape else x),
        normal(a), normal(b, 1))  # fmt: skip


@given(data=st.data(), reduction=st.sampled_from(["none", "sum", "mean"]), shape=SHAPES.filter(bool))
def test_losses_of_pairs(data: st.DataObject, reduction: str, shape: tuple[int, ...]) -> None:
    y = normal(shape, 1).detach()
    name = data.draw(st.sampled_from(["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss"]))
    check(lambda x: getattr(F, name)(x, y.sign() if name.startswith("soft") else y, reduction=reduction), normal(shape))


# -- recurrent networks ------------------------------------------------------------------------------------------------


@pytest.mark.nightly
@times(0.1)
@given(data=st.data(), kind=st.sampled_from(["LSTM", "GRU", "RNN"]), layers=st.integers(1, 2), both=st.booleans(),
    batch_first=st.booleans(), bias=st.booleans(), packed=st.booleans())  # fmt: skip
def test_recurrent_networks(
    data: st.DataObject, kind: str, layers: int, both: bool, batch_first: bool, bias: bool, packed: bool
) -> None:
    settings: dict[str, Any] = {"proj_size": data.draw(st.integers(0, 1))} if kind == "LSTM" else {}
    torch.manual_seed(0)
    network = getattr(nn, kind)(
        2, 2, layers, bidirectional=both, batch_first=batch_first, bias=bias, **settings
    ).double()
    lengths = sorted((data.draw(st.integers(1, 3)) for _ in range(2)), reverse=True)

    def function(x: Tensor) -> Any:
        given = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first) if packed else x
        out, state = network(given)
        return nn.utils.rnn.pad_packed_sequence(out, batch_first)[0] if packed else out, state

    x = normal((2, lengths[0], 2) if batch_first else (lengths[0], 2, 2))
    check(function, x)
