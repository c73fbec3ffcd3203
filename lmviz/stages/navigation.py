"""Where one stands in a trace, and the moves of a debugger: over, into, out, back.

One moves at one of three grains. By "stage" a move goes from one named stop to the next; by "line", from one statement
to the next one that runs in the same call, or back to the caller when the call ends; by "op", from one torch call to
the next. *Into* goes to a finer grain at the same place, *out* to a coarser one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lmviz.stages.stage import Stage
from lmviz.stages.stages import stage_at, stages_of
from lmviz.trace.step import Statement, Step, Trace

Grain = Literal["stage", "line", "op"]
Move = Literal[
    "over", "back", "into", "out", "first", "last", "next_stage", "previous_stage", "next_block", "previous_block"
]


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a trace: the index of a stage, a statement or a step."""

    grain: Grain = "stage"
    index: int = 0

    @property
    def name(self) -> str:
        return f"{self.grain}:{self.index}"


@dataclass(frozen=True, eq=False)
class Navigator:
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

    def stage(self, location: Location) -> Stage:
        if location.grain == "stage":
            return self.stages[location.index]
        return stage_at(self.stages, self.span(location)[1])

    def span(self, location: Location) -> tuple[int, int]:
        """The first and the last step of a place; (-1, -1) before the model runs."""
        if location.grain == "stage":
            stage = self.stages[location.index]
            return stage.first, stage.last
        if location.grain == "line":
            line = self.lines[location.index]
            return line.first, line.last
        return location.index, location.index

    def step(self, location: Location) -> Step | None:
        """The step whose result a place is about."""
        last = self.stages[location.index].stop if location.grain == "stage" else self.span(location)[1]
        return self.trace[last] if last >= 0 else None

    def count(self, grain: Grain) -> int:
        return {"stage": len(self.stages), "line": len(self.lines), "op": len(self.trace)}[grain]

    def at(self, step: int, grain: Grain, outwards: int = 0) -> Location:
        """The place of a step at a grain. Several lines can end with one step, a call's last and its caller's: of those
        the innermost, or the one so many calls further out."""
        if step < 0:
            return Location()
        if grain == "stage":
            return Location("stage", stage_at(self.stages, step).index)
        if grain == "line":
            statement = self.trace[step].statement
            innermost = next(i for i, line in enumerate(self.lines) if line.index == statement)
            ending = [i for i, line in enumerate(self.lines) if line.last == step and i >= innermost]
            return Location("line", ending[min(outwards, len(ending) - 1)] if ending else innermost)
        return Location("op", step)

    def outwards(self, location: Location) -> int:
        """How many lines that end with the same step lie inside this one."""
        last = self.lines[location.index].last
        return sum(line.last == last for line in self.lines[: location.index])

    def move(self, location: Location, move: Move) -> Location:
        """Where a move leads; the same place if it leads nowhere."""
        return _MOVES[move](self, location)

    # -- the moves ---------------------------------------------------------------------------------------------------

    def _over(self, location: Location) -> Location:
        if location.grain != "line":
            return Location(location.grain, min(location.index + 1, self.count(location.grain) - 1))
        depth = self._depth(location.index)
        later = range(location.index + 1, len(self.lines))
        return Location("line", next((i for i in later if self._depth(i) <= depth), location.index))

    def _back(self, location: Location) -> Location:
        if location.grain != "line":
            return Location(location.grain, max(location.index - 1, 0))
        depth = self._depth(location.index)
        earlier = range(location.index - 1, -1, -1)
        return Location("line", next((i for i in earlier if self._depth(i) <= depth), max(location.index - 1, 0)))

    def _into(self, location: Location) -> Location:
        """From a stage to its first line; from a line to the first of a call it made, else to its first operation."""
        first, last = self.span(location)
        if first < 0 or location.grain == "op":
            return location
        inside = [i for i, line in enumerate(self.lines) if first <= line.first and line.last <= last]
        if location.grain == "stage":
            return Location("line", inside[0]) if inside else Location("op", first)
        here = self.lines[location.index].index
        called = [i for i in inside if self.trace.calls[self.lines[i].call].statement == here]
        return Location("line", called[0]) if called else Location("op", first)

    def _out(self, location: Location) -> Location:
        """From an operation to its line; from a line to the line that made the call; from there to the stage."""
        if location.grain == "stage":
            return location
        if location.grain == "op":
            return self.at(location.index, "line")
        caller = self.trace.calls[self.lines[location.index].call].statement
        above = next((i for i, line in enumerate(self.lines) if line.index == caller), None)
        return Location("line", above) if above is not None else self.at(self.lines[location.index].last, "stage")

    def _next_stage(self, location: Location) -> Location:
        return Location("stage", min(self.stage(location).index + 1, len(self.stages) - 1))

    def _previous_stage(self, location: Location) -> Location:
        return Location("stage", max(self.stage(location).index - 1, 0))

    def _next_block(self, location: Location) -> Location:
        return self._other_block(location, 1)

    def _previous_block(self, location: Location) -> Location:
        return self._other_block(location, -1)

    def _other_block(self, location: Location, by: int) -> Location:
        """The same stage so many blocks further: in a block, its first norm after the first norm of another, say."""
        here = self.stage(location)
        alike = [stage for stage in self.stages if (stage.kind, stage.stack) == (here.kind, here.stack)]
        nth = sum(stage.block == here.block and stage.index < here.index for stage in alike)
        blocks = list(dict.fromkeys(stage.block for stage in alike))
        there = blocks.index(here.block) + by
        if here.block is None or not 0 <= there < len(blocks):
            return location
        same = [stage for stage in alike if stage.block == blocks[there]]
        return Location("stage", same[min(nth, len(same) - 1)].index)

    def _depth(self, line: int) -> int:
        depth, call = 0, self.trace.calls[self.lines[line].call]
        while call.parent is not None:
            depth, call = depth + 1, self.trace.calls[call.parent]
        return depth


_MOVES = {
    "over": Navigator._over,
    "back": Navigator._back,
    "into": Navigator._into,
    "out": Navigator._out,
    "first": lambda navigator, location: Location(location.grain, 0),
    "last": lambda navigator, location: Location(location.grain, navigator.count(location.grain) - 1),
    "next_stage": Navigator._next_stage,
    "previous_stage": Navigator._previous_stage,
    "next_block": Navigator._next_block,
    "previous_block": Navigator._previous_block,
}
