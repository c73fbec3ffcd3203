"""From what was noted while a model ran to a `Trace`: names, addresses, source, axes, and the tree of calls."""

from __future__ import annotations

import inspect
import sys
import threading
import types
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import CodeType, MappingProxyType
from typing import Any

from torch import Tensor, nn

from lmviz.trace.axes import axes_after, weight_axes
from lmviz.trace.mode import Recorder
from lmviz.trace.opened import OpenedCall, opened
from lmviz.trace.ops import VARIADIC
from lmviz.trace.raw import RawCall, RawStep
from lmviz.trace.slots import Slot, map_nested
from lmviz.trace.source import Site, SourceSpan, site
from lmviz.trace.step import InputRef, ModuleCall, Role, Statement, Step, Story, Trace, Value

_building = threading.Lock()
_TORCH_PLUMBING = ("torch/overrides.py", "torch/nn/functional.py", "torch/_tensor.py", "torch/functional.py")


@dataclass(slots=True)
class Segment:
    """One recorded run: a model's, or that of something small which follows it (a loss, a temperature)."""

    recorder: Recorder
    model: nn.Module
    prefix: str
    inputs: dict[str, Tensor]
    result: Any = None
    loss: float | None = None
    follower: Callable[..., Any] | None = None  # the loss function, whose source is shown too
    settle: Callable[[], None] = lambda: None  # what is left to do before the first look


@dataclass(slots=True)
class _Place:
    """Where a step stands in the source."""

    call: RawCall
    site: Site
    order: tuple[int, ...]  # instructions from the chosen frame inwards: they only grow while one statement runs
    inner: RawCall | None  # the module call that the chosen expression made, if the step is inside one


@dataclass(slots=True)
class _Open:
    """A statement that is being collected."""

    call: int
    span: SourceSpan
    first: int
    last: int
    order: tuple[int, ...]


