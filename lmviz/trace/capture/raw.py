"""What is noted while a model runs: as little as possible, in the order in which it happens."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any

from torch import Tensor, nn

from lmviz.trace.capture.handles import TensorHandle, map_nested
from lmviz.trace.capture.torch_functions import TorchFunction


class RawCall:
    """One call of a module. The outermost has no module: it is the recording itself."""

    __slots__ = ("args", "caller", "first", "kwargs", "last", "lasti", "module", "parent", "random")

    def __init__(self, module: nn.Module | None, args: Any, kwargs: Any, caller: Activation | None, lasti: int) -> None:
        self.module = module
        self.args, self.kwargs = args, kwargs  # tensors at first, handles once they were looked at
        self.caller, self.lasti = caller, lasti  # the function, and its instruction, that made the call
        self.parent: RawCall | None = None if caller is None else caller.call
        self.first, self.last = -1, -1  # its steps, those of the calls inside included
        self.random: Tensor | None = None  # the state of the recording's random stream when the call began


class Activation:
    """One run of a Python function that called torch.

    The instruction at which it was entered (`lasti`, in the function `up`) can't change while it runs, so an activation
    and its own current instruction say where a torch call stands, all the way up.
    """

    __slots__ = ("call", "code", "frame", "lasti", "up")

    def __init__(
        self, frame: FrameType | None, code: CodeType, up: Activation | None, lasti: int, call: RawCall
    ) -> None:
        self.frame = frame  # as long as it runs
        self.code = code
        self.up = up
        self.lasti = lasti
        self.call = call  # the module call that it is a part of


class RawStep:
    """One torch call as it happened; tensors are replaced by their handles."""

    __slots__ = ("activation", "args", "edits", "error", "index", "kwargs", "lasti", "op", "outputs", "random")

    def __init__(
        self, index: int, op: TorchFunction, args: Any, kwargs: Any, activation: Activation, lasti: int
    ) -> None:
        self.index = index
        self.op = op
        self.args, self.kwargs = args, kwargs
        self.activation, self.lasti = activation, lasti
        self.outputs: tuple[TensorHandle, ...] = ()
        self.error = ""
        self.random: Tensor | None = None  # the state of the random stream before a call that drew from it
        self.edits: dict[tuple[int, ...], Any] = {}  # the edits that were applied to what it made


def handles_in(value: Any) -> list[TensorHandle]:
    """All handles in a call's arguments, in order."""
    found: list[TensorHandle] = []
    map_nested(value, TensorHandle, found.append)
    return found
