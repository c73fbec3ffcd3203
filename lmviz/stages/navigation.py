"""Where one stands in a trace, and the moves of a debugger: over, into, out, back.

One walks at one of three grains. By "stage" a move goes from one named stop to the next; by "line", from one statement
to the next one that runs in the same call, or back to the caller when the call ends; by "op", from one torch call to
the next. *Into* goes to a finer grain at the same place, *out* to a coarser one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lmviz.stages.stages import Stage, stage_at, stages_of
from lmviz.trace.step import Statement, Step, Trace

Grain = Literal["stage", "line", "op"]
Move = Literal["over", "back", "into", "out", "first", "last", "next_stage", "previous_stage"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a walk: the index of a stage, a statement or a step."""

    grain: Grain = "stage"
    index: int = 0


@dataclass(frozen=True, eq=False)
class Walk:
    """A trace with its stages, as something to move about in."""

    trace: Trace

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        return stages_of(self.trace)

    @cached_property
    def lines(self) -> tuple[Statement, ...]:
        """The statements that made steps, in the order in which they ended: a caller's comes after its call's."""
        made = [s for s in self.trace.statements if s.last >= 0]
        return tuple(sorted(made, key=lambda s: (s.last, -s.first, -s.index)))

    def stage(self, cursor: Cursor) -> Stage:
        return self.stages[cursor.index] if cursor.grain == "stage" else stage_at(self.stages, self.span(cursor)[1])

    def span(self, cursor: Cursor) -> tuple[int, int]:
        """The first and the last step of a place; (-1, -1) before the model runs."""
        if cursor.grain == "stage":
            stage = self.stages[cursor.index]
            return stage.first, stage.last
        if cursor.grain == "line":
            line = self.lines[cursor.index]
            return line.first, line.last
        return cursor.index, cursor.index

    def step(self, cursor: Cursor) -> Step | None:
        """The step whose result a place is about."""
        last = self.stages[cursor.index].stop if cursor.grain == "stage" else self.span(cursor)[1]
        return self.trace[last] if last >= 0 else None

    def count(self, grain: Grain) -> int:
        return {"stage": len(self.stages), "line": len(self.lines), "op": len(self.trace)}[grain]

    def at(self, step: int, grain: Grain, outwards: int = 0) -> Cursor:
        """The place of a step at a grain. Several lines can end with one step, a call's last and its caller's: of those
        the innermost, or the one so many calls further out."""
        if step < 0:
            return Cursor()
        if grain == "stage":
            return Cursor("stage", stage_at(self.stages, step).index)
        if grain == "line":
            statement = self.trace[step].statement
            innermost = next(i for i, line in enumerate(self.lines) if line.index == statement)
            ending = [i for i, line in enumerate(self.lines) if line.last == step and i >= innermost]
            return Cursor("line", ending[min(outwards, len(ending) - 1)] if ending else innermost)
        return Cursor("op", step)

    def outwards(self, cursor: Cursor) -> int:
        """How many lines that end with the same step lie inside this one."""
        last = self.lines[cursor.index].last
        return sum(line.last == last for line in self.lines[: cursor.index])

    def move(self, cursor: Cursor, move: Move) -> Cursor:
        """Where a move leads; the same place if it leads nowhere."""
        return _MOVES[move](self, cursor)

    # -- the moves ---------------------------------------------------------------------------------------------------

    def _over(self, cursor: Cursor) -> Cursor:
        if cursor.grain != "line":
            return Cursor(cursor.grain, min(cursor.index + 1, self.count(cursor.grain) - 1))
        depth = self._depth(cursor.index)
        later = range(cursor.index + 1, len(self.lines))
        return Cursor("line", next((i for i in later if self._depth(i) <= depth), cursor.index))

    def _back(self, cursor: Cursor) -> Cursor:
        if cursor.grain != "line":
            return Cursor(cursor.grain, max(cursor.index - 1, 0))
        depth = self._depth(cursor.index)
        earlier = range(cursor.index - 1, -1, -1)
        return Cursor("line", next((i for i in earlier if self._depth(i) <= depth), max(cursor.index - 1, 0)))

    def _into(self, cursor: Cursor) -> Cursor:
        """From a stage to its first line; from a line to the first of a call it made, else to its first operation."""
        first, last = self.span(cursor)
        if first < 0 or cursor.grain == "op":
            return cursor
        inside = [i for i, line in enumerate(self.lines) if first <= line.first and line.last <= last]
        if cursor.grain == "stage":
            return Cursor("line", inside[0]) if inside else Cursor("op", first)
        here = self.lines[cursor.index].index
        called = [i for i in inside if self.trace.calls[self.lines[i].call].statement == here]
        return Cursor("line", called[0]) if called else Cursor("op", first)

    def _out(self, cursor: Cursor) -> Cursor:
        """From an operation to its line; from a line to the line that made the call; from there to the stage."""
        if cursor.grain == "stage":
            return cursor
        if cursor.grain == "op":
            return self.at(cursor.index, "line")
        caller = self.trace.calls[self.lines[cursor.index].call].statement
        above = next((i for i, line in enumerate(self.lines) if line.index == caller), None)
        return Cursor("line", above) if above is not None else self.at(self.lines[cursor.index].last, "stage")

    def _next_stage(self, cursor: Cursor) -> Cursor:
        return Cursor("stage", min(self.stage(cursor).index + 1, len(self.stages) - 1))

    def _previous_stage(self, cursor: Cursor) -> Cursor:
        return Cursor("stage", max(self.stage(cursor).index - 1, 0))

    def _depth(self, line: int) -> int:
        depth, call = 0, self.trace.calls[self.lines[line].call]
        while call.parent is not None:
            depth, call = depth + 1, self.trace.calls[call.parent]
        return depth


_MOVES = {
    "over": Walk._over,
    "back": Walk._back,
    "into": Walk._into,
    "out": Walk._out,
    "first": lambda walk, cursor: Cursor(cursor.grain, 0),
    "last": lambda walk, cursor: Cursor(cursor.grain, walk.count(cursor.grain) - 1),
    "next_stage": Walk._next_stage,
    "previous_stage": Walk._previous_stage,
}
