"""A fused call's steps: their structure at once (on tensors without numbers), their numbers when somebody asks."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Any, ClassVar

import torch
from torch import Tensor

from lmviz.trace.fused import OPENED, can_open
from lmviz.trace.mode import Recorder
from lmviz.trace.raw import RawStep
from lmviz.trace.slots import Slot, map_nested

RUNS_KEPT = 2


class OpenedCall:
    """The written-out run of one fused call."""

    _recent: ClassVar[OrderedDict[weakref.ref[OpenedCall], Recorder]] = OrderedDict()
    _lock = threading.RLock()

    def __init__(self, step: RawStep) -> None:
        self.step = step
        self.function = OPENED[step.op.name]
        self.inputs: dict[int, Slot] = {}  # id of a stand-in -> the slot that it stands for
        self.shape = Recorder(budget=1 << 40)
        args, kwargs = map_nested((step.args, step.kwargs), Slot, self._stand_in)
        with torch.no_grad():
            self.shape.run(lambda: self.function(*args, **kwargs))
        self._stand_ins = (args, kwargs)  # keeps their ids valid

    @property
    def succeeded(self) -> bool:
        return self.shape.failure is None

    def _stand_in(self, slot: Slot) -> Tensor:
        tensor = torch.empty(slot.shape, dtype=slot.dtype, device="meta")
        self.inputs[id(tensor)] = slot
        return tensor

    def source_of(self, slot: Slot) -> Slot | None:
        """The outer slot that an input of the written-out run stands for."""
        tensor = slot.alive()
        return None if tensor is None else self.inputs.get(id(tensor))

    def tensor(self, step: int, output: int) -> Tensor:
        return self._run().steps[step].outputs[output].tensor()

    def grad(self, step: int, output: int) -> Tensor | None:
        """The gradient of one inner tensor, from the gradient that reached the fused call's output."""
        outer = self.step.outputs[0].grad
        outer = outer() if callable(outer) else outer
        if outer is None:
            return None
        run = self._run(gradients=True)
        inner = run.steps[step].outputs[output].kept
        result = run.steps[-1].outputs[0].kept
        if inner is None or result is None or not inner.requires_grad:
            return None
        (grad,) = torch.autograd.grad(result, inner, outer.reshape(result.shape), retain_graph=True, allow_unused=True)
        return grad

    def _run(self, gradients: bool = False) -> Recorder:
        key = weakref.ref(self)
        with self._lock:
            run = self._recent.get(key)
            if run is None or (gradients and not run.gradients):
                run = Recorder(budget=1 << 62, gradients=gradients)
                args, kwargs = map_nested(
                    (self.step.args, self.step.kwargs), Slot, lambda slot: _input(slot, gradients)
                )
                with torch.set_grad_enabled(gradients):
                    run.run(lambda: self.function(*args, **kwargs))
                self._recent[key] = run
            self._recent.move_to_end(key)
            while len(self._recent) > RUNS_KEPT:
                self._recent.popitem(last=False)
        return run


def _input(slot: Slot, gradients: bool) -> Tensor:
    tensor = slot.tensor()
    return tensor.requires_grad_() if gradients and tensor.is_floating_point() else tensor


def opened(step: RawStep) -> OpenedCall | None:
    """The written-out form of a step's fused call; None if it has none."""
    names = dict(zip(step.op.arguments, step.args, strict=False)) | dict(step.kwargs)
    if step.op.name not in OPENED or step.error or not can_open(step.op.name, names):
        return None
    call = OpenedCall(step)
    return call if call.succeeded else None
