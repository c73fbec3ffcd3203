"""Numbers that were not kept: run the smallest module call around them again, and keep them this time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from lmviz.errors import UserError
from lmviz.trace.capture.edits import Edit, Place
from lmviz.trace.capture.handles import TensorHandle, map_nested, sample_of
from lmviz.trace.capture.mode import Recorder
from lmviz.trace.capture.raw import RawCall, handles_in
from lmviz.trace.capture.torch_modes import TorchModes
from lmviz.trace.torch_private import first_of_func

_WINDOW = 24  # steps on each side of the wanted one that a replay keeps too, since the next wish is near
_REPLAYS_KEPT = 2
_EMPTY = frozenset("empty empty_like empty_strided empty_permuted new_empty new_empty_strided".split())


class Replayer:
    """Replays parts of one recording. Safe to use from several threads."""

    def __init__(
        self,
        recorder: Recorder,
        start: Callable[[], Any],
        modes: TorchModes,
        edits: Mapping[Place, Edit],
        substitutes: Mapping[int, Tensor],
    ) -> None:
        self._recorder, self._start, self._modes = recorder, start, modes
        self._edits, self._substitutes = edits, substitutes
        self._recent: OrderedDict[int, Recorder] = OrderedDict()
        self._lock = threading.RLock()

    def covers(self, step: int) -> bool:
        """Whether a step is one of this recording's."""
        return 0 <= step - self._recorder.first < len(self._recorder.steps)

    def tensor(self, handle: TensorHandle) -> Tensor:
        """The numbers of a handle, from a replay near it or from a new one."""
        with self._lock:
            for first, replay in reversed(self._recent.items()):
                if (tensor := _kept(replay, handle)) is not None:
                    self._recent.move_to_end(first)
                    return tensor
            replay = self._replay(handle)
            self._recent.pop(replay.first, None)
            self._recent[replay.first] = replay
            while len(self._recent) > _REPLAYS_KEPT:
                self._recent.popitem(last=False)
            tensor = _kept(replay, handle)
        if self._recorder.steps[handle.step - self._recorder.first].op.name in _EMPTY:
            raise UserError("This tensor had no numbers of its own yet: torch.empty only reserves memory.")
        if tensor is None or (handle.sample and sample_of(tensor) != handle.sample):  # other devices give no sample
            raise UserError(
                "The model did something else when it was run again, so this tensor can't be shown: "
                "what it computes must not depend on anything but its inputs and its weights."
            )
        return tensor

    def _replay(self, handle: TensorHandle) -> Recorder:
        call = self._innermost(handle)
        size = max(1, handle.dtype.itemsize * handle.shape.numel())
        window = min(_WINDOW, self._recorder.budget // (8 * size))
        end = max(handle.met, min(handle.step + window, call.last))
        replay = Recorder(
            budget=1 << 62,
            seed=self._recorder.seed,
            edits=self._edits,
            substitutes={**self._substitutes, **self._as_they_were(call.first, end)},
            first=call.first,
            keep=range(handle.step - window, end + 1),
            random_state=call.random,
        )
        again = self._start if call.module is None else _again(call)
        with self._modes.restored():
            replay.run(again)
        return replay

    def _innermost(self, handle: TensorHandle) -> RawCall:
        """The smallest call around a handle that can be run again: what it was given is still there."""
        calls = self._recorder.calls
        around = [call for call in calls if call.first <= handle.step and handle.met <= call.last and _can_run(call)]
        return min(around, key=lambda call: call.last - call.first)

    def _as_they_were(self, first: int, last: int) -> dict[int, Tensor]:
        """Copies of the weights and inputs that these steps have overwritten; others must not have changed since."""
        before: dict[int, Tensor] = {}
        for step in self._recorder.steps[first - self._recorder.first : last + 1 - self._recorder.first]:
            for handle in handles_in((step.args, step.kwargs)):
                if handle.step < 0 and handle.overwritten and (tensor := handle.alive()) is not None:
                    before.setdefault(id(tensor), handle.tensor().clone())
                elif handle.step < 0:
                    handle.tensor()  # raises if it was changed
        return before


def _can_run(call: RawCall) -> bool:
    if call.module is None:
        return True
    return call.args is not None and all(handle.unchanged for handle in handles_in((call.args, call.kwargs)))


def _again(call: RawCall) -> Callable[[], Any]:
    """The call of a module, with what it was given."""
    assert call.module is not None
    given = {
        handle: handle.tensor().to(handle.device).requires_grad_(handle.requires_grad)
        for handle in handles_in((call.args, call.kwargs))
    }
    args, kwargs = map_nested(
        (call.args, call.kwargs), TensorHandle, given.__getitem__
    )  # what was one tensor is one again
    return partial(call.module, *args, **kwargs)


def _kept(replay: Recorder, handle: TensorHandle) -> Tensor | None:
    """A handle's tensor in a replay, if that computed and kept it."""
    step = handle.step - replay.first
    if not 0 <= step < len(replay.steps) or handle.output >= len(replay.steps[step].outputs):
        return None
    kept = replay.steps[step].outputs[handle.output].kept
    return None if kept is None else first_of_func(kept).detach()
