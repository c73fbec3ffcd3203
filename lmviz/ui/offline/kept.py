"""Which tensors a page keeps: those of the stages first, in full as long as there is room, then a window of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lmviz.errors import UserError
from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Grain, Location
from lmviz.stages.panels import panels_at
from lmviz.trace.step import Array, Value
from lmviz.ui.offline.store import Store
from lmviz.ui.offline.walk_types import KeptPart, KeptTensor
from lmviz.ui.pictures import WINDOW, drawable, lead_of, matrix, note_of, scale_of, window_start
from lmviz.ui.step_through.tensors import before_mask

GRAINS: tuple[Grain, ...] = ("stage", "line", "op")


class Kept:
    """The tensors of a recording in a page.

    Args:
        n_bytes: of numbers, that tensors in full may take; windows of what has no room come on top.
        focus: the token whose rows a window shows.
    """

    def __init__(self, run: Recording, store: Store, n_bytes: int, focus: int) -> None:
        self.tensors: list[KeptTensor] = []
        self.in_full: dict[str, tuple[int, Value]] = {}  # by address, what has all its numbers here
        self.cut: list[str] = []  # the addresses of what has not
        self.complex: set[str] = set()  # the addresses of what has complex numbers, which a page does not work out
        self.by_address: dict[str, int] = {}
        self._run, self._store, self._left, self._focus = run, store, n_bytes, focus
        self._known: dict[Value, int] = {}
        for value in [*self._shown(), *self._others()]:
            self._keep(value)

    def number(self, value: Value) -> int:
        return self._known[value]

    def _shown(self) -> Iterator[Value]:
        navigator = self._run.navigator
        for grain in GRAINS:
            for index in range(navigator.count(grain)):
                for panel in panels_at(navigator, Location(grain, index)):
                    yield panel.value

    def _others(self) -> Iterator[Value]:
        trace = self._run.trace
        for step in trace:
            yield from step.outputs
        for step in trace:
            yield from step.inputs

    def _keep(self, value: Value) -> None:
        if value in self._known:
            return
        own = self._run.trace.value(value.address) if value.address else None
        if own is not None and own is not value and _same(own, value):
            self._keep(own)
            self._known[value] = self._known[own]
            return
        self._known[value] = len(self.tensors)
        if own is value:
            self.by_address.setdefault(value.address, len(self.tensors))
        self.tensors.append(self._kept(value, own is value))

    def _kept(self, value: Value, is_own: bool) -> KeptTensor:
        number = len(self.tensors)
        tensor = self._described(value)
        try:
            array = value.array
        except UserError:  # it was too large for its recording too
            array = np.zeros((0, 0), np.float32)
        is_empty = 0 in value.shape  # a window of nothing is all of it
        if value.n_bytes > self._left or not array.size:
            tensor["part"] = self._part(value, array)
            if not is_empty:
                self.cut.append(value.address)
            elif is_own:
                self.in_full[value.address] = (number, value)
            return tensor
        self._left -= value.n_bytes
        tensor["array"] = self._store.add(drawable(array))
        if array.dtype.kind == "c":
            tensor["two"] = [self._store.add(array.real), self._store.add(array.imag)]
            self.complex.add(value.address)
        elif is_own:
            self.in_full[value.address] = (number, value)
        return tensor

    def _described(self, value: Value) -> KeptTensor:
        heads = max(1, self._run.config.n_heads)
        return {
            "address": value.address,
            "name": value.name,
            "role": value.role,
            "buffer": value.address in self._run.buffers,
            "axes": list(value.axes),
            "shape": list(value.shape),
            "dtype": value.dtype,
            "integers": value.dtype == "bool" or value.dtype.startswith(("int", "uint")),
            "note": note_of(value),
            "scale": scale_of(value),
            "heads": value.shape[value.axes.index("head")] if "head" in value.axes[:-2] else 0,
            "lead": [list(lead_of(value.shape, value.axes, head, self._run.row, heads)) for head in range(heads)],
            "array": None,
            "part": None,
            "unmasked": before_mask(self._run, value),
            "two": None,
        }

    def _part(self, value: Value, array: Array) -> KeptPart:
        """The window of each slice that the page opens with."""
        leads: dict[str, int] = {}
        start = (0, 0)
        size = (0, 0)
        for lead in self._described(value)["lead"]:
            grid = drawable(matrix(array, tuple(lead)))
            rows = value.axes[-2] if len(value.axes) >= 2 else ""
            wanted = self._focus if rows in ("pos", "query") else 0
            start = (window_start(min(wanted, grid.shape[0] - 1), grid.shape[0]) if grid.size else 0, 0)
            window = grid[start[0] : start[0] + WINDOW, :WINDOW]
            size = window.shape[0], window.shape[1]
            leads[",".join(map(str, lead))] = self._store.add(window)
        return {"start": list(start), "size": list(size), "leads": leads}


def _same(one: Value, other: Value) -> bool:
    """Whether two values of one address are one tensor: an operation may have changed it in between."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    try:
        return one.array is other.array or bool(
            np.array_equal(one.array, other.array, equal_nan=one.array.dtype.kind in "fc")
        )
    except UserError:
        return False
