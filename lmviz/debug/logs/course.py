"""From columns with roles to the curves of a training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise

from lmviz.debug.logs.column_roles import ColumnRole
from lmviz.debug.logs.columns import Record, Sheet
from lmviz.debug.logs.roles import Role
from lmviz.debug.logs.steps import Axis, ByRole, steps_of

Points = tuple[tuple[int, float], ...]  # step and number, steps growing
FEW = 4  # equal numbers in a row, from which on a bar may only repeat itself


@dataclass(frozen=True)
class Course:
    """The curves in a log. A step's last number counts."""

    losses: Points
    held_out: Points
    grad_norms: Points
    others: tuple[tuple[str, Points], ...]  # further losses, by their names
    axis: Axis  # what the steps are: those that the log names, its epochs, or the losses counted 1, 2, 3, …
    n_used: int  # lines of which something was used
    unused: tuple[int, ...]  # line numbers of the first of which nothing was
    n_unmeasured: int = 0  # NaN that stands for "not measured"
    n_anew: int = 0  # times that the log's own count begins anew
    n_same: int = 0  # losses of a step of which a later one stands here


def course_of(sheet: Sheet, roles: Sequence[ColumnRole]) -> Course:
    """The curves of a sheet whose columns have roles."""
    by_role: dict[str, list[int]] = {}
    for one in sorted(roles, key=lambda one: (sheet.columns[one.column].name.rank, -one.n)):
        by_role.setdefault(one.role, []).append(one.column)
    records, n_unmeasured = _measured(_in_order(sheet, by_role), by_role)
    steps, axis, n_anew = steps_of(sheet, records, by_role)
    used = [
        any(one.column not in by_role.get("", ()) for one in record.fields) and step is not None
        for record, step in zip(records, steps, strict=True)
    ]

    def points(columns: Iterable[int]) -> Points:
        return _points(records, steps, list(columns))

    losses, columns = points(by_role.get("loss", ())), set(by_role.get("loss", ()))
    n_losses = sum(
        any(one.column in columns for one in r.fields) for r, is_used in zip(records, used, strict=True) if is_used
    )
    return Course(
        losses,
        _without_repeats(points(by_role.get("held_out", ()))),
        points(by_role.get("grad_norm", ())),
        tuple((sheet.columns[c].label, points([c])) for c in by_role.get("other_loss", ())),
        axis,
        sum(used),
        tuple(record.line for record, is_used in zip(records, used, strict=True) if not is_used)[:3],
        n_unmeasured,
        n_anew,
        n_losses - len(losses),
    )


def _points(records: Sequence[Record], steps: Sequence[int | None], columns: list[int]) -> Points:
    """The numbers of some columns by their steps; at a step the first of the columns that has one counts."""
    series: dict[int, dict[int, float]] = {column: {} for column in columns}
    for record, step in zip(records, steps, strict=True):
        for one in record.fields if step is not None else ():
            if one.column in series and step is not None:
                series[one.column][step] = one.value
    merged: dict[int, float] = {}
    for column in reversed(columns):
        merged |= series[column]
    return tuple(sorted(merged.items()))


def _in_order(sheet: Sheet, by_role: ByRole) -> list[Record]:
    """The records, the first step first: some tables begin with the last."""
    counts = {*by_role.get("step", ()), *by_role.get("epoch", ())}
    rows = [one.value for r in sheet.records if r.kind == "row" for one in r.fields if one.column in counts]
    falls = sum(b < a for a, b in pairwise(rows))
    is_reversed = len(rows) > 2 and falls > 0.9 * (len(rows) - 1)
    return list(reversed(sheet.records)) if is_reversed else list(sheet.records)


def _measured(records: Sequence[Record], by_role: ByRole) -> tuple[list[Record], int]:
    """The records without what is no measurement, and how many numbers that was.

    NaN says "not measured" where another loss is a number, of a column that has numbers elsewhere or of a table; and in
    a row of a table in which a number stands where other rows have none.
    """
    rule = _NotMeasured(records, by_role)
    empty = [rule.columns(record) for record in records]
    kept = [
        replace(record, fields=tuple(one for one in record.fields if one.column not in columns))
        for record, columns in zip(records, empty, strict=True)
    ]
    return kept, sum(map(len, empty))


class _NotMeasured:
    """Which NaNs of a log stand for "not measured"."""

    def __init__(self, records: Sequence[Record], by_role: ByRole) -> None:
        counts = _columns_of(by_role, "step", "epoch", "learning_rate")
        self.losses = _columns_of(by_role, "loss", "held_out", "other_loss")
        self.finite = {one.column for r in records for one in r.fields if math.isfinite(one.value)}
        in_rows = (one for r in records if r.kind == "row" for one in r.fields)
        self.sparse = {one.column for one in in_rows if math.isnan(one.value)} - counts

    def columns(self, record: Record) -> set[int]:
        """The columns of a record in which one stands."""
        there = {one.column for one in record.fields if math.isfinite(one.value)}
        nans = {one.column for one in record.fields if math.isnan(one.value)}
        return {column for column in nans if self._is_empty(column, record.kind == "row", there)}

    def _is_empty(self, column: int, is_row: bool, there: Set[int]) -> bool:
        beside_a_loss = column in self.losses and there & self.losses and (column in self.finite or is_row)
        beside_a_sparse_number = is_row and column in self.finite and there & self.sparse
        return bool(beside_a_loss or beside_a_sparse_number)


def _columns_of(by_role: ByRole, *roles: Role) -> set[int]:
    return {column for role in roles for column in by_role.get(role, ())}


def _without_repeats(points: Points) -> Points:
    """A progress bar says its last validation again at every step: of equal ones in a row the first is kept."""
    changes = [p for i, p in enumerate(points) if not i or p[1] != points[i - 1][1]]
    return tuple(changes) if len(points) >= FEW and 2 * len(changes) <= len(points) else points
