"""Axis names for every tensor of a recording: from the shape comments that fit, and from there on to the others."""

from __future__ import annotations

from collections.abc import Iterable

from lmviz.trace.assembly.entries import Entry, meanings
from lmviz.trace.assembly.places import Run
from lmviz.trace.capture.handles import Slot
from lmviz.trace.operations.axes import RESHAPED, UNNAMED, Axes, AxisRule, unnamed
from lmviz.trace.operations.table import OPERATIONS

Named = dict[Slot, Axes]


def _rule(op: str) -> AxisRule:
    return OPERATIONS[op].axes if op in OPERATIONS else UNNAMED


def name_axes(entries: list[Entry], named: Named) -> None:
    """Fill `named` for all tensors of these calls.

    A comment names the result of its statement, and inside the statement what leads up to it; its names go on to the
    statements that come after. What is unnamed then takes its names from what was made of it.
    """
    runs: dict[Run, list[Entry]] = {}
    for entry in entries:
        same_run = runs.setdefault(entry.expression.run, [])
        same_run.append(entry)
        if _name_result(entry, named):
            _name_what_led_to(same_run, named)
    for entry in reversed(entries):
        for slot, axes in _operands_from_result(entry, named):
            old = named.get(slot) or unnamed(slot.shape)
            if "" in old:
                named[slot] = tuple(a or b for a, b in zip(old, axes, strict=True))
    for entry in entries:
        _name_weights(entry, named)


def fits(axes: Axes, slot: Slot) -> bool:
    """A shape comment that does not fit its tensor is not believed: rank, numbers, and one size for one name."""
    if not axes or len(axes) != len(slot.shape):
        return False
    sizes = dict(zip(axes, slot.shape, strict=True))
    return all(
        sizes[name] == size and (not name.isdigit() or int(name) == size)
        for name, size in zip(axes, slot.shape, strict=True)
    )


def _name_result(entry: Entry, named: Named) -> bool:
    """Name what a call made; whether a comment did."""
    operands, commented = entry.operands, False
    comments = [e.site.axes for e in meanings(entry) if e.site.axes and (e.site.names or e.site.returned)]
    known = [(slot.shape, named.get(slot) or unnamed(slot.shape)) for slot in operands.slots]
    rule = _rule(entry.raw.op.name)
    for slot in entry.raw.outputs:
        axes = next((axes for axes in comments if fits(axes, slot)), ())
        commented = commented or bool(axes)
        named[slot] = axes or rule.after(known, operands.settings, slot.shape)
    return commented


def _name_what_led_to(run: list[Entry], named: Named) -> None:
    made = {slot for entry in run[:-1] for slot in entry.raw.outputs}
    for entry in reversed(run):
        joins = _rule(entry.raw.op.name) is RESHAPED
        for slot, axes in _operands_from_result(entry, named):
            if slot in made:
                beside = [joins and 1 in slot.shape[max(0, i - 1) : i + 2] for i in range(len(slot.shape))]
                pairs = zip(named[slot], axes, beside, strict=True)
                # a single head has the size of all heads together, and is not called like them
                named[slot] = tuple(a or b if is_beside_one else b or a for a, b, is_beside_one in pairs)


def _operands_from_result(entry: Entry, named: Named) -> Iterable[tuple[Slot, Axes]]:
    """What the result's axis names say about the operands'."""
    if not entry.raw.outputs or not any(after := named[entry.raw.outputs[0]]):
        return
    shape, rule = entry.raw.outputs[0].shape, _rule(entry.raw.op.name)
    for slot, name in zip(entry.operands.slots, entry.operands.names, strict=True):
        argument = name.partition(".")[0]
        axes = rule.before(slot.shape, argument, entry.operands.settings, (shape, after))
        if any(axes):
            yield slot, axes


def _name_weights(entry: Entry, named: Named) -> None:
    operands, rule = entry.operands, _rule(entry.raw.op.name)
    before = named.get(operands.slots[0], ()) if operands.slots else ()
    after = named[entry.raw.outputs[0]] if entry.raw.outputs else ()
    for slot, name in zip(operands.slots, operands.names, strict=True):
        if slot.step < 0 and not any(named.get(slot, ())):
            named[slot] = rule.of_weight(name, slot.shape, _last(before), _last(after))


def _last(axes: Axes) -> str:
    return axes[-1] if axes else ""
