"""From what was noted while a model ran to a `Trace`: names, addresses, source, axes, and the tree of calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from lmviz.trace.assembly.axis_names import name_axes
from lmviz.trace.assembly.entries import Entry, entries_of
from lmviz.trace.assembly.inputs import named_tensors
from lmviz.trace.assembly.naming import Naming
from lmviz.trace.assembly.places import Places, ShownCall, StatementRun
from lmviz.trace.capture.edits import Edit, Place
from lmviz.trace.capture.handles import TensorHandle
from lmviz.trace.capture.mode import Recorder
from lmviz.trace.capture.torch_modes import TorchModes
from lmviz.trace.operations.axes import Axes, unnamed
from lmviz.trace.replay.reader import Reader
from lmviz.trace.replay.replayer import Replayer
from lmviz.trace.source.compiled import check_has_source, uncompiled
from lmviz.trace.source.model_index import ModelIndex, join
from lmviz.trace.source.sites import SourceSpan, site
from lmviz.trace.step import Cells, Contents, ModuleCall, Role, Statement, Step, Trace, Value

_building = threading.Lock()


@dataclass(slots=True)
class Segment:
    """One recorded run: a model's, or that of something small which follows it (a loss, a temperature)."""

    recorder: Recorder
    model: nn.Module | Callable[..., Any]
    prefix: str
    modes: TorchModes
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    edits: Mapping[Place, Edit] = field(default_factory=dict)
    substitutes: Mapping[int, Tensor] = field(default_factory=dict)  # edited weights, by the ids of the model's own
    result: Any = None
    loss: float | None = None

    def run(self) -> Any:
        check_has_source(self.model)
        with uncompiled():
            return self.model(*self.args, **self.kwargs)

    def _replayer(self) -> Replayer:
        return Replayer(self.recorder, self.run, self.modes, self.edits, self.substitutes)

    def with_recorder(self, recorder: Recorder) -> Segment:
        return replace(self, recorder=recorder)


def after(earlier: tuple[Segment, ...]) -> dict[str, Any]:
    """What a recorder must know of the recordings that it continues: where to count on, and their tensors."""
    first = sum(len(segment.recorder.steps) for segment in earlier)
    return {"first": first, "known": [handle for segment in earlier for handle in segment.recorder.memory.handles]}


def build(segments: tuple[Segment, ...]) -> Trace:
    """The trace of one run, or of several that follow each other."""
    last = segments[-1]
    failures = [s.recorder.exception for s in segments if s.recorder.exception is not None]
    loss = next((s.loss for s in reversed(segments) if s.loss is not None), None)  # what follows it has none of its own
    return Trace(partial(_contents, segments), last.result, failures[0] if failures else None, loss, segments)


def _contents(segments: tuple[Segment, ...]) -> Contents:
    with _building:
        builder = _Builder(Reader(segment._replayer() for segment in segments))
        for segment in segments:
            builder.model_index.add(segment.model, segment.prefix, segment.substitutes)
        builder.naming.reserve(builder.model_index.weights.values())
        for segment in segments:
            builder.add(segment)
        return builder.contents(segments)


