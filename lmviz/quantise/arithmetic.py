"""Scale, zero point, rounding and clipping: the arithmetic of quantisation, as torch's own functions do it.

Numbers that share a scale form a block. Everything here works on blocks, [block, number].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lmviz.quantise.scheme import Scheme

_SMALLEST_SCALE = torch.finfo(torch.float32).tiny  # so that 1 / scale is a number


def to_blocks(weight: Tensor, scheme: Scheme) -> Tensor:
    """The numbers of a weight, a row for each block; the last group of a channel is filled up with zeros."""
    if scheme.granularity == "tensor" or weight.ndim < 2:
        return weight.reshape(1, -1)
    channels = weight.reshape(len(weight), -1)
    if scheme.granularity == "channel":
        return channels
    missing = -channels.shape[1] % scheme.group_size
    return F.pad(channels, (0, missing)).reshape(-1, scheme.group_size)


def from_blocks(blocks: Tensor, shape: torch.Size, scheme: Scheme) -> Tensor:
    """A weight of this shape from its blocks."""
    if scheme.granularity != "group" or len(shape) < 2:
        return blocks.reshape(shape)
    channels = blocks.reshape(shape[0], -1)
    return channels[:, : shape[1:].numel()].reshape(shape)


def ranges(blocks: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """The lowest and the highest number that each block keeps, both [block, 1]."""
    return blocks.amin(1, keepdim=True) * scheme.keep, blocks.amax(1, keepdim=True) * scheme.keep


def scale_and_zero(low: Tensor, high: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """The width of a step, and the code that stands for 0, of each block (Jacob et al. 2018, 2.1 and 3).

    Symmetric: the number farthest from 0 gets the highest code. Else: the range, 0 included, is spread over all codes,
    and the zero point is rounded, so that 0 itself is kept without error.
    """
    if scheme.symmetric:
        farthest = torch.maximum(low.abs(), high.abs())
        return (farthest / scheme.highest).clamp(min=_SMALLEST_SCALE), torch.zeros_like(farthest)
    low, high = low.clamp(max=0), high.clamp(min=0)
    scale = ((high - low) / scheme.highest).clamp(min=_SMALLEST_SCALE)
    return scale, torch.round(-low / scale).clamp(0, scheme.highest)


def to_codes(numbers: Tensor, scale: Tensor, zero: Tensor, scheme: Scheme) -> Tensor:
    """Whole numbers: how many steps from 0, rounded (halves to the even number), shifted, and clipped."""
    steps = numbers * (1 / scale)
    return (_round_through(steps) + zero).clamp(scheme.lowest, scheme.highest)


def from_codes(codes: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """The numbers that codes stand for."""
    return (codes - zero) * scale


def _round_through(numbers: Tensor) -> Tensor:
    """Rounded on the way forward; on the way back as if nothing had happened: straight-through (Bengio et al. 2013)."""
    return numbers + (torch.round(numbers) - numbers).detach()


def cast_through(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """In another type and back, with the gradient let through."""
    return numbers + (numbers.to(dtype).to(numbers.dtype) - numbers).detach()
