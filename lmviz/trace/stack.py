"""The Python functions that are running, as far as they lead from the model to a torch call."""

from __future__ import annotations

from types import CodeType, FrameType

from torch import Tensor, nn
from torch.overrides import handle_torch_function

from lmviz.trace.raw import Activation, RawCall

_CALL = nn.Module._call_impl.__code__
_WRAPPED_CALL = nn.Module._wrapped_call_impl.__code__
_HAND_OVER = handle_torch_function.__code__


class Stack:
    """Turns frames into activations, each met once. `bottom` is the code of the frame where a recording begins.

    Only frames that are still running are held, since a frame keeps its locals alive: one that has returned is let go
    at the next torch call, before that call makes anything.
    """

    def __init__(self, bottom: CodeType) -> None:
        self._bottom = bottom
        self.root = self.top = Activation(None, bottom, None, -1, RawCall(None, (), {}, None, -1))
        self.calls: list[RawCall] = [self.root.call]
        self.random: Tensor | None = None  # the state of the random stream, for calls that begin now
        self._running: dict[FrameType, Activation] = {}

    def enter(self, frame: FrameType) -> Activation:
        """The activation of a frame that a torch call came from; what has returned meanwhile is let go."""
        if frame.f_code is _HAND_OVER:  # from F.softmax, say, whose own frame is as little of the model's
            frame = frame.f_back.f_back  # type: ignore[union-attr, assignment]
        running, above, new = self._running, frame, []
        activation = running.get(above)
        while activation is None:
            if above.f_code is self._bottom or above.f_back is None:
                activation = self.root
                activation.frame = above
            else:
                new.append(above)
                above = above.f_back
                activation = running.get(above)
        self.leave(activation)
        if new:
            activation = self._begin(new, activation)
        self.top = activation
        return activation

    def _begin(self, new: list[FrameType], up: Activation) -> Activation:
        """The activation of the first of these frames, innermost first; those that call a module open a call."""
        call = up.call
        for frame in reversed(new):
            code, lasti = frame.f_code, up.frame.f_lasti  # type: ignore[union-attr]
            if code is _CALL:
                local = frame.f_locals
                call = RawCall(local["self"], local["args"], local["kwargs"], up, lasti)
                call.random = self.random
                self.calls.append(call)
            elif code is not _WRAPPED_CALL:
                up = self._running[frame] = Activation(frame, code, up, lasti, call)
        if call is not up.call:  # `forward` is not a Python function: torch was called by the call itself
            up = self._running[new[0]] = Activation(new[0], new[0].f_code, up, lasti, call)
        return up

    def leave(self, until: Activation | None = None) -> None:
        """Let go of every frame above `until`; of all if there is none."""
        activation: Activation | None = self.top
        while activation is not None and activation is not until:
            if activation.frame is not None:
                self._running.pop(activation.frame, None)
                activation.frame = None
            activation = activation.up
