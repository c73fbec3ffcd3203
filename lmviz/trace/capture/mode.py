"""Runs alongside a model and keeps every torch call that it makes. The only TorchFunctionMode of lmviz.

While the model runs, a call costs a look at the Python frame it came from and one tuple. Tensors that are at hand
anyway need no bookkeeping; it begins when something would be lost without it: an operation in place, a budget used up.
Names, source and axes are found later still (`assembly/`).
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from itertools import chain, compress
from sys import _getframe
from typing import Any

from torch import Tensor, nn

from lmviz.trace.capture.edits import Edit, Place, edited
from lmviz.trace.capture.fastpath import WatchingMode
from lmviz.trace.capture.handles import ATOMS, TensorHandle, map_nested, size_of, states_of, tensors_in
from lmviz.trace.capture.memory import Memory
from lmviz.trace.capture.random_stream import RandomStream
from lmviz.trace.capture.raw import Activation, RawCall, RawStep
from lmviz.trace.capture.stack import Stack
from lmviz.trace.capture.torch_functions import TorchFunction, torch_function_of
from lmviz.trace.fused.lengths import boxed, rows_like
from lmviz.trace.fused.table import OPENED

BUDGET = 192 * 2**20

_FUNCTIONS: dict[Any, TorchFunction | None] = {}
_TENSORS = frozenset((Tensor, nn.Parameter))
_KNOWN = _TENSORS | ATOMS | {slice}


_RAISED = (Exception, GeneratorExit)  # ends a recording; what asks the whole program to stop passes through


class _ReplayIsDone(BaseException):
    """Ends a replay when it has come far enough; no model handles it by accident."""


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
        known: Iterable[TensorHandle] = (),
        first: int = 0,
        keep: range | None = None,
        random_state: Tensor | None = None,
    ) -> None:
        self.seed, self.first, self.budget, self.gradients = seed, first, budget, gradients
        self.exception: BaseException | None = None
        self.stack = Stack(_RUN)
        self._known, self._keep, self._random_state = known, keep, random_state
        self._edits = _by_step(edits) if edits else {}
        self._substitutes = substitutes
        self._substituted: dict[int, Tensor] = {}  # id of a substitute -> the model's own tensor
        self._steps: list[RawStep] = []
        self._pending: list[Any] = []  # calls to add, end to end; one list is quicker than one of tuples
        self._bytes_left = budget  # bytes that may still be made before memory is looked at; views are counted in full
        self._at_once = gradients or bool(edits) or bool(substitutes) or keep is not None  # nothing stays pending
        self._state_at_end: tuple[list[Tensor], list[int], list[int]] | None = (
            None  # tensors, and how they were at the end
        )
        self._pending_lock = threading.RLock()
        self._last_error: tuple[BaseException, int] | None = None  # what a torch call raised, and its step
        self._edit_error: BaseException | None = None  # what an edit raised

    def run(self, function: Callable[[], Any]) -> Any:
        """`function()` under this recorder; an exception ends the recording and is kept in `exception`."""
        result = None
        try:
            with self:
                result = _run(function)
        except _ReplayIsDone:
            pass
        except _RAISED as error:
            if error is self._edit_error:
                raise
            self.exception = _without_locals(error)
        finally:
            self._end()
        return result

    @cached_property
    def memory(self) -> Memory:
        return Memory(self.budget, self.gradients, self._known, self._keep)

    @cached_property
    def _random_stream(self) -> RandomStream:
        return RandomStream(self.seed, self._random_state)

    @property
    def failed_at(self) -> int | None:
        """The step whose torch call raised what ended the recording; None if plain Python did."""
        error, step = self._last_error or (None, None)
        return step if error is self.exception else None

    @property
    def steps(self) -> list[RawStep]:
        """The steps so far. The first look at them pays for their bookkeeping."""
        with self._pending_lock:
            self._add_pending()
        return self._steps

    @property
    def spent(self) -> int:
        """The bytes of what steps made and the recording keeps."""
        with self._pending_lock:
            self._add_pending()
        return self.memory.spent

    @property
    def calls(self) -> list[RawCall]:
        return self.stack.calls

    # -- while the model runs ----------------------------------------------------------------------------------------

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # Every call of the model comes through here: what is not needed each time is done elsewhere.
        try:
            op = _FUNCTIONS[func]
        except KeyError:
            op = _FUNCTIONS[func] = torch_function_of(func)
        if op is None:  # it makes no tensor
            if self._substitutes:
                args, kwargs = self._substitute(args, kwargs)
            return func(*args, **kwargs) if kwargs else func(*args)
        frame = _getframe(1)
        activation = self.stack.top
        if frame is not activation.frame:
            activation = self.stack.enter(frame)
            frame = activation.frame  # type: ignore[assignment]
        lasti = frame.f_lasti
        if self._at_once or ((op.special or (kwargs and "out" in kwargs)) and op.does_more(args, kwargs or {})):
            return self._watch(func, op, args, kwargs or {}, activation, lasti)
        try:
            out = func(*args, **kwargs) if kwargs else func(*args)
        except BaseException as error:
            self._raised(self._begin(op, args, kwargs, activation, lasti), error)
            raise
        try:
            self._bytes_left -= out.nbytes
        except (AttributeError, RuntimeError):  # not a tensor; not a plain one
            if not (made := tensors_in(out)):
                return out
            self._bytes_left -= sum(map(size_of, made))
        if op.lists and _may_hold_lists(args, kwargs):
            args, kwargs = map_nested((args, kwargs), Tensor, _same)  # with lists that nobody else can change
        self._pending += (op, args, kwargs, out, activation, lasti)
        if self._bytes_left < 0:
            self._check_budget()
        return out

    def _watch(
        self,
        func: Callable[..., Any],
        op: TorchFunction,
        args: Any,
        kwargs: dict[str, Any],
        activation: Activation,
        lasti: int,
    ) -> Any:
        """A call that overwrites, draws, may be edited, or comes when memory is short: its step is added at once."""
        if self._keep is not None and self._steps and self._steps[-1].index >= self._keep[-1]:
            raise _ReplayIsDone
        if self._substitutes:
            args, kwargs = self._substitute(args, kwargs)
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
            self.memory.make(step, made)
            self.memory.after_overwriting(written, step)
            self._add(step)
        return map_nested(out, Tensor, self._put_back) if self._substituted else out

    def _draw(self, step: RawStep, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        step.random = self._random_stream.state
        try:
            return self._random_stream.draw(func, args, kwargs)
        finally:
            self.stack.random = self._random_stream.state

    def _edit(self, step: RawStep, out: Any, written: list[Tensor], args: Any, kwargs: dict[str, Any]) -> Any:
        """What a call made, with the edits of its outputs, and with those of the steps inside a fused call."""
        step.edits = self._edits[step.index]
        made = tensors_in(written if out is None else out)
        try:
            new = self._edited(step, made, args, kwargs)
        except _RAISED as error:
            self._edit_error = error
            raise
        for tensor in written:
            if id(tensor) in new:  # whoever else looks at this memory must see the edit too
                tensor.copy_(new.pop(id(tensor)))
        return map_nested(out, Tensor, lambda tensor: new.get(id(tensor), tensor)) if new else out

    def _edited(self, step: RawStep, made: list[Tensor], args: Any, kwargs: dict[str, Any]) -> dict[int, Tensor]:
        """What takes the place of the tensors that a call made, by their ids."""
        new: dict[int, Tensor] = {}
        inside: dict[Place, Edit] = {place: edit for place, edit in step.edits.items() if len(place) == 2}
        if inside:
            opened = Recorder(budget=0, edits=inside, random_state=step.random)
            args, kwargs = boxed(args, kwargs)
            results = tensors_in(opened.run(lambda: OPENED[step.op.name](*args, **kwargs)))
            if opened.exception is not None:
                raise opened.exception
            new = {id(old): rows_like(result, old) for old, result in zip(made, results, strict=False)}
        for i, tensor in enumerate(made):
            if (edit := step.edits.get((i,))) is not None:
                new[id(tensor)] = edited(edit, new.get(id(tensor), tensor), self.gradients)
        return new

    def _substitute(self, args: Any, kwargs: Any) -> Any:
        """Arguments with edited weights in the place of the model's own."""

        def swap(tensor: Tensor) -> Tensor:
            new = substitutes.get(id(tensor), tensor)
            if new is not tensor:
                self._substituted[id(new)] = tensor
            return new

        substitutes = self._substitutes or {}
        return map_nested((args, kwargs or {}), Tensor, swap)

    def _put_back(self, tensor: Tensor) -> Tensor:
        """After `self.count += 1` a module must have its own tensor, and not the one in its place."""
        return self._substituted.get(id(tensor), tensor)

    def _raised(self, step: RawStep, error: BaseException) -> None:
        step.error = f"{type(error).__name__}: {error}"
        self._add(step)
        self._last_error = (error, step.index)

    def _check_budget(self) -> None:
        """The budget is used up, or seems so, since views were counted in full: if so, add later calls at once."""
        self._add_pending()
        self._bytes_left = self.budget - self.memory.spent
        self._at_once = self._bytes_left < self.budget // 4

    # -- bookkeeping -------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """End the recording: note how every tensor is now, so that a later change in place can't pass for it."""
        self.stack.leave()
        values = [*self._pending[3::6], *chain.from_iterable(self._pending[1::6])]
        for kwargs in filter(None, self._pending[2::6]):
            values += kwargs.values()
        values = [*dict(zip(map(id, values), values, strict=True)).values()]  # each once
        kinds = [*map(type, values)]
        tensors = [*compress(values, map(_TENSORS.__contains__, kinds))]
        if not _KNOWN.issuperset(kinds):
            tensors += tensors_in([value for value in values if type(value) not in _KNOWN])
        self._state_at_end = tensors, *states_of(tensors)
        for call in self.calls:
            if call.first < 0 and not self._pending:
                call.args = call.kwargs = None

    def _add_pending(self) -> None:
        """Turn what is pending into steps, whose tensors are kept as far as the budget goes."""
        pending, self._pending = self._pending, []
        if self._state_at_end is not None:
            self.memory.note(*self._state_at_end)
            self._state_at_end = None
        for op, args, kwargs, made, activation, lasti in zip(*[iter(pending)] * 6, strict=True):
            step = self._begin(op, args, kwargs, activation, lasti)
            self.memory.make(step, tensors_in(made))
            self._add(step)

    def _begin(
        self, op: TorchFunction, args: Any, kwargs: dict[str, Any] | None, activation: Activation, lasti: int
    ) -> RawStep:
        """The next step, with its operands as they are now, after what is pending."""
        if self._pending:
            self._add_pending()
        index = self.first + len(self._steps)
        self.memory.now = index
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


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _may_hold_lists(args: Any, kwargs: dict[str, Any] | None) -> bool:
    return list in map(type, args) or bool(kwargs and not _KNOWN.issuperset(map(type, kwargs.values())))


def _by_step(edits: Mapping[Place, Edit]) -> dict[int, dict[Place, Edit]]:
    grouped: dict[int, dict[Place, Edit]] = {}
    for (step, *place), edit in edits.items():
        grouped.setdefault(step, {})[tuple(place)] = edit
    return grouped


def _without_locals(error: BaseException) -> BaseException:
    """An exception whose traceback, from the model inwards, has lines and no variables: those hold tensors."""
    link: BaseException | None = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    return error


def _run(function: Callable[[], Any]) -> Any:
    """A frame that marks the bottom of a recording."""
    return function()


_RUN = _run.__code__
