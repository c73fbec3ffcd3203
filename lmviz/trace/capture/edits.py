"""Edits: what a step made, or a weight, replaced by something else while the model runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lmviz.errors import UserError

Edit = Callable[[Tensor], Any]
Place = tuple[int, ...]  # a step and which of its outputs; with a step inside a fused call between the two


def edited(edit: Edit, tensor: Tensor, gradients: bool = False) -> Tensor:
    """`edit` applied to a copy; the result must fit where the original stood. Gradients end there."""
    new = _result_of(edit, tensor)
    if new.shape != tensor.shape:
        raise UserError(
            "An edit must return a tensor of the shape it was given, {expected}; it returned {found}.",
            expected=list(tensor.shape),
            found=list(new.shape),
        )
    if not torch.can_cast(new.dtype, tensor.dtype):
        raise UserError(
            "An edit must return numbers of the type it was given, {expected}; it returned {found}.",
            expected=str(tensor.dtype).removeprefix("torch."),
            found=str(new.dtype).removeprefix("torch."),
        )
    new = new.detach().to(dtype=tensor.dtype, device=tensor.device, copy=True)
    return new.requires_grad_() if gradients and new.is_floating_point() else new


def _result_of(edit: Edit, tensor: Tensor) -> Tensor:
    try:
        with torch.no_grad():
            new = edit(tensor.detach().clone())
    except UserError:
        raise
    except (Exception, GeneratorExit) as error:
        raise UserError(
            "An edit failed: {error:code}.", error=str(error).rstrip(".") or type(error).__name__
        ) from error
    try:
        return new if isinstance(new, Tensor) else torch.as_tensor(new)
    except (TypeError, ValueError, RuntimeError):
        raise UserError("An edit must return a tensor; it returned {found}.", found=type(new).__name__) from None
