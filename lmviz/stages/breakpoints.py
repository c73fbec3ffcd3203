"""Where a run through a trace stops: at an address, a line, a stage, or where a condition on the numbers holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lmviz.errors import UserError
from lmviz.stages.navigation import Location, Navigator
from lmviz.stages.stage import KINDS
from lmviz.trace.step import Array, Step

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
    logs = np.log(spread, out=np.zeros_like(spread), where=spread > 0)
    return bool(spread.size and (-(spread * logs).sum(axis=-1)).min() < float(argument))


_CONDITIONS = {"nan": _has_nan, "above": _is_above, "entropy": _has_low_entropy}
