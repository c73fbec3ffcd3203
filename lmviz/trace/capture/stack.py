"""The Python functions that are running, as far as they lead from the model to a torch call."""

from __future__ import annotations

from types import CodeType, FrameType

from torch import Tensor

from lmviz.trace.capture.raw import Activation, RawCall
from lmviz.trace.torch_private import CALL_CODE, HAND_OVER_CODE, WRAPPED_CALL_CODE


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
        if frame.f_code is HAND_OVER_CODE:  # from F.softmax, say, whose own frame is as little of the model's
            frame = frame.f_back.f_back  # type: ignore[union-attr, assignment]
        activation = self._running.get(frame)
        if activation is not None:
            self.leave(activation)
        else:
            activation = self._begin(frame)
        self.top = activation
        return activation

    def _begin(self, frame: FrameType) -> Activation:
        """The activation of a frame that is new; a module called on the way there opens a call."""
        new, running = [], self._running
        up, above = None, frame
        while up is None and above.f_code is not self._bottom and above.f_back is not None:
            new.append(above)
            above = above.f_back
            up = running.get(above)
        if up is None:
            up = self.root
            up.frame = above
        self.leave(up)
        call, lasti = up.call, above.f_lasti
        for frame in reversed(new):
            code = frame.f_code
            if code is WRAPPED_CALL_CODE:  # it has few locals, which are quick to read
                local = frame.f_locals
                call = RawCall(local["self"], local["args"], local["kwargs"], up, lasti)
                call.random = self.random
                self.calls.append(call)
            elif code is not CALL_CODE:
                up = running[frame] = Activation(frame, code, up, lasti, call)
                lasti = frame.f_lasti
        if call is not up.call:  # `forward` is not a Python function: torch was called by the call itself
            up = running[frame] = Activation(frame, code, up, lasti, call)
        return up

    def leave(self, until: Activation | None = None) -> None:
        """Let go of every frame above `until`; of all if there is none."""
        activation: Activation | None = self.top
        while activation is not until and activation is not None:
            if activation.frame is not None:
                self._running.pop(activation.frame, None)
                activation.frame = None
            activation = activation.up
