"""A fused call's steps: their structure at once (on tensors without numbers), their numbers when somebody asks."""

from __future__ import annotations

import copy
import threading
from functools import lru_cache, partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from lmviz.trace.capture.edits import Edit, Place
from lmviz.trace.capture.handles import TensorHandle, map_nested, tensors_in, to_array
from lmviz.trace.capture.mode import Recorder
from lmviz.trace.capture.raw import RawStep, handles_in
from lmviz.trace.capture.torch_modes import TorchModes
from lmviz.trace.fused.lengths import IN_A_BOX, box_of, told_lengths
from lmviz.trace.fused.recurrent import SHARED, gru, is_packed, lstm, positions, rnn_relu, rnn_tanh
from lmviz.trace.fused.table import OPENED
from lmviz.trace.replay.gradients import compute_gradients, gradients_on
from lmviz.trace.replay.reader import Reader
from lmviz.trace.source.model_index import ModelIndex
from lmviz.trace.step import Array

_RUNS_KEPT = 2
MAX_POSITIONS = 256  # of a recurrent network, over all layers and directions: a longer one is shown as one step

OPENED_SOURCE = ModelIndex()
for _function in OPENED.values():
    OPENED_SOURCE.add(_function)


class OpenedCall:
    """The written-out form of one fused call."""

    def __init__(self, fused: RawStep, modes: TorchModes, reader: Reader, outline: _Outline) -> None:
        self._fused, self._modes, self._reader = fused, modes, reader
        self.places: dict[TensorHandle, tuple[int, int]] = {}  # of what is made inside: step and output
        self.returned: dict[int, int] = outline.returned
        self.steps = self._connect(outline)

    def _connect(self, outline: _Outline) -> list[RawStep]:
        """The outline's steps, between the handles of this very call."""
        own = dict(zip(outline.inputs, handles_in((self._fused.args, self._fused.kwargs)), strict=True))
        steps = []
        for i, like in enumerate(outline.steps):
            args, kwargs = map_nested((like.args, like.kwargs), TensorHandle, own.__getitem__)
            step = RawStep(i, like.op, args, kwargs, like.activation, like.lasti)
            own.update({handle: copy.copy(handle) for handle in like.outputs})
            step.outputs = tuple(own[handle] for handle in like.outputs)
            self.places.update({handle: (i, j) for j, handle in enumerate(step.outputs)})
            step.edits = {place[1:]: edit for place, edit in self._inner_edits.items() if place[0] == i}
            steps.append(step)
        return steps

    @property
    def _inner_edits(self) -> dict[Place, Edit]:
        return {place: edit for place, edit in self._fused.edits.items() if len(place) == 2}

    def cells(self, handle: TensorHandle) -> _InnerArray:
        return _InnerArray(self, *self.places[handle])

    @property
    def _has_grad(self) -> bool:
        return any(handle.grad is not None for handle in self._fused.outputs)

    def run(self, gradients: bool) -> Recorder:
        """Run what is written out, on the numbers that the fused call was given."""
        args, kwargs = map_nested((self._fused.args, self._fused.kwargs), TensorHandle, partial(self._input, gradients))
        kwargs |= told_lengths(self._fused.args)
        random = self._fused.random
        recorder = Recorder(budget=1 << 62, gradients=gradients, edits=self._inner_edits, random_state=random)
        with self._modes.restored(), gradients_on() if gradients else torch.no_grad():
            results = tensors_in(recorder.run(lambda: OPENED[self._fused.op.name](*args, **kwargs)))
            if gradients:
                reached = [handle.grad for handle in self._fused.outputs]
                compute_gradients([recorder], results, self._from_outside(results, reached))
        return recorder

    def _from_outside(self, results: list[Tensor], reached: list[Tensor | None]) -> list[Tensor | None]:
        """The gradients without what reaches one result through another, which is met inside once more."""
        if self._fused.op.name != SHARED or reached[0] is None or reached[1] is None:
            return reached
        (through,) = torch.autograd.grad(results[0], results[1], reached[0], retain_graph=True)
        return [reached[0], reached[1] - through]

    def _input(self, gradients: bool, handle: TensorHandle) -> Tensor:
        tensor = box_of(self._reader.tensor(handle))
        return tensor.clone().requires_grad_() if gradients and tensor.is_floating_point() else tensor


