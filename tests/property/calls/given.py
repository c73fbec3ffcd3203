"""Small random tensors of every kind, by the names that calls ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Call = Callable[..., Any]


def tensors(seed: int = 0) -> dict[str, Tensor]:
    """Real, whole, complex and half numbers, with negative ones, equal ones and zeros among them."""
    torch.manual_seed(seed)
    return {
        "x": torch.randn(2, 3, 4),
        "y": torch.randn(2, 3, 4),
        "positive": torch.rand(2, 3, 4) + 0.5,
        "share": torch.rand(2, 3, 4) * 0.98 + 0.01,
        "square": torch.randn(4, 4),
        "tall": torch.randn(4, 5),
        "vector": torch.randn(4),
        "column": torch.randn(3, 1),
        "number": torch.randn(()),
        "double": torch.randn(3, 4, dtype=torch.float64),
        "half": torch.randn(3, 4, dtype=torch.float16),
        "brain": torch.randn(3, 4).to(torch.bfloat16),
        "whole": torch.randint(-9, 10, (3, 4)),
        "tiny": torch.randint(-128, 128, (3, 4), dtype=torch.int8),
        "bytes": torch.randint(0, 256, (3, 4), dtype=torch.uint8),
        "ids": torch.randint(0, 4, (2, 3)),
        "mask": torch.rand(2, 3, 4) < 0.5,
        "z": torch.randn(3, 4, dtype=torch.complex64),
        "w": torch.randn(4, dtype=torch.complex64),
        "sound": torch.randn(2, 4, 7),
        "image": torch.randn(2, 4, 5, 6),
        "volume": torch.randn(1, 2, 4, 3, 4),
    }


def arguments(call: Call, seed: int = 0) -> list[Tensor]:
    """What a call asks for, by the names of its parameters."""
    given = tensors(seed)
    return [given[name] for name in call.__code__.co_varnames[: call.__code__.co_argcount]]
