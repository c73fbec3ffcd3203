"""Where the numbers of a value come from: memory, or a replay of what was not kept."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from lmviz.trace.capture.handles import TensorHandle, to_array
from lmviz.trace.replay.replayer import Replayer
from lmviz.trace.step import Array


class Reader:
    """Reads the tensors of several recordings that follow each other."""

    def __init__(self, replayers: Iterable[Replayer]) -> None:
        self._replayers = [*replayers]

    def tensor(self, handle: TensorHandle) -> Tensor:
        """A handle's numbers, computed again if they were not kept."""
        if handle.kept is None:
            for replayer in self._replayers:
                if replayer.covers(handle.step):
                    return replayer.tensor(handle)
        return handle.tensor()

    def cells(self, handle: TensorHandle) -> _StoredArray:
        return _StoredArray(self, handle)


class _StoredArray:
    """The numbers of one handle. (A handle does not know its reader, so that a trace goes when its last user does.)"""

    __slots__ = ("_handle", "_reader")

    def __init__(self, reader: Reader, handle: TensorHandle) -> None:
        self._reader, self._handle = reader, handle

    def read(self) -> Array:
        return to_array(self._reader.tensor(self._handle))

    def read_grad(self) -> Array | None:
        return None if self._handle.grad is None else to_array(self._handle.grad.detach())

    def read_edge(self) -> int:
        return self._handle.edge_number
