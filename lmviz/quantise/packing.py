"""Codes as they are kept on disk: one byte each, or two in a byte."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

from lmviz.quantise.scheme import Scheme


def pack(codes: Tensor, scheme: Scheme) -> Tensor:
    """Bytes [n]. Codes are counted from the lowest one; of two codes of 4 bits, the first has the lower half."""
    counted = (codes.flatten() - scheme.lowest).to(torch.uint8)
    if scheme.n_bits == 8:
        return counted
    pairs = F.pad(counted, (0, len(counted) % 2)).reshape(-1, 2)
    return pairs[:, 0] | pairs[:, 1] << 4


def bytes_on_disk(tensors: dict[str, Tensor]) -> int:
    """The length of the safetensors file with these tensors, header included: measured, by writing it in memory."""
    return len(save({name: tensor.contiguous() for name, tensor in tensors.items()}))
