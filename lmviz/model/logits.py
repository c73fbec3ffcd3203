"""Running a model whose code, or whose config, may be anybody's."""

from __future__ import annotations

from torch import Tensor, nn

from lmviz.errors import UserError


def logits_of(model: nn.Module, ids: Tensor) -> Tensor:
    """The logits that a model gives for ids [batch, pos], [batch, pos, d_vocab].

    Raises:
        UserError: the model raises.
    """
    try:
        logits: Tensor = model(ids)
    except Exception as error:
        raise UserError(
            "The model stopped with an error: {error:code}. Step through shows where.",
            error=f"{type(error).__name__}: {error}"[:300].rstrip("."),
        ) from error
    return logits