class _Builder:
    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.model_index = ModelIndex()
        self.places = Places(self.model_index)
        self.naming = Naming(self.model_index)
        self.axes: dict[TensorHandle, Axes] = {}
        self.values: dict[TensorHandle, Value] = {}
        self.inputs: list[Value] = []
        self.input_names: dict[int, tuple[str, str]] = {}  # id of a tensor -> the argument that it was given as
        self.steps: list[Step] = []
        self.origins: list[tuple[int, ...]] = []
        self.modules: dict[str, tuple[int, int]] = {}

    def add(self, segment: Segment) -> None:
        """Make the steps of one recording."""
        self.places.prefix = segment.prefix
        entries = entries_of(segment.recorder.steps, self.places, segment.modes, self.reader)
        name_axes(entries, self.axes)
        named = named_tensors(segment.model, segment.args, segment.kwargs)
        given = {name: segment.substitutes.get(id(tensor), tensor) for name, tensor in named.items()}
        self.input_names = {id(tensor): (name, join(segment.prefix, name)) for name, tensor in given.items()}
        self._reserve_inputs(segment, entries)
        for entry in entries:
            self._add_step(entry, segment.prefix if entry.fused is None else entry.fused.address)
        self._note_modules(segment, entries)

    def _reserve_inputs(self, segment: Segment, entries: list[Entry]) -> None:
        """An address stands for one tensor: what is given is called otherwise than what is made of it."""
        if not self.input_names:
            return
        taken = self.naming.taken_names(entries, segment.prefix)
        taken.update(self.model_index.path_of(call.module, segment.prefix) for call in segment.recorder.calls)
        self.input_names = {
            identity: (name, self.naming.input_address(address, address in taken))
            for identity, (name, address) in self.input_names.items()
        }

    def _add_step(self, entry: Entry, prefix: str) -> None:
        raw, operands, fused = entry.raw, entry.operands, entry.fused
        entry.index = len(self.steps)
        inputs = tuple(self._operand(handle) for handle in operands.handles)
        outputs = self._outputs(entry, prefix)
        run = (entry.fused or entry).expression.run  # what is inside a fused call stands where that stands
        self.steps.append(
            Step(
                index=entry.index,
                op=raw.op.name,
                module=self.places.calls[run.call].path,
                address=entry.address,
                span=entry.expression.site.span,
                inputs=inputs,
                settings=MappingProxyType(operands.settings),
                outputs=outputs,
                arguments=tuple(operands.names),
                statement=run.index,
                call=run.call,
                opened=None if fused is None else fused.index,
                returned=None if fused is None else _returned(fused, raw.index),
                in_place=raw.op.overwrites_first(raw.args, raw.kwargs),
                error=raw.error,
                edited=bool(raw.edits),
            )
        )
        self.origins.append(entry.origin)
        if entry.fused is None:
            self.naming.note_aliases(entry, prefix)
        run.first, run.last = (entry.index if run.first < 0 else run.first), entry.index

    def _outputs(self, entry: Entry, prefix: str) -> tuple[Value, ...]:
        names = iter(self.naming.outputs(entry, prefix))
        made = []
        for handle in entry.raw.outputs:
            old = handle.before
            name, address = next(names) if old is None else self.naming.overwritten(self.values.get(old))
            home = self.reader if entry.fused is None or entry.fused.opened is None else entry.fused.opened
            is_edited = (handle.output,) in entry.raw.edits
            value = self._value(handle, name, address, "activation", home.cells(handle), is_edited)
            self.values[handle] = value if old is None else replace(value, before=self.values.get(old))
            made.append(self.values[handle])
        return tuple(made)

    def _operand(self, handle: TensorHandle) -> Value:
        """The value behind an operand; weights, inputs and constants are named when they are first met."""
        value = self.values.get(handle)
        if value is None:
            name, address, role = self._identify(id(handle.alive()))
            value = self.values[handle] = self._value(handle, name, address, role, self.reader.cells(handle))
            if role == "input":
                self.inputs.append(value)
        return value

    def _identify(self, identity: int) -> tuple[str, str, Role]:
        """Name, address and role of a tensor that no step has made."""
        if identity in self.model_index.weights:
            path = self.model_index.weights[identity]
            return path.rpartition(".")[2], path, "weight"
        if identity in self.input_names:
            return *self.input_names[identity], "input"
        return "", "", "constant"

    def _value(
        self, handle: TensorHandle, name: str, address: str, role: Role, cells: Cells, edited: bool = False
    ) -> Value:
        axes, dtype = self.axes.get(handle) or unnamed(handle.shape), str(handle.dtype).removeprefix("torch.")
        shape, ragged, several = tuple(handle.shape), handle.nested, handle.several
        return Value(name, address, role, axes, shape, dtype, cells, edited, ragged=ragged, several=several)

    def _note_modules(self, segment: Segment, entries: list[Entry]) -> None:
        """A module's path stands for the last step of its first call."""
        index_of = {entry.raw.index: entry.index for entry in entries if entry.fused is None}
        for call in segment.recorder.calls:
            path = self.model_index.path_of(call.module, segment.prefix)
            if path and path not in self.modules and 0 <= call.first <= call.last:
                self.modules[path] = (index_of[call.last], 0)

    def contents(self, segments: tuple[Segment, ...]) -> Contents:
        self._widen()
        weights = {v.address: v for v in self.values.values() if v.address and v.role == "weight"}
        failed = next((s.recorder for s in segments if s.recorder.exception is not None), None)
        raised = None if failed is None else failed.failed_at
        return Contents(
            steps=tuple(self.steps),
            statements=tuple(_statement(run) for run in self.places.runs),
            calls=tuple(_module_call(i, call) for i, call in enumerate(self.places.calls)),
            inputs=tuple(self.inputs),
            weights=MappingProxyType(weights),
            failed_at=None if raised is None else self.origins.index((raised,)),
            failed_in=None if failed is None else self._place_of(failed.exception),
            origins=tuple(self.origins),
            aliases=MappingProxyType({**self.modules, **self.naming.aliases}),
        )

    def _widen(self) -> None:
        """Count what a statement has called to the statement, and what a call contains to the call."""
        for run in reversed(self.places.runs):
            for around in (run.parent, self.places.calls[run.call]):
                if around is not None:
                    around.first = run.first if around.first < 0 else min(around.first, run.first)
                    around.last = max(around.last, run.last)
        for call in reversed(self.places.calls):
            if call.above is not None:
                above = self.places.calls[call.above]
                above.first = call.first if above.first < 0 else min(above.first, call.first)
                above.last = max(above.last, call.last)

    def _place_of(self, error: BaseException | None) -> SourceSpan | None:
        """The innermost shown expression that an exception came through."""
        found, traceback = None, error.__traceback__ if error is not None else None
        while traceback is not None:
            if self.model_index.shows(traceback.tb_frame.f_code):
                found = site(traceback.tb_frame.f_code, traceback.tb_lasti).span
            traceback = traceback.tb_next
        return found


def _statement(run: StatementRun) -> Statement:
    return Statement(run.index, run.span, run.call, run.first, run.last, _index(run.parent))


def _module_call(index: int, call: ShownCall) -> ModuleCall:
    class_name = "" if call.module is None else type(call.module).__name__
    return ModuleCall(index, call.path, class_name, call.above, _index(call.made_by), call.first, call.last)


def _returned(fused: Entry, step: int) -> int | None:
    return None if fused.opened is None else fused.opened.returned.get(step)


def _index(run: StatementRun | None) -> int | None:
    return None if run is None else run.index
