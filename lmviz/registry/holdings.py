"""What a cached thing holds that is large: weights, recordings, texts that are being written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from lmviz.generate.generation import Writing
from lmviz.stages.navigation import Navigator
from lmviz.trace.step import Trace

_DEPTH = 6  # of dataclasses in dataclasses that are looked into
_MANY = 1000  # entries from which on a collection is taken for one of small things


@dataclass(frozen=True, eq=False, slots=True)
class Holding:
    """Something large."""

    owner: Any

    def n_bytes(self) -> int:
        """What it takes in memory now."""
        if isinstance(self.owner, nn.Module):
            return model_bytes(self.owner)
        if isinstance(self.owner, Tensor | np.ndarray):
            return int(self.owner.nbytes)
        return int(self.owner.n_bytes if isinstance(self.owner, Writing) else self.owner.spent)


def holdings(thing: Any, depth: int = _DEPTH) -> Iterator[Holding]:
    """The models, tensors and recordings that something holds, through its fields and theirs."""
    if isinstance(thing, nn.Module | Tensor | np.ndarray | Writing):
        yield Holding(thing)
    elif isinstance(thing, Trace):
        yield from (Holding(segment.recorder) for segment in thing.segments)
    elif depth and is_dataclass(thing) and not isinstance(thing, type):
        for one in fields(thing):
            yield from holdings(getattr(thing, one.name), depth - 1)
    elif depth and isinstance(thing, Mapping | tuple | list) and len(thing) < _MANY:
        for value in thing.values() if isinstance(thing, Mapping) else thing:
            yield from holdings(value, depth - 1)
    elif isinstance(thing, Navigator):
        yield from holdings(thing.trace)


def model_bytes(model: nn.Module) -> int:
    """What the weights of a model take."""
    return sum(parameter.nbytes for parameter in model.parameters())
