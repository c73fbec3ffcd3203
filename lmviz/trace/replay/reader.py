"""Where the numbers of a value come from: memory, or a replay of what was not kept."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from lmviz.trace.capture.handles import Slot, to_array
from lmviz.trace.replay.replayer import Replayer
from lmviz.trace.step import Array


class Reader:
    """Reads the tensors of several recordings that follow each other."""

    def __init__(self, replayers: Iterable[Replayer]) -> None:
        self._replayers = [*replayers]

    def tensor(self, slot: Slot) -> Tensor:
        """A slot's numbers, computed again if they were not kept."""
        if slot.kept is None:
            for replayer in self._replayers:
                if replayer.covers(slot.step):
                    return replayer.tensor(slot)
        return slot.tensor()

    def cells(self, slot: Slot) -> Stored:
        return Stored(self, slot)


class Stored:
    """The numbers of one slot. (A slot does not know its reader, so that a trace goes when its last user does.)"""

    __slots__ = ("_reader", "_slot")

    def __init__(self, reader: Reader, slot: Slot) -> None:
        self._reader, self._slot = reader, slot

    def read(self) -> Array:
        return to_array(self._reader.tensor(self._slot))

    def read_grad(self) -> Array | None:
        return None if self._slot.grad is None else to_array(self._slot.grad.detach())

    def read_edge(self) -> int:
        return self._slot.edge_number
