"""`lmviz.watch()`: a training loop of one's own, recorded step by step within a budget; and where it is to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, overload

import torch
from torch import nn

from lmviz.attach.example import Example
from lmviz.attach.memory import MemoryProgram, kept
from lmviz.attach.show import free_name, open_program
from lmviz.errors import UserError, check_given, item
from lmviz.trace.step import Step, Trace
from lmviz.trace.watched import Watched

MEMORY = 512 * 2**20

Condition = Callable[[Step], object]


class Stopped(BaseException):
    """Ends a training loop at a breakpoint; the `with` block around it takes it. Not an Exception, so that a loop that
    goes on after errors does not take it for one."""


@dataclass(frozen=True, eq=False)
class _Recorded:
    number: int  # which forward pass of the run it was, from 0
    watched: Watched
    n_bytes: int


class Run(Sequence[Trace]):
    """The recorded passes of a training loop, in their order: `run[0]`, `run[-1]`, `run.steps`, `run.show(3)`."""

    def __init__(
        self, model: nn.Module, every: int = 1, memory: int = MEMORY, tokenizer: Any = None, browser: bool = True
    ) -> None:
        self._model, self._tokenizer, self._browser = model, tokenizer, browser
        self._every, self._memory = every, memory
        self._recorded: list[_Recorded] = []
        self._count = 0  # forward passes so far
        self._condition: Condition | None = None
        self._original: Any = None
        self.stopped_at: Step | None = None  # where a breakpoint ended the loop
        self._program: MemoryProgram | None = None
        self._shown: dict[int, int] = {}  # pass -> run of the program

    # -- what there is -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._recorded)

    @overload
    def __getitem__(self, key: int) -> Trace: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[Trace, ...]: ...

    def __getitem__(self, key: int | slice) -> Trace | tuple[Trace, ...]:
        found = item(self._recorded, key)
        return found.watched.trace if isinstance(found, _Recorded) else tuple(one.watched.trace for one in found)

    @property
    def steps(self) -> tuple[int, ...]:
        """Which forward passes were kept, counted from 0."""
        return tuple(one.number for one in self._recorded)

    @property
    def every(self) -> int:
        """Every how many passes one is kept now: where the budget was too small, this has doubled."""
        return self._every

    @property
    def n_bytes(self) -> int:
        """What the recordings hold."""
        return sum(one.n_bytes for one in self._recorded)

    def show(self, index: int = -1, **place: str) -> Trace:
        """Open one of the recordings in the app.

        Raises:
            UserError: nothing was recorded, or fewer passes than that.
        """
        check_given("Run.show", "index", index, int)
        if not self._recorded:
            raise UserError("This run has no recording to show: its model was never called with gradients on.")
        found = item(self._recorded, index)
        if self._program is None:
            title = type(self._model).__name__
            self._program = MemoryProgram(free_name(title), title)
        if found.number not in self._shown:
            args = found.watched.given
            example = Example(self._model, args[0], args[1], self._tokenizer)
            self._shown[found.number] = self._program.add(kept(found.watched.trace, example))
        open_program(self._program, self._shown[found.number], self._browser, **place)
        return found.watched.trace

    def __repr__(self) -> str:
        return f"<{len(self)} recordings of {type(self._model).__name__}, passes {list(self.steps)}>"

    # -- while the loop runs -----------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        kind, run = type(self._model), self
        self._original = kind.__dict__.get("__call__")
        call = kind.__call__

        def watched_call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if module is not run._model or not torch.is_grad_enabled():
                return call(module, *args, **kwargs)
            return run._called(args, kwargs, lambda: call(module, *args, **kwargs))

        self._watching = watched_call
        self._patch(True)
        self._token = _RUNNING.set((*_RUNNING.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._patch(False)
        _RUNNING.reset(self._token)
        if kind is None:
            try:
                self._finish()
            except Stopped:
                return True
        return isinstance(error, Stopped) and self.stopped_at is not None

    def _patch(self, on: bool) -> None:
        kind: Any = type(self._model)
        if on:
            kind.__call__ = self._watching
        elif self._original is None:
            del kind.__call__
        else:
            kind.__call__ = self._original

    def _called(self, args: tuple[Any, ...], kwargs: dict[str, Any], plainly: Callable[[], Any]) -> Any:
        """One forward pass of the loop."""
        self._finish()
        number, self._count = self._count, self._count + 1
        if number % self._every:
            return plainly()
        self._patch(False)
        try:
            watched = Watched(self._model, args, kwargs)
        finally:
            self._patch(True)
        result, error = watched.result, watched.exception
        watched.release()
        self._recorded.append(_Recorded(number, watched, 0))
        if error is not None:
            raise error
        self._stop_where_it_holds(watched.trace)
        return result

    def _finish(self) -> None:
        """What is left to do for the pass before: its gradients are there now."""
        if self._recorded and not self._recorded[-1].n_bytes:
            last = self._recorded[-1]
            self._recorded[-1] = _Recorded(last.number, last.watched, max(1, last.watched.n_bytes()))
            self._stop_where_it_holds(last.watched.trace)
            self._keep_within()

    def _keep_within(self) -> None:
        """Past the budget every second recording goes, so that those that are left are evenly spread."""
        while self.n_bytes > self._memory and len(self._recorded) > 1:
            self._every *= 2
            left = [one for one in self._recorded if one.number % self._every == 0]
            self._recorded = left if len(left) < len(self._recorded) else self._recorded[1:]

    def breakpoint_if(self, condition: Condition | None) -> None:
        self._condition = condition

    def _stop_where_it_holds(self, trace: Trace) -> None:
        if self._condition is None or self.stopped_at is not None:
            return
        self.stopped_at = next((step for step in trace if _holds(self._condition, step)), None)
        if self.stopped_at is not None:
            self.show(-1, step=self.stopped_at.address, by="op")
            raise Stopped


def _holds(condition: Condition, step: Step) -> bool:
    found = condition(step)
    try:
        return bool(found)
    except (ValueError, RuntimeError) as error:  # NumPy's, and torch's, of many numbers at once
        raise UserError(
            "The condition of breakpoint_if must be true or false for a step; at {address} it is a {found} with an "
            "answer for each number: write (…).any() or (…).all().",
            address=step.address,
            found=type(found).__name__,
        ) from error


_RUNNING: ContextVar[tuple[Run, ...]] = ContextVar("running", default=())


def watch(model: nn.Module, every: int = 1, memory: int = MEMORY, tokenizer: Any = None, browser: bool = True) -> Run:
    """Record the forward and backward passes of a training loop: `with lmviz.watch(model) as run: …`.

    The loop is left as it is, and learns what it would have learned, to the last bit. Calls without gradients, such as
    those of an evaluation, are not recorded.

    Args:
        every: record every so many passes.
        memory: bytes that the recordings may take. Past it every second one goes, and fewer are made from then on.
        tokenizer: names the ids, as for `show`.
        browser: whether `run.show` and a breakpoint open one.

    Raises:
        UserError: one of these is no number that it can be.
    """
    if not isinstance(model, nn.Module):
        raise UserError("watch needs a torch.nn.Module; got {found}.", found=type(model).__name__)
    check_given("watch", "every", every, int)
    check_given("watch", "memory", memory, int, float)
    if every < 1 or memory < 1:
        raise UserError(
            "watch needs `every` and `memory` of at least 1; got {every} and {memory}.", every=every, memory=memory
        )
    return Run(model, every, memory, tokenizer, browser)


def breakpoint_if(condition: Condition) -> None:
    """Stop the training loop of the `with lmviz.watch(model)` around it, where a condition holds first, and show it.

    The loop ends there, the program goes on behind the `with` block, and `run.stopped_at` is the step.

    Args:
        condition: is asked of every step of a recorded pass when it has its numbers, and once more when its gradients
            have arrived. (Before that they are None.)

    Raises:
        UserError: there is no such block, or it is no function.
    """
    check_given("breakpoint_if", "condition", condition, Callable)  # type: ignore[arg-type]
    if not _RUNNING.get():
        raise UserError("breakpoint_if stops a run that is watched: call it inside `with lmviz.watch(model):`.")
    _RUNNING.get()[-1].breakpoint_if(condition)
