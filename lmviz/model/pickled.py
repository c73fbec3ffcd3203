"""What a training's own file holds, once torch has read the tensors and plain values in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lmviz.errors import UserError

COMPILED, WRAPPED = "_orig_mod.", "module."  # what torch.compile and DDP put before each name
_HOLDERS = ("model", "state_dict", "model_state_dict")  # where a training's file keeps the weights


@dataclass(frozen=True, eq=False)
class TrainerFile:
    """A file of a trainer's, as an ordinary folder would say it."""

    trainer: str  # "nanoGPT"
    config: Mapping[str, Any]  # of config.json
    tensors: Mapping[str, Tensor]  # by their names on disk


def weights_in(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors, by names without what torch.compile and DDP put before them."""
    found = next((content[name] for name in _HOLDERS if isinstance(content.get(name), Mapping)), content)
    tensors = {str(name): tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}
    if not tensors:
        raise UserError("There are no tensors in it, neither at its top nor under {names}.", names=", ".join(_HOLDERS))
    return {name.removeprefix(COMPILED).removeprefix(WRAPPED).removeprefix(COMPILED): t for name, t in tensors.items()}