class _InnerArray:
    """The numbers of one tensor inside a fused call."""

    __slots__ = ("_call", "_output", "_step")

    def __init__(self, call: OpenedCall, step: int, output: int) -> None:
        self._call, self._step, self._output = call, step, output

    def read(self) -> Array:
        return to_array(_run_of(self._call, gradients=False).steps[self._step].outputs[self._output].tensor())

    def read_grad(self) -> Array | None:
        """From the gradients that reached the fused call's outputs."""
        if not self._call._has_grad:
            return None
        grad = _run_of(self._call, gradients=True).steps[self._step].outputs[self._output].grad
        return None if grad is None else to_array(grad)

    def read_edge(self) -> int:
        """Unknown without running what is written out, in which nothing is given back or overwritten."""
        return -1


_recent: WeakKeyDictionary[OpenedCall, dict[bool, Recorder]] = WeakKeyDictionary()
_running = threading.RLock()


def _run_of(call: OpenedCall, gradients: bool) -> Recorder:
    """The run of a fused call; those that were looked at last are kept."""
    with _running:
        runs = _recent.pop(call, {})
        if gradients not in runs:
            runs[gradients] = call.run(gradients)
        _recent[call] = runs
        for old in [*_recent][:-_RUNS_KEPT]:
            del _recent[old]
        return runs[gradients]


class _Outline:
    """What one kind of fused call does: its steps between tensors that have shapes and no numbers."""

    def __init__(self, name: str, args: Any, kwargs: Any, modes: TorchModes) -> None:
        recorder = Recorder(budget=1 << 62)
        self._given = tensors_in((args, kwargs))  # held, since handles know them by identity
        with modes.restored(), torch.no_grad():
            results = tensors_in(recorder.run(lambda: OPENED[name](*args, **kwargs)))
        if recorder.exception is not None:
            raise recorder.exception
        self.steps = recorder.steps
        made = [recorder.memory.handle_of(tensor) for tensor in results]
        self.returned = {
            handle.step: n for n, handle in enumerate(made) if handle.step >= 0
        }  # step -> output of the call
        self.inputs = [recorder.memory.handle_of(tensor) for tensor in self._given]


class _CallKey:
    """What tells one kind of fused call from another: shapes, types and settings, and how texts are packed."""

    def __init__(self, step: RawStep, modes: TorchModes) -> None:
        self.name, self.modes = step.op.name, modes
        self.args, self.kwargs = map_nested((step.args, step.kwargs), TensorHandle, _stand_in)
        self.kwargs |= told_lengths(step.args)
        sizes = ()
        if self.name in _LOOPS and is_packed(self.args):  # says how often a cell is run, and on how many rows
            packed = step.args[1].tensor().clone()
            self.args, sizes = (self.args[0], packed, *self.args[2:]), tuple(packed.tolist())
        self._key = repr((self.name, modes, self.args, self.kwargs, sizes))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _CallKey) and self._key == other._key


_LOOPS = frozenset(function.__name__ for function in (lstm, gru, rnn_tanh, rnn_relu))


def _stand_in(handle: TensorHandle) -> Tensor:
    return torch.empty(handle.shape, dtype=handle.dtype, device="meta")


@lru_cache(maxsize=128)
def _outline(kind: _CallKey) -> _Outline:
    return _Outline(kind.name, kind.args, kind.kwargs, kind.modes)


def opened(step: RawStep, modes: TorchModes, reader: Reader) -> OpenedCall | None:
    """The written-out form of a step's fused call; None if it has none."""
    if step.op.name not in OPENED or step.error or step.kwargs.get("static_k") is not None:
        return None
    if step.op.name not in IN_A_BOX and any(handle.nested for handle in handles_in((step.args, step.kwargs))):
        return None
    if step.op.name in _LOOPS and positions(step.args) > MAX_POSITIONS:
        return None
    try:
        return OpenedCall(step, modes, reader, _outline(_CallKey(step, modes)))
    except (RuntimeError, TypeError, ValueError):  # called in a way that is not written out
        return None