@dataclass(slots=True)
class _Builder:
    steps: list[Step] = field(default_factory=list)
    statements: list[_Open] = field(default_factory=list)
    calls: list[ModuleCall] = field(default_factory=list)
    values: dict[Slot, Value] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)
    paths: dict[int, str] = field(default_factory=dict)  # id of a module -> where it stands in the model
    weights: dict[int, str] = field(default_factory=dict)  # id of a parameter or buffer -> its path
    shown: set[str] = field(default_factory=set)  # source files whose lines are the lesson
    inputs: list[Value] = field(default_factory=list)
    origins: list[tuple[int, ...]] = field(default_factory=list)

    # -- what the model is made of -----------------------------------------------------------------------------------

    def survey(self, segment: Segment) -> None:
        """Note the paths of modules and weights, the names of inputs, and the files that hold the model's source."""
        for path, module in segment.model.named_modules(remove_duplicate=True):
            self.paths.setdefault(id(module), _join(segment.prefix, path))
            if not _is_torch(type(module)) or next(module.children(), None) is not None:
                self.shown.update(_files_of(module))
        if isinstance(segment.follower, nn.Module):
            self.shown.update(_files_of(segment.follower))
        elif segment.follower is not None:
            self.shown.update(source_files(segment.follower))
        for named in (segment.model.named_parameters(remove_duplicate=False), _buffers(segment.model)):
            for path, tensor in named:
                self.weights.setdefault(id(tensor), _join(segment.prefix, path))
        for name, tensor in segment.inputs.items():
            slot = segment.recorder.slot_of(tensor)
            if slot.step < 0 and slot not in self.values and id(tensor) not in self.weights:
                address = _join(segment.prefix, name)
                self.values[slot] = Value(name, address, "input", _unnamed(slot), tuple(slot.shape), _dtype(slot), slot)
                self.inputs.append(self.values[slot])

    # -- where each step stands --------------------------------------------------------------------------------------

    def place(self, step: RawStep) -> _Place:
        """The innermost frame whose source is the model's own; where there is none, the innermost of all."""
        call, frames, inner = step.call, step.frames, None
        order: tuple[int, ...] = ()
        while True:
            for code, lasti in frames:
                order = (lasti, *order)
                if code.co_filename in self.shown:
                    return _Place(call, site(code, lasti), order, inner)
            if call.parent is None:
                break
            inner, frames, call = call, call.frames, call.parent
        code, lasti = next(((c, i) for c, i in step.frames if not c.co_filename.endswith(_TORCH_PLUMBING)), _nowhere())
        return _Place(step.call, site(code, lasti), (lasti,), None)

    def collect(self, segment: Segment) -> list[tuple[RawStep, _Place, int]]:
        """Every step of a segment with its place and its statement; statements and calls are opened on the way."""
        chosen = [(step, self.place(step)) for step in segment.recorder.steps]
        with_source = {id(place.call) for _, place in chosen}
        for _, place in chosen:
            parent = place.call.parent
            while parent is not None:
                with_source.add(id(parent))
                parent = parent.parent
        numbers: dict[int, int] = {}
        current: dict[int, int] = {}  # call -> its statement in progress

        def number(call: RawCall) -> int:
            if id(call) not in numbers:
                parent = call.parent
                above = number(parent) if parent is not None else None
                made_by = self._made_by(call, parent, current, above)
                numbers[id(call)] = len(self.calls)
                name = type(call.module).__name__ if call.module is not None else ""
                path = segment.prefix if call.module is None else self._path(call.module, segment)
                self.calls.append(ModuleCall(len(self.calls), path, name, above, made_by, -1, -1))
            return numbers[id(call)]

        placed = []
        for step, place in chosen:
            index = number(place.call)
            statement = self._statement(index, current, place.site, place.order)
            placed.append((step, place, statement))
        return placed

    def _made_by(self, call: RawCall, parent: RawCall | None, current: dict[int, int], above: int | None) -> int | None:
        """The parent's statement that made a call, if the parent's source is shown."""
        if parent is None or above is None:
            return None
        order: tuple[int, ...] = ()
        for code, lasti in call.frames:
            order = (lasti, *order)
            if code.co_filename in self.shown:
                return self._statement(above, current, site(code, lasti), order)
        return None

    def _statement(self, call: int, current: dict[int, int], here: Site, order: tuple[int, ...]) -> int:
        """The run of a statement that an instruction belongs to: the one in progress, or a new one."""
        index = current.get(call)
        if index is not None:
            running = self.statements[index]
            if running.span == here.statement and order > running.order:
                running.order = order
                return index
        current[call] = len(self.statements)
        self.statements.append(_Open(call, here.statement, -1, -1, order))
        return current[call]

    def _path(self, module: nn.Module, segment: Segment) -> str:
        return self.paths.get(id(module), _join(segment.prefix, type(module).__name__.lower()))

    # -- names -------------------------------------------------------------------------------------------------------

    def base_name(self, step: RawStep, place: _Place, is_last: bool, segment: Segment) -> tuple[str, tuple[str, ...]]:
        """The address of a step before numbering, and the names of its outputs if the source gives any."""
        prefix = segment.prefix if place.call.module is None else self._path(place.call.module, segment)
        names = place.site.names
        if is_last and names and (len(names) == len(step.outputs) or len(names) == 1):
            return _join(prefix, next((name for name in names if name), step.op.name)), names
        if place.inner is not None and place.inner.module is not None:
            inner = self._path(place.inner.module, segment)
            return (inner, ()) if is_last and inner else (_join(inner, step.op.name), ())
        own = self._path(step.call.module, segment) if step.call.module is not None else prefix
        return _join(prefix if own == prefix else own, _join(place.site.target, step.op.name)), ()

    def unique(self, address: str) -> str:
        self.used[address] += 1
        return address if self.used[address] == 1 else f"{address}#{self.used[address]}"

    # -- steps -------------------------------------------------------------------------------------------------------

    def add(self, segment: Segment) -> None:
        placed = self.collect(segment)
        for i, (step, place, statement) in enumerate(placed):
            after = placed[i + 1] if i + 1 < len(placed) else None
            is_last = after is None or after[2] != statement or after[1].order[:1] != place.order[:1]
            base, names = self.base_name(step, place, is_last, segment)
            self.step(step, place, statement, self.calls[self.statements[statement].call], base, names)
            self.origins.append((step.index,))
            if (call := opened(step)) is not None:
                self.open(call, statement, self.steps[-1])

    def step(
        self,
        raw: RawStep,
        place: _Place,
        statement: int,
        call: ModuleCall,
        base: str,
        names: tuple[str, ...],
        beside: int | None = None,
    ) -> None:
        address = self.unique(base)
        slots, arguments, settings = _arguments(raw)
        known = [(slot.shape, self._axes(slot)) for slot in slots]
        prefix = base.rpartition(".")[0]
        outputs = []
        for i, slot in enumerate(raw.outputs):
            name = names[i] if i < len(names) and names[i] else base.rpartition(".")[2]
            own = (
                address
                if i == 0 or len(raw.outputs) == 1
                else self.unique(_join(prefix, names[i]) if names else f"{base}.{i}")
            )
            axes = place.site.axes if names or not place.site.names else ()
            if not _fits(axes, slot) or not names:
                axes = axes_after(raw.op.name, known, settings, slot.shape)
            self.values[slot] = Value(name, own, "activation", axes, tuple(slot.shape), _dtype(slot), slot)
            outputs.append(self.values[slot])
        after = outputs[0].axes if outputs else ()
        inputs = tuple(
            self._input(slot, raw.op.name, arg, known, after) for slot, arg in zip(slots, arguments, strict=True)
        )
        index = len(self.steps)
        self.steps.append(
            Step(
                index,
                raw.op.name,
                call.module,
                address,
                place.site.span,
                inputs,
                MappingProxyType(settings),
                tuple(outputs),
                arguments,
                statement,
                call.index,
                beside,
                raw.op.in_place,
                raw.error,
            )
        )
        running = self.statements[statement]
        running.first, running.last = (index if running.first < 0 else running.first), index

    def _axes(self, slot: Slot) -> tuple[str, ...]:
        return self.values[slot].axes if slot in self.values else _unnamed(slot)

    def _input(
        self, slot: Slot, op: str, argument: str, known: list[tuple[Any, tuple[str, ...]]], after: tuple[str, ...]
    ) -> Value:
        """The value behind an operand; weights, inputs and constants are named when they are first met."""
        value = self.values.get(slot)
        if value is not None and (value.role == "activation" or any(value.axes) or not value.shape):
            return value
        axes = weight_axes(op, argument, slot.shape, known[0] if known else None, after)
        if value is not None and value.role == "input":
            axes = after[: len(slot.shape)] if op == "embedding" else axes
        tensor = slot.alive()
        path = self.weights.get(id(tensor), "") if tensor is not None else ""
        role: Role = value.role if value else "weight" if path else "constant"
        name = value.name if value else path.rpartition(".")[2]
        address = value.address if value else path
        new = Value(name, address, role, axes, tuple(slot.shape), _dtype(slot), slot)
        if value in self.inputs:
            self.inputs[self.inputs.index(value)] = new
        self.values[slot] = new
        return new

    def open(self, call: OpenedCall, statement: int, fused: Step) -> None:
        """The written-out steps of a fused call, behind it and under its address."""
        self.shown.add(call.function.__code__.co_filename)
        stand_ins = {slot for raw in call.shape.steps for slot in _arguments(raw)[0] if slot.step < 0}
        for slot in stand_ins:
            source = call.source_of(slot)
            if source is not None and source in self.values:
                self.values[slot] = self.values[source]
        for i, raw in enumerate(call.shape.steps):
            for j, slot in enumerate(raw.outputs):
                slot.kept, slot.again = None, partial(call.tensor, i, j)
                slot.grad = partial(call.grad, i, j)
            place = self.place(raw)
            names = place.site.names
            base = _join(fused.address, names[0] if names else _join(place.site.target, raw.op.name))
            self.step(raw, place, statement, self.calls[fused.call], base, names, beside=fused.index)
            self.origins.append((call.step.index, i))

    # -- the whole ---------------------------------------------------------------------------------------------------

    def story(self) -> Story:
        statements = tuple(Statement(i, s.span, s.call, s.first, s.last) for i, s in enumerate(self.statements))
        spans: dict[int, tuple[int, int]] = {}
        for step in self.steps:
            call: int | None = step.call
            while call is not None:
                first, _ = spans.get(call, (step.index, 0))
                spans[call] = (first, step.index)
                call = self.calls[call].parent
        calls = tuple(
            ModuleCall(c.index, c.module, c.class_name, c.parent, c.statement, *spans.get(c.index, (0, -1)))
            for c in self.calls
        )
        statements = _with_calls_inside(statements, calls)
        weights = {value.address: value for value in self.values.values() if value.address and value.role == "weight"}
        return Story(
            tuple(self.steps),
            statements,
            calls,
            tuple(self.inputs),
            MappingProxyType(weights),
            next((step.index for step in self.steps if step.error), None),
            tuple(self.origins),
        )


