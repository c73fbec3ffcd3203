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
from lmviz.trace.capture.handles import Slot, map_nested, sample_of
from lmviz.trace.capture.mode import Recorder
from lmviz.trace.capture.raw import RawCall, slots_in
from lmviz.trace.capture.torch_modes import Ambient

WINDOW = 24  # steps on each side of the wanted one that a replay keeps too, since the next wish is near
REPLAYS_KEPT = 2
_EMPTY = frozenset("empty empty_like empty_strided empty_permuted new_empty new_empty_strided".split())


class Replayer:
    """Replays parts of one recording. Safe to use from several threads."""

    def __init__(
        self,
        recorder: Recorder,
        start: Callable[[], Any],
        ambient: Ambient,
        edits: Mapping[Place, Edit],
        substitutes: Mapping[int, Tensor],
    ) -> None:
        self._recorder, self._start, self._ambient = recorder, start, ambient
        self._edits, self._substitutes = edits, substitutes
        self._recent: OrderedDict[int, Recorder] = OrderedDict()
        self._lock = threading.RLock()

    def covers(self, step: int) -> bool:
        """Whether a step is one of this recording's."""
        return 0 <= step - self._recorder.first < len(self._recorder.steps)

    def tensor(self, slot: Slot) -> Tensor:
        """The numbers of a slot, from a replay near it or from a new one."""
        with self._lock:
            for first, replay in reversed(self._recent.items()):
                if (tensor := _kept(replay, slot)) is not None:
                    self._recent.move_to_end(first)
                    return tensor
            replay = self._replay(slot)
            self._recent.pop(replay.first, None)
            self._recent[replay.first] = replay
            while len(self._recent) > REPLAYS_KEPT:
                self._recent.popitem(last=False)
            tensor = _kept(replay, slot)
        if self._recorder.steps[slot.step - self._recorder.first].op.name in _EMPTY:
            raise UserError("This tensor had no numbers of its own yet: torch.empty only reserves memory.")
        if tensor is None or sample_of(tensor) != slot.sample:
            raise UserError(
                "The model did something else when it was run again, so this tensor can't be shown: "
                "what it computes must not depend on anything but its inputs and its weights."
            )
        return tensor

    def _replay(self, slot: Slot) -> Recorder:
        call = self._innermost(slot)
        size = max(1, slot.dtype.itemsize * slot.shape.numel())
        window = min(WINDOW, self._recorder.budget // (8 * size))
        end = max(slot.met, min(slot.step + window, call.last))
        replay = Recorder(
            budget=1 << 62,
            seed=self._recorder.seed,
            edits=self._edits,
            substitutes={**self._substitutes, **self._as_they_were(call.first, end)},
            first=call.first,
            keep=range(slot.step - window, end + 1),
            random_state=call.random,
        )
        again = self._start if call.module is None else _again(call)
        with self._ambient.again():
            replay.run(again)
        return replay

    def _innermost(self, slot: Slot) -> RawCall:
        """The smallest call around a slot that can be run again: what it was given is still there."""
        calls = self._recorder.calls
        around = [call for call in calls if call.first <= slot.step and slot.met <= call.last and _can_run(call)]
        return min(around, key=lambda call: call.last - call.first)

    def _as_they_were(self, first: int, last: int) -> dict[int, Tensor]:
        """Copies of the weights and inputs that these steps have overwritten; others must not have changed since."""
        before: dict[int, Tensor] = {}
        for step in self._recorder.steps[first - self._recorder.first : last + 1 - self._recorder.first]:
            for slot in slots_in((step.args, step.kwargs)):
                if slot.step < 0 and slot.overwritten and (tensor := slot.alive()) is not None:
                    before.setdefault(id(tensor), slot.tensor().clone())
                elif slot.step < 0:
                    slot.tensor()  # raises if it was changed
        return before


def _can_run(call: RawCall) -> bool:
    if call.module is None:
        return True
    return call.args is not None and all(slot.unchanged for slot in slots_in((call.args, call.kwargs)))


def _again(call: RawCall) -> Callable[[], Any]:
    """The call of a module, with what it was given."""
    assert call.module is not None
    given = {slot: slot.tensor().requires_grad_(slot.requires_grad) for slot in slots_in((call.args, call.kwargs))}
    args, kwargs = map_nested((call.args, call.kwargs), Slot, given.__getitem__)  # what was one tensor is one again
    return partial(call.module, *args, **kwargs)


def _kept(replay: Recorder, slot: Slot) -> Tensor | None:
    """A slot's tensor in a replay, if that came by and kept it."""
    step = slot.step - replay.first
    if not 0 <= step < len(replay.steps) or slot.output >= len(replay.steps[step].outputs):
        return None
    kept = replay.steps[step].outputs[slot.output].kept
    return None if kept is None else kept.detach()
