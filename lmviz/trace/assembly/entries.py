"""The calls of a recording in the order of its steps, what is inside a fused one behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lmviz.trace.assembly.operands import Operands
from lmviz.trace.assembly.places import Expression, Places
from lmviz.trace.capture.raw import RawStep
from lmviz.trace.capture.torch_modes import TorchModes
from lmviz.trace.replay.fused_calls import OPENED_SOURCE, OpenedCall, opened
from lmviz.trace.replay.reader import Reader


@dataclass(slots=True, eq=False)
class Entry:
    """One torch call, on its way to becoming a Step."""

    raw: RawStep
    expression: Expression
    operands: Operands
    origin: tuple[int, ...]  # where the recorder met it: a step; for one inside a fused call, that call's and its own
    fused: Entry | None = None  # the call that it is inside
    opened: OpenedCall | None = None  # what is inside it
    index: int = -1  # once it is a Step
    address: str = ""


def entries_of(steps: list[RawStep], places: Places, modes: TorchModes, reader: Reader) -> list[Entry]:
    """All calls, those inside fused ones behind the fused one."""
    entries: list[Entry] = []
    for raw in steps:
        entry = Entry(raw, places.place(raw), Operands(raw), (raw.index,), opened=opened(raw, modes, reader))
        entries.append(entry)
        if entry.opened is not None:
            inner = Places(OPENED_SOURCE)
            for i, step in enumerate(entry.opened.steps):
                entries.append(Entry(step, inner.place(step), Operands(step), (raw.index, i), fused=entry))
    places.name_passes()
    return entries


def expressions_for(entry: Entry) -> Iterator[Expression]:
    """The expressions that have this call's result as their value: its own, and those that called what returns it."""
    expression: Expression | None = entry.expression
    while expression is not None and expression.last is entry.raw:
        yield expression
        expression = expression.parent if expression.site.returned else None
