"""Runs alongside a model and keeps every torch call that it makes. The only TorchFunctionMode of lmviz.

While the model runs, a call costs a look at the Python frames above it and one tuple. Tensors that are at hand anyway
need no bookkeeping; it begins when something would be lost without it: an operation in place, a budget used up.
Names, source and axes are worked out later still (`build.py`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lmviz.errors import UserError
from lmviz.trace.fused import OPENED
from lmviz.trace.ops import Op, op_of
from lmviz.trace.raw import RawCall, RawStep
from lmviz.trace.slots import SMALL, Slot, map_nested, tensors_in, version_of
from lmviz.trace.step import Failure

BUDGET = 192 * 2**20  # bytes of activations that a recording keeps, and as much again for the inputs of module calls

Edit = Callable[[Tensor], Any]

_CALL_IMPL = nn.Module._call_impl.__code__
_WRAPPED_CALL = nn.Module._wrapped_call_impl.__code__
_ATOMS = frozenset((int, float, bool, str, type(None), torch.dtype, torch.Size, torch.device, complex))
_OPS: dict[Any, Op | None] = {}
_random_lock = threading.Lock()


class Recorder(TorchFunctionMode):
    """Records the torch calls of its own thread while `run` runs. A step's index counts from `first`."""

    def __init__(
        self,
        *,
        budget: int = BUDGET,
        seed: int = 0,
        gradients: bool = False,
        edits: Mapping[tuple[int, ...], Edit] | None = None,
        substitutes: Mapping[int, Tensor] | None = None,
        known: Iterable[Slot] = (),
        first: int = 0,
        keep: Callable[[int], bool] | None = None,
        random_state: Tensor | None = None,
    ) -> None:
        super().__init__()
        self._steps: list[RawStep] = []
        self._settling = threading.RLock()
        self._versions: dict[int, int] = {}
        self.root = RawCall(0, None, (), first)
        self.calls: list[RawCall] = [self.root]
        self.failure: Failure | None = None
        self.budget, self.spent, self.call_spent = budget, 0, 0
        self.first = first
        self.seed = seed
        self.gradients = gradients
        self._edits = dict(edits or {})
        self._substitutes = dict(substitutes or {})
        self._keep = keep
        self._random_state = random_state
        self._stack: list[RawCall] = [self.root]
        self._pending: list[tuple[Any, ...]] = []
        self._at_once = gradients or bool(edits) or keep is not None  # settle every call as it comes
        self._slots: dict[int, Slot] = {id(t): slot for slot in known if (t := slot.alive()) is not None}
        self._storages: set[int] = set()
        self._raised: BaseException | None = None

    def run(self, function: Callable[[], Any]) -> Any:
        """`function()` under this recorder; an exception ends the recording and is kept in `failure`."""
        result = None
        try:
            with self:
                result = _run(function)
        except Exception as error:
            self.failure = Failure(self.first + len(self._steps) - 1 if error is self._raised else None, error)
        self._seal()
        return result

    # -- while the model runs ----------------------------------------------------------------------------------------

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        try:
            op = _OPS[func]
        except KeyError:
            op = _OPS[func] = op_of(func)
        if kwargs is None:
            kwargs = {}
        if op is None:
            return func(*args, **kwargs)
        if self._substitutes:
            args, kwargs = map_nested((args, kwargs), Tensor, lambda t: self._substitutes.get(id(t), t))
        call, frames = self._place(
            sys._getframe(1)
        )  # before the call: functions that have returned let go of their locals
        held = None
        in_place = op.in_place or op.writes_to_input(args, kwargs)
        if in_place or "out" in kwargs:
            held = self._before_overwriting(kwargs["out"] if "out" in kwargs else args[0], args, kwargs)
        try:
            out = self._draw(func, args, kwargs) if op.random else func(*args, **kwargs)
        except BaseException as error:
            self._pending.append((op, args, kwargs, f"{type(error).__name__}: {error}", call, frames, held))
            self._settle()
            self._raised = error
            raise
        made = out
        if type(out) is not Tensor:
            if out is None and in_place:
                made = args[0]
            elif type(out) in _ATOMS or not tensors_in(out):
                return out
        if self._edits:
            out = made = self._edit(op, made, args, kwargs)
        self._pending.append((op, args, kwargs, made, call, frames, held))
        if self._at_once or held is not None:
            self._settle()
        else:
            self.spent += made.nbytes if type(made) is Tensor else sum(tensor.nbytes for tensor in tensors_in(made))
            if self.spent > self.budget:
                self._tighten()
        return out

    def _tighten(self) -> None:
        """From here on every call is settled as it comes, because tensors may have to be let go."""
        self._at_once = True
        self._settle()
        running = set(map(id, self._stack))
        for call in self.calls:
            if id(call) not in running:
                call.frame = None

    def _place(self, frame: FrameType | None) -> tuple[RawCall, tuple[tuple[CodeType, int], ...]]:
        """The module call that a torch call belongs to, and the frames between, innermost first."""
        frames: list[tuple[CodeType, int]] = []
        while frame is not None:
            code = frame.f_code
            if code is _CALL_IMPL:
                call = self._stack[-1]
                return (call if call.frame is frame else self._enter(frame)), tuple(frames)
            if code is _RUN:
                break
            frames.append((code, frame.f_lasti))
            frame = frame.f_back
        self._leave(1)
        return self.root, tuple(frames)

    def _enter(self, frame: FrameType) -> RawCall:
        """The call that `frame` runs; calls not seen before are opened, calls that have returned are closed."""
        stack = self._stack
        for depth in range(len(stack) - 1, 0, -1):
            if stack[depth].frame is frame:
                self._leave(depth + 1)
                return stack[depth]
        frames: list[tuple[CodeType, int]] = []
        above = frame.f_back
        while above is not None and (code := above.f_code) is not _CALL_IMPL and code is not _RUN:
            if code is not _WRAPPED_CALL:
                frames.append((code, above.f_lasti))
            above = above.f_back
        if above is not None and above.f_code is _CALL_IMPL:
            parent = stack[-1] if stack[-1].frame is above else self._enter(above)
        else:
            self._leave(1)
            parent = self.root
        call = RawCall(len(self.calls), parent, tuple(frames), self.first + len(self._steps) + len(self._pending))
        call.frame = frame
        call.random = self._random_state
        self.calls.append(call)
        stack.append(call)
        if self._at_once:
            self._keep_inputs(call)
        return call

    def _leave(self, depth: int) -> None:
        """Close the calls from `depth` on. A frame that is held keeps its locals, so past the budget it is let go."""
        if self._at_once:
            for call in self._stack[depth:]:
                call.frame = None
        del self._stack[depth:]

    def _draw(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run a call that may draw random numbers on this recording's own stream, and leave torch's as it was."""
        with _random_lock:
            outside = torch.random.get_rng_state()
            try:
                if self._random_state is None:
                    torch.default_generator.manual_seed(self.seed)
                else:
                    torch.random.set_rng_state(self._random_state)
                out = func(*args, **kwargs)
                self._random_state = torch.random.get_rng_state()
            finally:
                torch.random.set_rng_state(outside)
        return out

    def _edit(self, op: Op, made: Any, args: Any, kwargs: Any) -> Any:
        """What a call made, with the edits of its outputs, and with those of the steps inside a fused call."""
        step = self.first + len(self._steps)
        outputs = tensors_in(made)
        changed: dict[int, Tensor] = {}
        inner = {tuple(key[1:]): edit for key, edit in self._edits.items() if len(key) == 3 and key[0] == step}
        if inner:
            written_out = Recorder(budget=0, edits=inner).run(lambda: OPENED[op.name](*args, **kwargs))
            changed[id(outputs[0])] = written_out.reshape(outputs[0].shape)
        for i, tensor in enumerate(outputs):
            if (edit := self._edits.get((step, i))) is not None:
                changed[id(tensor)] = edited(edit, tensor, self.gradients)
        return map_nested(made, Tensor, lambda t: changed.get(id(t), t)) if changed else made

    # -- bookkeeping -------------------------------------------------------------------------------------------------

    def _seal(self) -> None:
        """End the recording: note how every tensor is now, so that a later change in place can't pass for it."""
        self._leave(1)
        for call in self.calls[1:]:
            if call.frame is not None:
                call.look()
        versions = self._versions
        for _, args, kwargs, made, _, _, _ in self._pending:
            for value in (*args, *kwargs.values(), made):
                for tensor in (value,) if isinstance(value, Tensor) else tensors_in(value):
                    versions[id(tensor)] = version_of(tensor)

    @property
    def steps(self) -> list[RawStep]:
        """The steps so far. The first look at them pays for their bookkeeping."""
        with self._settling:
            self._settle()
        return self._steps

    def _settle(self) -> None:
        """Turn what is pending into steps, whose tensors are kept as far as the budget goes."""
        if not self._pending:
            return
        if not self._steps:
            self.spent = 0  # counted anew, now that views can be told from copies
        pending, self._pending = self._pending, []
        for call in self.calls[1:]:
            if not call.settled:
                self._keep_inputs(call)
        for op, args, kwargs, made, call, frames, held in pending:
            args, kwargs = held or (self._hold(args), self._hold(kwargs))
            step = RawStep(self.first + len(self._steps), op, args, kwargs, call, frames)
            if isinstance(made, str):
                step.error = made
            else:
                step.outputs = tuple(self._make(t, step.index, i) for i, t in enumerate(tensors_in(made)))
            self._steps.append(step)
            around: RawCall | None = call
            while around is not None:
                around.last = step.index
                around = around.parent

    def _hold(self, value: Any) -> Any:
        """The slot of a tensor; anything else as it is, down to the tensors in it."""
        if isinstance(value, Tensor):
            slot = self._slots.get(id(value))
            if slot is not None and slot.alive() is value and slot.version == self._version(value):
                return slot
            slot = self._slots[id(value)] = Slot(value, self._version(value), keep=True)
            return slot
        return value if type(value) in _ATOMS else map_nested(value, Tensor, self._hold)

    def _make(self, tensor: Tensor, step: int, output: int) -> Slot:
        """A new slot for a tensor that a step has made, kept if the budget allows."""
        slot = self._slots[id(tensor)] = Slot(tensor, self._version(tensor), keep=False, step=step, output=output)
        if self.gradients:
            slot.kept = tensor
        elif self._afford(tensor, step):
            slot.kept = tensor.detach() if tensor.requires_grad else tensor
        return slot

    def _version(self, tensor: Tensor) -> int:
        version = self._versions.get(id(tensor))
        return version_of(tensor) if version is None else version

    def _afford(self, tensor: Tensor, step: int) -> bool:
        if self._keep is not None and not self._keep(step):
            return False
        size = int(tensor.nbytes)
        if size > SMALL and not tensor.is_meta:
            storage = tensor.untyped_storage()
            if storage.data_ptr() in self._storages:  # a view of what is kept
                return True
            size = storage.nbytes()
            if self.spent + size <= self.budget:
                self._storages.add(storage.data_ptr())
        if self.spent + size > self.budget:
            return False
        self.spent += size
        return True

    def _keep_inputs(self, call: RawCall) -> None:
        """Hold what a call was given, so that it can be run again; weights and kept activations cost nothing."""
        if call.frame is not None:
            call.look()
        call.settled = True
        given = call.given
        call.args, call.kwargs = self._hold(given[0]), self._hold(given[1])
        call.given = ((), {})
        missing = {slot: t for t in tensors_in(given) if (slot := self._slots[id(t)]).kept is None}
        size = sum(int(tensor.nbytes) for tensor in missing.values())
        leaf = call.module is None or next(call.module.children(), None) is None
        if missing and (leaf or self.call_spent + size > self.budget):
            call.held = None
            return
        self.call_spent += size
        call.held = {slot: tensor.detach() for slot, tensor in missing.items()}

    def _before_overwriting(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Copy every kept value that shares memory with `target`; the call's arguments as they were."""
        self._settle()
        for tensor in tensors_in(target):
            if not tensor.is_meta:
                self._freeze(tensor.untyped_storage().data_ptr(), tensor)
        return self._hold(args), self._hold(kwargs)

    def _freeze(self, storage: int, target: Tensor) -> None:
        for slot in list(self._slots.values()):
            tensor = slot.kept
            if tensor is not None and not tensor.is_meta and tensor.untyped_storage().data_ptr() == storage:
                slot.freeze()
                self.spent += int(tensor.nbytes)
        self._storages.discard(storage)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The tensors that are known at the end, by identity."""
        return tuple(self._slots.values())

    @property
    def slots_met(self) -> list[Slot]:
        """Every slot of the recording, overwritten ones too, in the order of the run."""
        met: dict[Slot, None] = {}
        for step in self.steps:
            map_nested((step.args, step.kwargs), Slot, lambda slot: met.setdefault(slot, None))
            met.update(dict.fromkeys(step.outputs))
        return list(met)

    def slot_of(self, tensor: Tensor) -> Slot:
        slot: Slot = self._hold(tensor)
        return slot


def edited(edit: Edit, tensor: Tensor, gradients: bool = False) -> Tensor:
    """`edit` applied to a copy; the result must fit where the original stood. Gradients end there."""
    new = edit(tensor.detach().clone())
    new = new if isinstance(new, Tensor) else torch.as_tensor(new)
    if new.shape != tensor.shape:
        raise UserError(
            "An edit must return a tensor of the shape it was given, {expected}; it returned {found}.",
            expected=list(tensor.shape),
            found=list(new.shape),
        )
    new = new.to(dtype=tensor.dtype, device=tensor.device).detach()
    return new.requires_grad_() if gradients and new.is_floating_point() else new


def _run(function: Callable[[], Any]) -> Any:
    """A frame that marks the bottom of a recording."""
    return function()


_RUN = _run.__code__
