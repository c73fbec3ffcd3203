"""In how many bits a number is kept, and which numbers share a scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lmviz.errors import UserError

FLOATS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
INTEGERS = {"int8": 8, "int4": 4}
GRANULARITIES = ("tensor", "channel", "group")
SCALE_BITS = 32  # every scale is kept as FP32, and every zero point as one byte
ZERO_POINT_BITS = 8


@dataclass(frozen=True)
class Scheme:
    """How weights are quantised (Nagel et al. 2021, 2). For formats of floating point only the format counts."""

    format: str = "int8"  # "fp32", "fp16", "bf16", "int8", "int4"
    symmetric: bool = True  # 0 is code 0, and codes have a sign; if not, codes start at 0 and the zero point is one
    granularity: str = "tensor"  # "channel": a scale for each output (row) of a matrix; "group": for a few in a row
    group_size: int = 32
    keep: float = 1.0  # of the range from lowest to highest: with 0.9 what lies in the outer tenth is clipped

    def __post_init__(self) -> None:
        _check_choice("format", self.format, (*FLOATS, *INTEGERS))
        _check_choice("granularity", self.granularity, GRANULARITIES)
        if not isinstance(self.group_size, int) or not 1 <= self.group_size <= 2**20:
            raise UserError("group_size must be a whole number, 1 or more; got {size!r}.", size=self.group_size)
        if not 0.01 <= self.keep <= 1:
            raise UserError("keep must be from 0.01 to 1; got {keep!r}.", keep=self.keep)

    @property
    def rounds(self) -> bool:
        """Whether numbers in FP32 change at all."""
        return self.format != "fp32"

    @property
    def is_integer(self) -> bool:
        return self.format in INTEGERS

    @property
    def n_bits(self) -> int:
        """Of one number, its share of the scale not counted."""
        return INTEGERS[self.format] if self.is_integer else int(torch.finfo(FLOATS[self.format]).bits)

    @property
    def lowest(self) -> int:
        """The lowest code. Symmetric codes leave one out, −128 or −8, so that they are as many on both sides."""
        return 1 - int(2 ** (self.n_bits - 1)) if self.symmetric else 0

    @property
    def highest(self) -> int:
        return int(2 ** (self.n_bits - 1 if self.symmetric else self.n_bits)) - 1


def _check_choice(name: str, choice: str, choices: tuple[str, ...]) -> None:
    if choice not in choices:
        raise UserError(
            "{name} must be one of {choices}; got {choice!r}.", name=name, choices=", ".join(choices), choice=choice
        )
