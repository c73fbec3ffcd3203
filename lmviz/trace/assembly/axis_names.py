"""Axis names for every tensor of a recording: from the shape comments that fit, and from there on to the others."""

from __future__ import annotations

from collections.abc import Iterable

from lmviz.trace.assembly.entries import Entry, expressions_for
from lmviz.trace.assembly.places import StatementRun
from lmviz.trace.capture.handles import TensorHandle
from lmviz.trace.operations.axes import RESHAPED, UNNAMED, Axes, AxisRule, unnamed
from lmviz.trace.operations.table import OPERATIONS

_Named = dict[TensorHandle, Axes]


def _rule(op: str) -> AxisRule:
    return OPERATIONS[op].axes if op in OPERATIONS else UNNAMED


def name_axes(entries: list[Entry], named: _Named) -> None:
    """Fill `named` for all tensors of these calls.

    A comment names the result of its statement, and inside the statement what leads up to it; its names go on to the
    statements that come after. What is unnamed then takes its names from what was made of it.
    """
    runs: dict[StatementRun, list[Entry]] = {}
    for entry in entries:
        same_run = runs.setdefault(entry.expression.run, [])
        same_run.append(entry)
        if _name_result(entry, named):
            _name_what_led_to(same_run, named)
    for entry in reversed(entries):
        for handle, axes in _operands_from_result(entry, named):
            old = named.get(handle) or unnamed(handle.shape)
            if "" in old:
                named[handle] = tuple(a or b for a, b in zip(old, axes, strict=True))
    for entry in entries:
        _name_weights(entry, named)


def _fits(axes: Axes, handle: TensorHandle) -> bool:
    """A shape comment that does not fit its tensor is not believed: rank, numbers, and one size for one name."""
    if not axes or len(axes) != len(handle.shape):
        return False
    sizes = dict(zip(axes, handle.shape, strict=True))
    return all(
        sizes[name] == size and (not name.isdigit() or int(name) == size)
        for name, size in zip(axes, handle.shape, strict=True)
    )


def _name_result(entry: Entry, named: _Named) -> bool:
    """Name what a call made; whether a comment did."""
    operands, commented = entry.operands, False
    comments = [e.site.axes for e in expressions_for(entry) if e.site.axes and (e.site.names or e.site.returned)]
    known = [(handle.shape, named.get(handle) or unnamed(handle.shape)) for handle in operands.handles]
    rule = _rule(entry.raw.op.name)
    for handle in entry.raw.outputs:
        axes = next((axes for axes in comments if _fits(axes, handle)), ())
        commented = commented or bool(axes)
        named[handle] = axes or rule.after(known, operands.settings, handle.shape)
    return commented


def _name_what_led_to(run: list[Entry], named: _Named) -> None:
    made = {handle for entry in run[:-1] for handle in entry.raw.outputs}
    for entry in reversed(run):
        joins = _rule(entry.raw.op.name) is RESHAPED
        for handle, axes in _operands_from_result(entry, named):
            if handle in made:
                beside = [joins and 1 in handle.shape[max(0, i - 1) : i + 2] for i in range(len(handle.shape))]
                pairs = zip(named[handle], axes, beside, strict=True)
                # a single head has the size of all heads together, and is not called like them
                named[handle] = tuple(a or b if is_beside_one else b or a for a, b, is_beside_one in pairs)


def _operands_from_result(entry: Entry, named: _Named) -> Iterable[tuple[TensorHandle, Axes]]:
    """What the result's axis names say about the operands'."""
    if not entry.raw.outputs or not any(after := named[entry.raw.outputs[0]]):
        return
    shape, rule = entry.raw.outputs[0].shape, _rule(entry.raw.op.name)
    for handle, name in zip(entry.operands.handles, entry.operands.names, strict=True):
        argument = name.partition(".")[0]
        axes = rule.before(handle.shape, argument, entry.operands.settings, (shape, after))
        if any(axes):
            yield handle, axes


def _name_weights(entry: Entry, named: _Named) -> None:
    operands, rule = entry.operands, _rule(entry.raw.op.name)
    before = named.get(operands.handles[0], ()) if operands.handles else ()
    after = named[entry.raw.outputs[0]] if entry.raw.outputs else ()
    for handle, name in zip(operands.handles, operands.names, strict=True):
        if handle.step < 0 and not any(named.get(handle, ())):
            named[handle] = rule.of_weight(name, handle.shape, _last(before), _last(after))


def _last(axes: Axes) -> str:
    return axes[-1] if axes else ""