def build(segments: tuple[Segment, ...]) -> Trace:
    """The trace of one run, or of several that follow each other."""
    failure = next((f.exception for s in segments if (f := s.recorder.failure) is not None), None)
    loss = next((s.loss for s in reversed(segments) if s.loss is not None), None)
    return Trace(partial(_story, segments), segments[-1].result, failure, loss, segments)


def _story(segments: tuple[Segment, ...]) -> Story:
    with _building:
        builder = _Builder()
        for segment in segments:
            segment.settle()
        for segment in segments:
            builder.survey(segment)
        for segment in segments:
            builder.add(segment)
        return builder.story()


def _with_calls_inside(statements: tuple[Statement, ...], calls: tuple[ModuleCall, ...]) -> tuple[Statement, ...]:
    """Statements widened to the steps of the module calls that they made."""
    widened = {s.index: s for s in statements}
    for call in reversed(calls):
        if call.statement is None or call.last < call.first:
            continue
        s = widened[call.statement]
        first = call.first if s.first < 0 else min(s.first, call.first)
        widened[s.index] = Statement(s.index, s.span, s.call, first, max(s.last, call.last))
    return tuple(widened[s.index] for s in statements)


def _arguments(step: RawStep) -> tuple[list[Slot], tuple[str, ...], dict[str, Any]]:
    """A call's tensors with the names they were passed as, and its other settings (defaults filled in)."""
    slots: list[Slot] = []
    names: list[str] = []
    settings: dict[str, Any] = {}
    op = step.op

    def note(name: str, value: Any) -> None:
        if isinstance(value, Slot):
            slots.append(value)
            names.append(name)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Slot) for item in value):
            for i, item in enumerate(value):
                note(f"{name}.{i}", item)
        else:
            settings[name] = map_nested(value, Slot, partial(_reference, slots, names, name))

    args = list(step.args)
    if op.reverse and len(args) >= 2:
        args[0], args[1] = args[1], args[0]
    for i, value in enumerate(args):
        name = op.arguments[i] if i < len(op.arguments) else ""
        if name in VARIADIC and i == len(op.arguments) - 1 and len(args) > len(op.arguments):
            note(name, list(args[i:]))
            break
        if name in VARIADIC and len(args) == i + 1 and not isinstance(value, list | tuple | Slot):
            value = [value]
        note(name or f"argument_{i + 1}", value)
    for name, value in step.kwargs.items():
        note(_KEYWORDS.get(name, name), value)
    return slots, tuple(names), {**op.defaults, **settings}


