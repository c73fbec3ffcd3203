"""A batch of texts of unequal length, which torch keeps without padding (a nested tensor), in a box and out of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lmviz.trace.capture.handles import TensorHandle, lengths_of, map_nested

IN_A_BOX = frozenset(("transformer_encoder_layer",))  # the written-out calls that are told how long each text is


def box_of(tensor: Tensor) -> Tensor:
    """A tensor with 0 where a text has ended; any other is itself."""
    return torch.nested.to_padded_tensor(tensor, 0.0) if tensor.is_nested else tensor


def rows_like(box: Tensor, made: Tensor) -> Tensor:
    """What stands in a box, in the form of what a fused call has made."""
    if not made.is_nested:
        return box.reshape(made.shape)
    return torch.nested.nested_tensor([row[:length] for row, length in zip(box, lengths_of(made), strict=True)])


def told_lengths(args: tuple[Any, ...]) -> dict[str, Any]:
    """What a written-out call is told beside its arguments, tensors or handles of them."""
    first = args[0] if args else None
    if isinstance(first, TensorHandle):
        return {"lengths": first.lengths} if first.nested else {}
    return {"lengths": lengths_of(first)} if isinstance(first, Tensor) and first.is_nested else {}


def boxed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a fused call as its written-out form takes them."""
    return map_nested(args, Tensor, box_of), {**map_nested(kwargs, Tensor, box_of), **told_lengths(args)}
