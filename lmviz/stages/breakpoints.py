"""Where a run through a trace stops: at an address, a line, a stage, or where a condition on the numbers holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lmviz.errors import UserError
from lmviz.stages.navigation import Location, Navigator
from lmviz.stages.stage import KINDS
from lmviz.trace.step import Array, Cell, Step

BreakKind = Literal["address", "line", "stage", "nan", "above", "entropy"]


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """`argument` is an address, a file and line ("gpt2.py:85"), a stage's kind, or a limit; "nan" has none."""

    kind: BreakKind
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.argument}".strip()

    @classmethod
    def parse(cls, text: str) -> Breakpoint:
        """Read what `str` wrote.

        Raises:
            UserError: the kind is not one of those above, or its limit is not a number.
        """
        kind, _, argument = text.strip().partition(" ")
        argument = argument.strip()
        if kind not in get_args(BreakKind) or (kind == "stage" and argument not in KINDS):
            raise UserError(
                "A breakpoint must be an address, a line, a stage, nan, above or entropy; {found} is none of these.",
                found=text,
            )
        if kind in ("above", "entropy"):
            try:
                float(argument)
            except ValueError:
                raise UserError(
                    "A breakpoint of this kind needs a number as its limit; {found} is none.", found=argument or "–"
                ) from None
        return cls(kind, argument)  # type: ignore[arg-type]


def next_stop(
    navigator: Navigator, location: Location, breakpoints: tuple[Breakpoint, ...]
) -> tuple[Location, Breakpoint] | None:
    """The first place behind a location that a breakpoint names, and which one; None if the run ends first."""
    for index in range(navigator.span(location)[1] + 1, len(navigator.trace)):
        for breakpoint in breakpoints:
            if _hits(navigator, navigator.trace[index], breakpoint):
                return Location("op", index), breakpoint
    return None


def cell_of(step: Step, breakpoint: Breakpoint) -> tuple[str, Cell] | None:
    """The tensor and the cell for which a run has stopped there: the first NaN, the largest number above the limit, the
    largest share of the row with the lowest entropy. None where a breakpoint is no condition on numbers."""
    if breakpoint.kind not in _CELLS:
        return None
    for value in step.outputs:
        if value.dtype.startswith(("float", "bf")) and _CONDITIONS[breakpoint.kind](value.array, breakpoint.argument):
            found = np.unravel_index(_CELLS[breakpoint.kind](value.array), value.shape)
            return value.address, tuple(int(i) for i in found)
    return None


def _hits(navigator: Navigator, step: Step, breakpoint: Breakpoint) -> bool:
    kind, argument = breakpoint.kind, breakpoint.argument
    if kind in _PLACES:
        return _PLACES[kind](navigator, step, argument)
    if kind == "nan" and any(value.role != "weight" and _has_nan(value.array, "") for value in step.inputs):
        return False  # it was there before
    floats = (value for value in step.outputs if value.dtype.startswith(("float", "bf")))
    return any(_CONDITIONS[kind](value.array, argument) for value in floats)


def _is_address(navigator: Navigator, step: Step, address: str) -> bool:
    return step.address == address


def _ends_line(navigator: Navigator, step: Step, line: str) -> bool:
    """Whether it is the last step of a line ("gpt2.py:85")."""
    statement = navigator.trace.statements[step.statement]
    return step.index == statement.last and f"{Path(statement.span.file).name}:{statement.span.lines[0]}" == line


def _begins_stage(navigator: Navigator, step: Step, kind: str) -> bool:
    return any(stage.kind == kind and stage.first == step.index for stage in navigator.stages)


_PLACES = {"address": _is_address, "line": _ends_line, "stage": _begins_stage}


def _has_nan(array: Array, argument: str) -> bool:
    return bool(np.isnan(array).any())


def _is_above(array: Array, argument: str) -> bool:
    """Whether a finite magnitude exceeds the limit."""
    finite = array[np.isfinite(array)]
    return bool(finite.size and np.abs(finite).max() > float(argument))


def _has_low_entropy(array: Array, argument: str) -> bool:
    """Whether some row is a distribution whose entropy, in nats, is below the limit. Rows of one cell don't count."""
    if array.ndim < 2 or array.shape[-1] < 2 or array.size == 0 or not np.isfinite(array).all() or (array < 0).any():
        return False
    rows = array.astype(np.float64).reshape(-1, array.shape[-1])
    if np.abs(rows.sum(axis=-1) - 1).max() > 1e-3:
        return False
    spread = rows[(rows > 0).sum(axis=-1) > 1]
    return bool(spread.size and _entropies(spread).min() < float(argument))


def _entropies(rows: Array) -> Array:
    """Of each row, in nats."""
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    entropies: Array = -(rows * logs).sum(axis=-1)
    return entropies


def _first_nan(array: Array) -> int:
    return int(np.isnan(array).argmax())


def _largest(array: Array) -> int:
    return int(np.where(np.isfinite(array), np.abs(array.astype(np.float64)), -1).argmax())


def _sharpest(array: Array) -> int:
    """The largest share of the row with the lowest entropy, of those that have more than one share."""
    rows = array.astype(np.float64).reshape(-1, array.shape[-1])
    row = int(np.where((rows > 0).sum(axis=-1) > 1, _entropies(rows), np.inf).argmin())
    return row * rows.shape[-1] + int(rows[row].argmax())


_CONDITIONS = {"nan": _has_nan, "above": _is_above, "entropy": _has_low_entropy}
_CELLS = {"nan": _first_nan, "above": _largest, "entropy": _sharpest}  # where each holds, as a flat index
