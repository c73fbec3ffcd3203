"""Fake quantisation: the numbers that come back from the codes, in FP32, so that any model can compute with them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lmviz.quantise.arithmetic import cast_through, from_blocks, from_codes, ranges, scale_and_zero, to_blocks, to_codes
from lmviz.quantise.scheme import FLOATS, Scheme


class FakeQuantise(nn.Module):
    """A weight, as it is after quantisation and back (Jacob et al. 2018, 3).

    The scales follow the weight at every call. Gradients pass where nothing is clipped, and are 0 where it is.
    """

    def __init__(self, scheme: Scheme) -> None:
        super().__init__()
        self.scheme = scheme

    def forward(self, weight: Tensor) -> Tensor:
        if not self.scheme.is_integer:
            return cast_through(weight, FLOATS[self.scheme.format])
        blocks = to_blocks(weight, self.scheme)  # [block, number]
        low, high = ranges(blocks.detach(), self.scheme)  # [block, 1]
        scale, zero = scale_and_zero(low, high, self.scheme)  # [block, 1]
        codes = to_codes(blocks, scale, zero, self.scheme)  # [block, number], whole numbers
        restored = from_codes(codes, scale, zero)  # [block, number]
        return from_blocks(restored, weight.shape, self.scheme)


class FakeQuantiseRange(nn.Module):
    """Activations within a range that was measured before, all on one scale; what lies outside is clipped."""

    scale: Tensor
    zero: Tensor

    def __init__(self, low: float, high: float, scheme: Scheme) -> None:
        super().__init__()
        self.scheme = scheme
        scale, zero = scale_and_zero(torch.tensor(low * scheme.keep), torch.tensor(high * scheme.keep), scheme)
        self.register_buffer("scale", scale)
        self.register_buffer("zero", zero)

    def forward(self, x: Tensor) -> Tensor:
        codes = to_codes(x, self.scale, self.zero, self.scheme)  # the shape of x, whole numbers
        restored = from_codes(codes, self.scale, self.zero)
        return restored
