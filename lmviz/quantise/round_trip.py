"""One weight worked out: every step from the number to its code and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.quantise.arithmetic import ranges, to_blocks
from lmviz.quantise.quantised import Quantised
from lmviz.quantise.scheme import FLOATS


@dataclass(frozen=True)
class RoundTrip:
    """From a weight to its code and back: restored = (code − zero_point) × scale."""

    weight: float
    low: float  # the range of its block that is kept
    high: float
    scale: float  # the width of a step
    zero_point: int  # the code that stands for 0
    steps: float  # weight / scale: how many steps from 0
    rounded: int  # to the nearest whole number of steps; halves to the even one
    shifted: int  # rounded + zero_point
    code: int  # clipped to the codes that there are
    restored: float
    error: float  # restored − weight

    @property
    def is_clipped(self) -> bool:
        return self.code != self.shifted


@dataclass(frozen=True)
class FloatBits:
    """A number of floating point, bit by bit: (−1)^sign × 2^(exponent − bias) × 1.fraction (IEEE 754)."""

    value: float  # after it was rounded to this format
    sign: str
    exponent: str
    fraction: str


def work_out(quantised: Quantised, cell: tuple[int, ...]) -> RoundTrip:
    """The steps for one number of a quantised weight; an independent calculation with numpy, in float32 as torch's."""
    scheme, scales, zero_points = quantised.scheme, quantised.scales, quantised.zero_points
    if scales is None or zero_points is None:
        raise UserError("A number in {format} has no code: see its bits.", format=scheme.format)
    block = _block_of(quantised, cell)
    low, high = (float(edge[block]) for edge in ranges(to_blocks(quantised.original, scheme), scheme))
    weight, scale = np.float32(quantised.original[cell]), np.float32(scales[block])
    zero_point = int(zero_points[block])
    steps = weight * (np.float32(1) / scale)
    rounded = int(np.rint(steps))
    code = min(max(rounded + zero_point, scheme.lowest), scheme.highest)
    restored = np.float32(code - zero_point) * scale
    return RoundTrip(
        *(float(weight), low, high, float(scale), zero_point, float(steps), rounded, rounded + zero_point, code),
        restored=float(restored),
        error=float(restored - weight),
    )


def float_bits(number: float, format: str) -> FloatBits:
    """The bits of a number in FP32, FP16 or BF16."""
    if format not in FLOATS:
        raise UserError("format must be one of {known}; got {format!r}.", known=", ".join(FLOATS), format=format)
    rounded = torch.tensor(number, dtype=FLOATS[format])
    n_bits = torch.finfo(FLOATS[format]).bits
    n_exponent = 5 if format == "fp16" else 8
    whole = rounded.view(torch.int32 if n_bits == 32 else torch.int16).item()
    bits = f"{int(whole) % 2**n_bits:0{n_bits}b}"
    return FloatBits(float(rounded), bits[0], bits[1 : 1 + n_exponent], bits[1 + n_exponent :])


def _block_of(quantised: Quantised, cell: tuple[int, ...]) -> int:
    """Which block a cell belongs to."""
    scheme, shape = quantised.scheme, quantised.original.shape
    if scheme.granularity == "tensor" or len(shape) < 2:
        return 0
    if scheme.granularity == "channel":
        return cell[0]
    place = int(np.ravel_multi_index(cell[1:], shape[1:]))
    return cell[0] * -(-shape[1:].numel() // scheme.group_size) + place // scheme.group_size


def error_map(quantised: Quantised) -> Tensor:
    """Of a weight of one or two axes, the error of each number in steps: −0.5 to 0.5 where nothing is clipped."""
    return quantised.error / quantised.steps()
