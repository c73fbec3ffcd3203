"""What is noted while a model runs: as little as possible, in the order in which it happens."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any

from torch import Tensor, nn

from lmviz.trace.ops import Op
from lmviz.trace.slots import Slot

Frames = tuple[tuple[CodeType, int], ...]  # code and instruction of each frame, innermost first


class RawCall:
    """One call of a module, while it is being recorded. The outermost has no module: it is the recording itself."""

    __slots__ = (
        *("args", "first", "frame", "frames", "given", "held", "index", "kwargs", "last", "module", "parent", "random"),
        "settled",
    )

    def __init__(self, index: int, parent: RawCall | None, frames: Frames, first: int) -> None:
        self.index = index
        self.parent = parent
        self.frames = frames  # where in the parent's source the call stands
        self.first = first  # its first step, and its last
        self.last = first - 1
        self.frame: FrameType | None = None  # while it runs, and until its inputs were looked at
        self.settled = False
        self.module: nn.Module | None = None
        self.given: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        self.args: Any = ()
        self.kwargs: Any = {}
        self.held: dict[Slot, Tensor] | None = None  # inputs that no slot keeps; None: the call can't be run again
        self.random: Tensor | None = None  # the state of the recording's random stream when the call began

    def look(self) -> None:
        """Read from the frame which module runs and what it was given, and let the frame go when it has returned."""
        assert self.frame is not None
        local = self.frame.f_locals
        self.module, self.given = local["self"], (local["args"], local["kwargs"])


class RawStep:
    """One torch call as it happened; tensors are replaced by their slots."""

    __slots__ = ("args", "call", "error", "frames", "index", "kwargs", "op", "outputs")

    def __init__(self, index: int, op: Op, args: Any, kwargs: Any, call: RawCall, frames: Frames) -> None:
        self.index = index
        self.op = op
        self.args = args
        self.kwargs = kwargs
        self.call = call
        self.frames = frames
        self.outputs: tuple[Slot, ...] = ()
        self.error = ""
