"""`x[...]`: torch's rules for an index, spelled for numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmviz.trace.step import InputRef, Step


def _index_of(step: Step) -> tuple[Any, ...]:
    """The index of a getitem or setitem step, tensors filled in, one item for each part."""
    if "index" in step.arguments:
        return (step.inputs[step.arguments.index("index")].array,)
    if "index" in step.settings:
        index = step.settings["index"]
        return tuple(_plain(step, item) for item in (index if isinstance(index, tuple) else (index,)))
    return tuple(v.array for v, name in zip(step.inputs, step.arguments, strict=True) if name.startswith("index."))


def _plain(step: Step, item: Any) -> Any:
    if isinstance(item, InputRef):
        array = step.inputs[item.n].array
        return int(array) if array.ndim == 0 and array.dtype != bool else array
    if isinstance(item, slice):
        return slice(*(_plain(step, part) for part in (item.start, item.stop, item.step)))
    return np.asarray(item) if isinstance(item, list) else item


def _consumed(item: Any) -> int:
    """How many axes of a tensor an item of an index speaks of."""
    if item is None or item is True or item is False:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else 1


def _spelled_out(index: tuple[Any, ...], ndim: int) -> list[Any]:
    """`...`, or the end of the index, stands for as many `:` as are missing."""
    if not any(item is Ellipsis for item in index):
        index = (*index, Ellipsis)
    at = next(i for i, item in enumerate(index) if item is Ellipsis)
    others = sum(_consumed(item) for item in index if item is not Ellipsis)
    return [*index[:at], *[slice(None)] * (ndim - others), *index[at + 1 :]]


def numpy_index(step: Step, x: NDArray[Any]) -> NDArray[Any]:
    """x[index] as torch would do it: plain numbers first, which numpy would count among the index tensors."""
    numbers, rest = _in_two(step, x.ndim)
    found: NDArray[Any] = x[numbers][rest]
    return found


def assign(step: Step, x: NDArray[Any], value: NDArray[Any]) -> None:
    """x[index] = value, as torch would do it."""
    numbers, rest = _in_two(step, x.ndim)
    x[numbers][rest] = value


def _in_two(step: Step, ndim: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """An index as two, one after the other: the plain numbers, then everything else."""
    items = [int(i) if isinstance(i, np.ndarray) and i.ndim == 0 and i.dtype != bool else i for i in _index_of(step)]
    items = _spelled_out(tuple(items), ndim)
    numbers: list[Any] = []
    for item in items:
        numbers += [item] if _is_number(item) else [slice(None)] * _consumed(item)
    return (*numbers, ...), (*(item for item in items if not _is_number(item)), ...)


def _is_number(item: Any) -> bool:
    return isinstance(item, int | np.integer) and not isinstance(item, bool)
