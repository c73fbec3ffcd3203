"""What a bad number is: a NaN, or an infinity that no mask has put there. One definition for all that look for them.

A mask hides a key from a query with −∞, whoever makes it: `masked_fill`, `where`, a table filled with −∞ and cut to a
triangle, a table that the model holds or is given, the logarithm of zeros and ones, numbers so low that half precision
has no room for them. What such a −∞ is copied, moved, added or compared to is as it should be too. So is the logarithm
of a distance of 0. An infinity that comes of other finite numbers is an overflow; what comes of that is bad in turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from lmviz.trace.step import Array, Step, Trace, Value

_MADE = frozenset("full full_like new_full tensor as_tensor new_tensor fill".split())
_PUT = _MADE | frozenset(
    "masked_fill where setitem index_put copy scatter index_fill masked_scatter select_scatter slice_scatter".split()
)
_NOT_FILLED = frozenset("empty empty_like new_empty empty_strided".split())
_CLEANING = frozenset("nan_to_num masked_fill where isnan isfinite isinf".split())
_ORDERING = frozenset("min amin minimum fmin sort argsort topk argmin kthvalue lt le gt ge eq ne".split())
_PRODUCTS = frozenset(
    "matmul linear einsum inner outer tensordot bilinear conv1d conv2d conv3d addmm baddbmm addbmm addmv addr".split()
)
_CELL_BY_CELL = _PUT | frozenset(
    "add sub mul div neg abs maximum minimum fmax fmin clamp clamp_min clamp_max triu tril dropout to clone contiguous "
    "detach expand expand_as broadcast_to lerp addcmul positive".split()
)
LOW = -1e4  # of a mask in numbers; half precision ends at −65,504
_TABLE_SHARE = 1 / 8  # of a table that the model holds: with fewer −∞ it is a weight that was lost, and no mask


class BadNumbers:
    """Which cells of a trace are bad, each worked out when it is asked for."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._known: dict[tuple[int, int], Array | None] = {}

    def of(self, step: Step, output: int = 0) -> Array | None:
        """Where an output of a step is bad, [*shape] of bool; None if it is bad nowhere."""
        for index, which in self._before(step, output):  # first what it depends on: a chain may be long
            self._known[index, which] = self._worked_out(self._trace[index], which)
        return self._known[step.index, output]

    def _before(self, step: Step, output: int) -> list[tuple[int, int]]:
        """What is not known yet of the values with infinities that led to an output, and the output, as they came."""
        found, waiting = set(), [(step.index, output)]
        while waiting:
            one = waiting.pop()
            if one in found or one in self._known:
                continue
            made = self._trace[one[0]]
            if not _infinite(made.outputs[one[1]]):
                self._known[one] = None
                continue
            found.add(one)
            waiting.extend(origin for value in made.inputs if (origin := self._origin(made, value)) is not None)
        return sorted(found)

    def _origin(self, step: Step, value: Value) -> tuple[int, int] | None:
        """The earlier step and its output that something is which a step was given."""
        if value.role != "activation" or value.address not in self._trace:
            return None
        made = self._trace[value.address]
        which = next((i for i, one in enumerate(made.outputs) if one.address == value.address), None)
        return None if which is None or made.index >= step.index else (made.index, which)

    def _worked_out(self, step: Step, output: int) -> Array | None:
        value = step.outputs[output]
        if step.op in _NOT_FILLED:
            return None
        array = value.array
        nan: Array = np.isnan(array)
        if value.ragged or (nan.any() and self._is_cleaned(step)):
            nan = np.zeros_like(nan)
        infinite: Array = np.isinf(array)
        bad = nan | (infinite & ~self._excused(step, array)) if infinite.any() else nan
        return bad if bad.any() else None

    def _excused(self, step: Step, array: Array) -> Array:
        """Which infinities of a result are a mask's."""
        given = [(value, self._bad(step, value)) for value in step.inputs if _infinite(value)]
        excused = self._put(step, array) | _from_numbers(step, array)
        if step.op not in _CELL_BY_CELL:
            return excused | _inherited(step, array, given)
        for value, bad in given:
            if (cells := _aligned(value.array, array.shape)) is not None:
                lost = _aligned(bad, array.shape) if bad is not None else np.zeros(array.shape, bool)
                assert lost is not None
                excused |= np.isinf(cells) & ~lost
                excused &= ~(lost & (cells == array))
        return excused

    def _put(self, step: Step, array: Array) -> Array:
        """The infinities that the call itself puts there. Of activations, +∞ hides none, unless a minimum is taken."""
        says = any(isinstance(one, float) and math.isinf(one) for one in step.settings.values())
        if step.op not in _PUT and not says:
            return np.zeros(array.shape, bool)
        either = step.op in _MADE or all(value.role != "input" and _is_table(value) for value in _floats(step.inputs))
        if either or self._are_read_by(step, _ORDERING):
            return np.isinf(array)
        return np.isneginf(array) if array.dtype.kind == "f" else np.isinf(array)

    def _bad(self, step: Step, value: Value) -> Array | None:
        """Where something that a step was given is bad."""
        origin = self._origin(step, value)
        if origin is not None:
            return self._known[origin]
        array = value.array
        hidden = np.isneginf(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
        if value.role == "weight" and hidden.mean() < _TABLE_SHARE:
            hidden = np.zeros_like(hidden)
        bad: Array = ~np.isfinite(array) & ~hidden
        return bad if bad.any() else None

    def _is_cleaned(self, step: Step) -> bool:
        """Whether all that reads a step's result takes its NaN away."""
        return self._are_read_by(step, _CLEANING)

    def _are_read_by(self, step: Step, ops: frozenset[str]) -> bool:
        """Whether a step's results are read, and by no other operations."""
        made = {value.address for value in step.outputs}
        readers = [later for later in self._trace[step.index + 1 :] if any(one.address in made for one in later.inputs)]
        return bool(readers) and all(reader.op in ops for reader in readers)


def bad_values(trace: Trace, steps: Iterable[Step]) -> Iterator[tuple[Step, Value, Array]]:
    """The results of some steps that are bad somewhere, and where, in the order in which they were made."""
    numbers = BadNumbers(trace)
    for step in steps:
        for output, value in enumerate(step.outputs):
            if (bad := numbers.of(step, output)) is not None:
                yield step, value, bad


def _floats(values: Iterable[Value]) -> list[Value]:
    return [value for value in values if value.dtype.startswith(("float", "bfloat"))]


def _infinite(value: Value) -> bool:
    if value.dtype.startswith(("int", "uint", "bool")):
        return False
    array = value.array
    return array.dtype.kind in "fc" and not bool(np.isfinite(array).all())


def _is_table(value: Value) -> bool:
    """Whether a tensor is nothing but zeros, ones and infinities: a mask in the making."""
    array = value.array
    return bool((np.isin(array, (0, 1)) | np.isinf(array)).all())


def _may_be_0(value: Value) -> bool:
    """Whether the logarithm of a 0 in it is meant: in a mask of zeros and ones, and in a table of distances, each a
    whole multiple of the smallest (Raffel et al. 2020 put them into buckets)."""
    array = value.array
    if _is_table(value):
        return bool(array.any())
    distances = np.unique(array)
    if len(distances) < 3 or distances[0] != 0:
        return False
    steps = distances / distances[1]
    return bool(np.allclose(steps, np.round(steps), rtol=0, atol=1e-3))


def _inherited(step: Step, array: Array, given: list[tuple[Value, Array | None]]) -> Array:
    """What is moved, chosen or summed has the infinities of a mask where nothing bad that went in looks the same."""
    nothing = np.zeros(array.shape, bool)
    if step.op == "log" and all(_may_be_0(value) for value in step.inputs):
        return np.isneginf(array)
    if step.op in _PRODUCTS:
        given = [(value, bad) for value, bad in given if value is step.operand("input") and "add" in step.op]
    if not given or array.dtype.kind != "f":
        return nothing
    good = [value.array[np.isinf(value.array) & (True if bad is None else ~bad)] for value, bad in given]
    lost = [value.array[bad] for value, bad in given if bad is not None]
    good_signs, lost_signs = ({*np.sign(one[np.isinf(one)])} for one in (_joined(good), _joined(lost)))
    return np.isinf(array) & np.isin(np.sign(array), [sign for sign in good_signs if sign not in lost_signs])


def _joined(arrays: list[Array]) -> Array:
    return np.concatenate([one.ravel() for one in arrays]) if arrays else np.zeros(0)


def _from_numbers(step: Step, array: Array) -> Array:
    """−∞ that comes of a mask in numbers: 0 where a query may look, and very low where it may not."""
    found = np.zeros(array.shape, bool)
    if step.op in ("add", "sub", "to", "where", "masked_fill") and array.dtype.kind == "f":
        for value in _floats(step.inputs):
            cells = _aligned(value.array, array.shape)
            lowest = float(value.array.min(initial=0))
            if cells is not None and lowest <= LOW and bool(np.isin(value.array, (0, lowest)).all()):
                found |= cells == lowest
    return found & np.isneginf(array)


def _aligned(array: Array, shape: tuple[int, ...]) -> Array | None:
    """An array as it is spread over a shape; None if it does not fit."""
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        return None
