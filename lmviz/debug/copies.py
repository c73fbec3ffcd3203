"""Copies of models, whole: also what functions that a model holds refer to."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from types import CellType, FunctionType
from typing import Any

from torch import Tensor, nn


def copy_of(model: nn.Module) -> nn.Module:
    """A deep copy. Functions among a module's attributes refer to the copy too.

    `copy.deepcopy` leaves functions as they are. One that a module made for itself, such as
    `self.mlp_of = lambda x: mlp.c_proj(mlp.c_fc(x))`, would go on using the original's layers.
    """
    memo: dict[int, Any] = {id(one): one.detach() for one in _left_by_a_run(model)}
    copied = copy.deepcopy(model, memo)
    for module in copied.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, FunctionType | partial):
                vars(module)[name] = _bound(value, memo)
    return copied


def _left_by_a_run(model: nn.Module) -> Iterator[Tensor]:
    """Tensors that a model keeps of its last run, such as the pattern of an attention: torch does not copy those."""
    for module in model.modules():
        for value in vars(module).values():
            several = (
                value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else [value]
            )
            yield from (one for one in several if isinstance(one, Tensor) and not one.is_leaf)


def _bound(value: Any, memo: dict[int, Any]) -> Any:
    """A function with the copies of what it refers to."""
    if isinstance(value, partial):
        found = [memo.get(id(one), one) for one in value.args]
        named = {name: memo.get(id(one), one) for name, one in value.keywords.items()}
        return partial(_bound(value.func, memo), *found, **named)
    if not isinstance(value, FunctionType) or not value.__closure__:
        return value
    cells = tuple(CellType(memo.get(id(cell.cell_contents), cell.cell_contents)) for cell in value.__closure__)
    made = FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, cells)
    made.__kwdefaults__ = value.__kwdefaults__
    return made
