"""Numbers that were not kept: run the smallest module call around them again, and keep them this time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.trace.mode import Edit, Recorder
from lmviz.trace.raw import RawCall
from lmviz.trace.slots import Slot, map_nested

WINDOW = 24  # steps on each side of the wanted one that a replay keeps too, since the next wish is near
REPLAYS_KEPT = 2


class Replayer:
    """Replays parts of one recording. Safe to use from several threads."""

    def __init__(
        self,
        recorder: Recorder,
        start: Callable[[], Any],
        edits: Mapping[tuple[int, ...], Edit],
        substitutes: Mapping[int, Tensor],
    ) -> None:
        self._recorder = recorder
        self._start = start
        self._edits = edits
        self._substitutes = substitutes
        self._recent: OrderedDict[int, Recorder] = OrderedDict()
        self._lock = threading.Lock()

    def tensor(self, slot: Slot) -> Tensor:
        """The numbers of a slot, from a replay near it or from a new one."""
        with self._lock:
            for first, replay in reversed(self._recent.items()):
                step = slot.step - first
                if 0 <= step < len(replay.steps) and (kept := replay.steps[step].outputs[slot.output].kept) is not None:
                    self._recent.move_to_end(first)
                    return kept.detach()
            replay = self._replay(slot)
            self._recent.pop(replay.first, None)
            self._recent[replay.first] = replay
            while len(self._recent) > REPLAYS_KEPT:
                self._recent.popitem(last=False)
        return replay.steps[slot.step - replay.first].outputs[slot.output].tensor()

    def _replay(self, slot: Slot) -> Recorder:
        call = self._innermost(slot.step)
        size = max(1, int(slot.dtype.itemsize) * int(torch.Size(slot.shape).numel()))
        window = min(WINDOW, self._recorder.budget // (8 * size))
        replay = Recorder(
            budget=1 << 62,
            seed=self._recorder.seed,
            edits=self._edits,
            substitutes=self._substitutes,
            first=call.first,
            keep=lambda step: abs(step - slot.step) <= window,
            random_state=call.random,
        )
        with torch.no_grad():
            replay.run(self._start if call.module is None else lambda: self._call(call))
        step = slot.step - call.first
        original = self._recorder.steps[slot.step - self._recorder.first]
        if step >= len(replay.steps) or replay.steps[step].op != original.op:
            raise UserError(
                "The model did not take the same steps when it was run again, so this tensor can't be shown: "
                "a model must not depend on anything but its inputs and weights."
            )
        return replay

    def _innermost(self, step: int) -> RawCall:
        """The smallest call around a step whose inputs are still known."""
        calls = [call for call in self._recorder.calls if call.first <= step <= call.last and self._can_run(call)]
        return min(calls, key=lambda call: call.last - call.first)

    def _can_run(self, call: RawCall) -> bool:
        return call.module is None or call.held is not None

    def _call(self, call: RawCall) -> Any:
        held = call.held or {}

        def tensor(slot: Slot) -> Tensor:
            return held[slot] if slot in held else slot.tensor()

        args, kwargs = map_nested((call.args, call.kwargs), Slot, tensor)
        assert call.module is not None
        return call.module(*args, **kwargs)