_KEYWORDS = {"axis": "dim", "keepdims": "keepdim", "correction": "correction", "tensor": "input"}


def _reference(slots: list[Slot], names: list[str], name: str, slot: Slot) -> InputRef:
    slots.append(slot)
    names.append(f"{name}.{len(slots) - 1}")
    return InputRef(len(slots) - 1)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix and name else prefix or name


def _unnamed(slot: Slot) -> tuple[str, ...]:
    return ("",) * len(slot.shape)


def _dtype(slot: Slot) -> str:
    return str(slot.dtype).removeprefix("torch.")


def _fits(axes: tuple[str, ...], slot: Slot) -> bool:
    """A shape comment that does not fit its tensor is not believed."""
    return len(axes) == len(slot.shape) > 0 and all(
        int(name) == size if name.isdigit() else True for name, size in zip(axes, slot.shape, strict=True)
    )


def _is_torch(cls: type) -> bool:
    return cls.__module__.split(".")[0] == "torch"


def _files_of(module: nn.Module) -> Iterator[str]:
    """The files in which a module's class, and what its `forward` wraps, are written."""
    forward: Callable[..., Any] = inspect.unwrap(module.forward)
    code = getattr(forward, "__code__", None)
    if code is not None:
        yield code.co_filename
    owner = sys.modules.get(type(module).__module__)
    if owner is not None and getattr(owner, "__file__", None) and not _is_torch(type(module)):
        yield str(owner.__file__)


def _buffers(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_buffers(remove_duplicate=False)


def _nowhere() -> tuple[CodeType, int]:
    return _empty.__code__, 0


def _empty() -> None: ...


def source_files(function: Callable[..., Any]) -> set[str]:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return {code.co_filename} if isinstance(code, types.CodeType) else set()
