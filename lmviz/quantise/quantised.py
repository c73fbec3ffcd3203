"""One weight matrix in fewer bits: its codes, its scales, what comes back from them, and the error of each number."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.quantise.arithmetic import from_blocks, from_codes, ranges, scale_and_zero, to_blocks, to_codes
from lmviz.quantise.packing import pack
from lmviz.quantise.scheme import FLOATS, SCALE_BITS, ZERO_POINT_BITS, Scheme


@dataclass(frozen=True, eq=False)
class Quantised:
    """A weight before and after. For formats of floating point there are no codes, no scales and no zero points.

    `original` shares its memory with the weight that was quantised.
    """

    scheme: Scheme
    original: Tensor  # FP32, of any shape
    restored: Tensor  # FP32, of the same shape
    codes: Tensor | None = None  # whole numbers (int16), of the same shape
    scales: Tensor | None = None  # [block]: the width of a step
    zero_points: Tensor | None = None  # [block]: the code that stands for 0

    @property
    def error(self) -> Tensor:
        """Restored − original, for each number."""
        return self.restored - self.original

    @property
    def n_blocks(self) -> int:
        return 0 if self.scales is None else len(self.scales)

    @property
    def n_bits(self) -> int:
        """By formula: bits of all numbers, and of the scales and zero points that they need."""
        per_block = SCALE_BITS + (0 if self.scheme.symmetric else ZERO_POINT_BITS)
        return self.original.numel() * self.scheme.n_bits + self.n_blocks * per_block

    @property
    def n_bytes(self) -> int:
        """By formula: `n_bits`, in whole bytes."""
        return -(-self.n_bits // 8)

    def steps(self) -> Tensor:
        """The width of the step that each number is rounded to, of the shape of the weight."""
        if self.scales is None:
            raise UserError("Numbers in {format} are not rounded to steps of one width.", format=self.scheme.format)
        blocks = to_blocks(self.original, self.scheme)
        return from_blocks(self.scales[:, None].expand_as(blocks), self.original.shape, self.scheme)

    def stored(self) -> dict[str, Tensor]:
        """What has to be written to get `restored` back: the codes packed, the scales, the zero points if any."""
        if self.codes is None or self.scales is None or self.zero_points is None:
            return {"weight": self.original.to(FLOATS[self.scheme.format])}
        parts = {"codes": pack(self.codes, self.scheme), "scales": self.scales}
        return parts if self.scheme.symmetric else parts | {"zero_points": self.zero_points.to(torch.uint8)}


def quantise(weight: Tensor, scheme: Scheme) -> Quantised:
    """Quantise one weight. A UserError says so if it has numbers that are not finite."""
    original = weight.detach().float()
    if not bool(torch.isfinite(original).all()):
        raise UserError("A weight with NaN or infinite numbers has no range to spread codes over.")
    if not scheme.is_integer:
        return Quantised(scheme, original, original.to(FLOATS[scheme.format]).float())
    blocks = to_blocks(original, scheme)
    scale, zero = scale_and_zero(*ranges(blocks, scheme), scheme)
    codes = to_codes(blocks, scale, zero, scheme)
    return Quantised(
        scheme,
        original,
        from_blocks(from_codes(codes, scale, zero), original.shape, scheme),
        from_blocks(codes, original.shape, scheme).to(torch.int16),
        scale.flatten(),
        zero.flatten(),
    )
