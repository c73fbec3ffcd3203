"""Runs alongside a model and keeps every torch call that it makes. The only TorchFunctionMode of lmviz.

While the model runs, a call costs a look at the Python frame it came from and one tuple. Tensors that are at hand anyway
need no bookkeeping; it begins when something would be lost without it: an operation in place, a budget used up.
Names, source and axes are worked out later still (`build.py`).
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from lmviz.trace.chance import Chance
from lmviz.trace.edits import Edit, Place, edited
from lmviz.trace.fastpath import WatchingMode
from lmviz.trace.memory import ATOMS, Memory
from lmviz.trace.ops import Op, op_of
from lmviz.trace.raw import Activation, RawCall, RawStep
from lmviz.trace.slots import Slot, map_nested, place_of, size_of, tensors_in, version_of
from lmviz.trace.stack import Stack

BUDGET = 192 * 2**20

_OPS: dict[Any, Op | None] = {}


class Recorder(WatchingMode):
    """Records the torch calls of its own thread while `run` runs. A step's index counts from `first`."""

    def __init__(
        self,
        *,
        budget: int = BUDGET,
        seed: int = 0,
        gradients: bool = False,
        edits: Mapping[Place, Edit] | None = None,
        substitutes: Mapping[int, Tensor] | None = None,
        known: Iterable[Slot] = (),
        first: int = 0,
        keep: Callable[[int], bool] | None = None,
        random_state: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.seed, self.first, self.gradients = seed, first, gradients
        self.exception: BaseException | None = None
        self.memory = Memory(budget, gradients, known, keep)
        self.stack = Stack(_RUN)
        self._chance = Chance(seed, random_state)
        self._edits = _by_step(edits or {})
        self._substitutes = substitutes or {}
        self._steps: list[RawStep] = []
        self._pending: list[tuple[Any, ...]] = []
        self._spent = 0  # bytes of what was made, views counted in full
        self._at_once = gradients or bool(edits) or bool(substitutes) or keep is not None  # nothing stays pending
        self._settling = threading.RLock()
        self._last_error: tuple[BaseException, int] | None = None  # what a torch call raised, and its step
        self._unfit: Exception | None = None  # what an edit raised

    def run(self, function: Callable[[], Any]) -> Any:
        """`function()` under this recorder; an exception ends the recording and is kept in `exception`."""
        result = None
        try:
            with self:
                result = _run(function)
        except Exception as error:
            if error is self._unfit:
                raise
            self.exception = error
            _let_go(error)
        self._seal()
        return result

    @property
    def failed_at(self) -> int | None:
        """The step whose torch call raised what ended the recording; None if plain Python did."""
        error, step = self._last_error or (None, None)
        return step if error is self.exception else None

    @property
    def steps(self) -> list[RawStep]:
        """The steps so far. The first look at them pays for their bookkeeping."""
        with self._settling:
            self._settle()
        return self._steps

    @property
    def calls(self) -> list[RawCall]:
        return self.stack.calls

    # -- while the model runs ----------------------------------------------------------------------------------------

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        try:
            op = _OPS[func]
        except KeyError:
            op = _OPS[func] = op_of(func)
        if op is None:  # it makes no tensor
            if self._substitutes:
                args, kwargs = self._swap(args, kwargs)
            return func(*args, **kwargs) if kwargs else func(*args)
        frame = sys._getframe(1)
        activation = self.stack.top
        if frame is not activation.frame:
            activation = self.stack.enter(frame)
        lasti = activation.frame.f_lasti  # type: ignore[union-attr]
        if op.special or self._at_once or (kwargs and "out" in kwargs):
            return self._watch(func, op, args, kwargs or {}, activation, lasti)
        try:
            out = func(*args, **kwargs) if kwargs else func(*args)
        except BaseException as error:
            self._raised(self._begin(op, args, kwargs, activation, lasti), error)
            raise
        if type(out) is Tensor and out.layout is torch.strided:
            self._spent += out.nbytes
        elif made := tensors_in(out):
            self._spent += sum(map(size_of, made))
        else:
            return out
        if op.lists:
            args, kwargs = _own(args), _own(kwargs)
        self._pending.append((op, args, kwargs, out, activation, lasti))
        if self._spent > self.memory.budget:
            self._tighten()
        return out

    def _watch(
        self, func: Callable[..., Any], op: Op, args: Any, kwargs: dict[str, Any], activation: Activation, lasti: int
    ) -> Any:
        """A call that overwrites, draws, may be edited, or comes when memory is short: it is settled as it happens."""
        if self._substitutes:
            args, kwargs = self._swap(args, kwargs)
        step = self._begin(op, args, kwargs, activation, lasti)
        written = tensors_in(op.overwritten(args, kwargs))
        self.memory.before_overwriting(written)
        try:
            out = self._draw(step, func, args, kwargs) if op.draws(args, kwargs) else func(*args, **kwargs)
        except BaseException as error:
            self._raised(step, error)
            raise
        if step.index in self._edits:
            out = self._edit(step, out, written, args, kwargs)
        made = tensors_in(written if out is None else out)
        if made:
            step.outputs = tuple(self.memory.made(tensor, step.index, i) for i, tensor in enumerate(made))
            self.memory.after_overwriting(written, step)
            self._add(step)
        return out

    def _draw(self, step: RawStep, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        step.random = self._chance.state
        try:
            return self._chance.draw(func, args, kwargs)
        finally:
            self.stack.random = self._chance.state

    def _edit(self, step: RawStep, out: Any, written: list[Tensor], args: Any, kwargs: dict[str, Any]) -> Any:
        """What a call made, with the edits of its outputs, and with those of the steps inside a fused call."""
        step.edits = self._edits[step.index]
        made = tensors_in(written if out is None else out)
        new: dict[int, Tensor] = {}
        try:
            if any(len(place) == 2 for place in step.edits):
                inside = Recorder(budget=0, edits=..., random_state=step.random)
            for i, tensor in enumerate(made):
                if (edit := step.edits.get((i,))) is not None:
                    new[id(tensor)] = edited(edit, new.get(id(tensor), tensor), self.gradients)
        except Exception as error:
            self._unfit = error
            raise
        for tensor in written:
            if id(tensor) in new:  # whoever else looks at this memory must see the edit too
                tensor.copy_(new.pop(id(tensor)))
        return map_nested(out, Tensor, lambda tensor: new.get(id(tensor), tensor)) if new else out

    def _swap(self, args: Any, kwargs: Any) -> Any:
        """Arguments with edited weights in the place of the model's own."""
        return map_nested((args, kwargs or {}), Tensor, lambda tensor: self._substitutes.get(id(tensor), tensor))

    def _raised(self, step: RawStep, error: BaseException) -> None:
        step.error = f"{type(error).__name__}: {error}"
        self._add(step)
        self._last_error = (error, step.index)

    def _tighten(self) -> None:
        """The budget is used up, or seems so until views are told from copies: from here on, settle what comes at once."""
        self._settle()
        self._spent = self.memory.spent
        self._at_once = self.memory.spent > self.memory.budget * 3 // 4

    # -- bookkeeping -------------------------------------------------------------------------------------------------

    def _seal(self) -> None:
        """End the recording: note how every tensor is now, so that a later change in place can't pass for it."""
        self.stack.leave()
        values = {id(v): v for v in chain.from_iterable(map(itemgetter(1), self._pending))}
        values.update({id(v): v for v in map(itemgetter(3), self._pending)})
        for kwargs in filter(None, map(itemgetter(2), self._pending)):
            values.update({id(v): v for v in kwargs.values()})
        self.memory.notes = {
            id(tensor): (version_of(tensor), place_of(tensor))
            for value in values.values()
            if type(value) not in ATOMS
            for tensor in ((value,) if isinstance(value, Tensor) else tensors_in(value))
        }
        for call in self.calls:
            if call.first < 0 and not self._pending:
                call.args = call.kwargs = None

    def _settle(self) -> None:
        """Turn what is pending into steps, whose tensors are kept as far as the budget goes."""
        pending, self._pending = self._pending, []
        for op, args, kwargs, made, activation, lasti in pending:
            step = self._begin(op, args, kwargs, activation, lasti)
            step.outputs = tuple(self.memory.made(t, step.index, i) for i, t in enumerate(tensors_in(made)))
            self._add(step)

    def _begin(self, op: Op, args: Any, kwargs: dict[str, Any] | None, activation: Activation, lasti: int) -> RawStep:
        """The next step, with its operands as they are now, after what is pending."""
        if self._pending:
            self._settle()
        index = self.first + len(self._steps)
        self._open(activation.call, index)
        return RawStep(index, op, self.memory.hold(args), self.memory.hold(kwargs or {}), activation, lasti)

    def _open(self, call: RawCall, index: int) -> None:
        """Hold what a call was given, before the first step in it."""
        if call.first < 0:
            if call.parent is not None:
                self._open(call.parent, index)
            call.first = index
            self.memory.keep_inputs(call)

    def _add(self, step: RawStep) -> None:
        self._steps.append(step)
        call: RawCall | None = step.activation.call
        while call is not None:
            call.last = step.index
            call = call.parent


def _own(value: Any) -> Any:
    """A copy of the lists in a call's arguments, since their owner may change them before they are looked at."""
    return value if value is None else map_nested(value, Tensor, _same)


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _by_step(edits: Mapping[Place, Edit]) -> dict[int, dict[Place, Edit]]:
    grouped: dict[int, dict[Place, Edit]] = {}
    for (step, *place), edit in edits.items():
        grouped.setdefault(step, {})[tuple(place)] = edit
    return grouped


def _let_go(error: BaseException | None) -> None:
    """Clear the locals of the functions that an exception came through: they hold on to tensors."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _run(function: Callable[[], Any]) -> Any:
    """A frame that marks the bottom of a recording."""
    return function()


_RUN = _run.__code__
