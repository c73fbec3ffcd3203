"""What is taken for what: a role for every column, told from its name and its numbers, or chosen by the reader."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from lmviz.debug.logs.columns import Record, Sheet
from lmviz.debug.logs.roles import Part, Role

_ENOUGH = 0.2  # of the numbers of the column that has most: a better name with fewer is not preferred
# of the numbers of a count that are different, at least: several lines may be about one step
_MIN_SHARE_DIFFERENT = 0.3
_MOST_NESTED = 4  # counts without names, one within another, that are looked at
FEW = 4  # columns without headings, at most, of which one may guess what they are
_BY_PLACE: tuple[Role, ...] = ("step", "loss", "held_out", "grad_norm")


@dataclass(frozen=True, slots=True)
class ColumnRole:
    """A column, what it was taken for, and why one may look twice."""

    column: int
    label: str
    role: Role
    n: int  # numbers in it
    first: float
    last: float
    guessed: bool = False  # nothing but its place or its look tells what it is


@dataclass(frozen=True)
class Numbers:
    """What a column holds."""

    values: tuple[float, ...]
    records: frozenset[int]

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def grows(self) -> bool:
        """Whole numbers that hardly ever get smaller: a count."""
        kept = [value for value in self.values if math.isfinite(value)]
        whole = len(kept) == len(self.values) and all(value >= 0 and value == int(value) for value in kept)
        falls, n = sum(b < a for a, b in pairwise(kept)), len(set(kept))
        return whole and n > 1 and n >= _MIN_SHARE_DIFFERENT * len(kept) and falls <= 0.1 * len(kept)


def column_roles(sheet: Sheet, chosen: Mapping[str, Role] | None = None) -> tuple[ColumnRole, ...]:
    """A role for every column of a sheet.

    Args:
        chosen: roles by the columns' labels, which stand.
    """
    numbers = _numbers(sheet)
    roles = _Roles(sheet, numbers, dict(chosen or {}))
    return tuple(
        ColumnRole(
            i,
            column.label,
            roles.role[i],
            len(numbers[i].values),
            numbers[i].values[0] if numbers[i].values else math.nan,
            numbers[i].values[-1] if numbers[i].values else math.nan,
            i in roles.guessed,
        )
        for i, column in enumerate(sheet.columns)
    )


def _both(record: Record, outer: int, inner: int) -> tuple[float, float]:
    """The numbers of two columns in one record."""
    values = {one.column: one.value for one in reversed(record.fields)}
    return values[outer], values[inner]


def _numbers(sheet: Sheet) -> list[Numbers]:
    values: list[list[float]] = [[] for _ in sheet.columns]
    records: list[set[int]] = [set() for _ in sheet.columns]
    for i, record in enumerate(sheet.records):
        for field in record.fields:
            values[field.column].append(field.value)
            records[field.column].add(i)
    return [Numbers(tuple(v), frozenset(r)) for v, r in zip(values, records, strict=True)]


class _Roles:
    """Works the roles out, the losses first."""

    def __init__(self, sheet: Sheet, numbers: list[Numbers], chosen: Mapping[str, Role]) -> None:
        self.sheet, self.numbers = sheet, numbers
        self.chosen = {i: chosen[c.label] for i, c in enumerate(sheet.columns) if c.label in chosen}
        self.role: list[Role] = ["" for _ in sheet.columns]
        self.guessed: set[int] = set()
        self._losses("loss", ("", "train"))
        self._losses("held_out", ("val",), ("test",))
        self._without_headings()
        self._called_value()
        self._one("grad_norm")
        self._one("learning_rate")
        for i, column in enumerate(sheet.columns):
            if not self.role[i] and (column.name.role in ("step", "epoch") or column.is_progress):
                self.role[i] = column.name.role or "step"
        self._one_count_within_another()
        self._counts_at_the_beginning()
        for i, role in self.chosen.items():
            self.role[i] = role
            self.guessed.discard(i)

    def free(self, role: Role) -> list[int]:
        """Columns that may have a role: those that the reader chose for it, or, without any, the others."""
        named = [i for i, one in self.chosen.items() if one == role]
        return named or [i for i in range(len(self.role)) if i not in self.chosen and not self.role[i]]

    def _losses(self, role: Role, *parts: tuple[Part, ...]) -> None:
        """The column with the best name of those with enough numbers, and others that go on where it has none."""
        if any(one == role for one in self.chosen.values()):
            return
        for wanted in parts:
            found = [i for i in self.free(role) if self._is_loss(i, role, wanted)]
            if not found:
                continue
            most = max(len(self.numbers[i].values) for i in found)
            often = [i for i in found if len(self.numbers[i].values) >= _ENOUGH * most]
            best = min(often, key=lambda i: (self.sheet.columns[i].name.rank, i))
            if any(self.role[i] == role for i in range(len(self.role))):  # validation before test
                best = -1
            for i in found:
                self.role[i] = role if i == best or self._goes_on(i, best) else "other_loss"
                if self.sheet.columns[i].name.bare:
                    self.guessed.add(i)

    def _is_loss(self, i: int, role: Role, parts: tuple[Part, ...]) -> bool:
        column, values = self.sheet.columns[i], self.numbers[i].values
        if column.name.role != role or column.name.part not in parts or not values:
            return False
        return not column.name.bare or any(value != int(value) for value in values if math.isfinite(value))

    def _goes_on(self, i: int, best: int) -> bool:
        """Whether a column has what the best one lacks: the same loss under another name, in other lines."""
        if best < 0:
            return False
        one, other = self.sheet.columns[i], self.sheet.columns[best]
        together = self.numbers[i].records & self.numbers[best].records
        same_table = one.table == other.table and one.table > 0
        return not together and not same_table and one.name.averaged == other.name.averaged and not one.name.bare

    def _without_headings(self) -> None:
        """Rows of numbers without headings: a count, then losses. Only if that is what they look like."""
        if self.sheet.is_headed or "loss" in self.role or "loss" in self.chosen.values():
            return
        bare = [i for i, column in enumerate(self.sheet.columns) if column.table < 0 and i not in self.chosen]
        numbers = [self.numbers[i] for i in bare]
        if not 2 <= len(bare) <= FEW or not numbers[0].grows or {len(one.records) for one in numbers} != {numbers[0].n}:
            return
        if any(one.grows or len(set(one.values)) < 0.5 * one.n for one in numbers[1:]):
            return
        for i, role in zip(bare, _BY_PLACE, strict=False):
            self.role[i] = role
            self.guessed.add(i)

    def _called_value(self) -> None:
        """ "Wall time, Step, Value": the only number that there is."""
        if "loss" in self.role or "loss" in self.chosen.values():
            return
        named = [i for i in self.free("loss") if self.sheet.columns[i].name.words in (("value",), ("valeur",))]
        has_step = any(column.name.role == "step" for column in self.sheet.columns)
        if len(named) == 1 and has_step and not self.role[named[0]]:
            self.role[named[0]] = "loss"
            self.guessed.add(named[0])

    def _one(self, role: Role) -> None:
        """The column of a kind that has most numbers."""
        if any(one == role for one in self.chosen.values()):
            return
        found = [i for i in self.free(role) if self.sheet.columns[i].name.role == role and self.numbers[i].values]
        if found:
            best = max(found, key=lambda i: len(self.numbers[i].values))
            for i in found:
                self.role[i] = role if i == best or self._goes_on(i, best) else ""

    def _one_count_within_another(self) -> None:
        """ "[2, 4000] loss: 1.9", "[1/25][50/1583]": of two counts without names, the first is of epochs if the second
        grows within each of its values, and begins anew with the next."""
        unnamed = [
            i for i, column in enumerate(self.sheet.columns)
            if (column.place and column.table == 0) or column.is_progress
        ]  # fmt: skip
        for outer, inner in pairwise(unnamed[:_MOST_NESTED]):
            together = self.numbers[outer].records & self.numbers[inner].records
            if {outer, inner} & self.chosen.keys() or len(together) < max(2, 0.9 * self.numbers[outer].n):
                continue
            pairs = [_both(self.sheet.records[r], outer, inner) for r in sorted(together)]
            is_inside = all(a < b or (a != b and b == pairs[0]) for a, b in pairwise(pairs))  # or all of it begins anew
            if is_inside and any(a[0] == b[0] for a, b in pairwise(pairs)):
                self.role[outer], self.role[inner] = "epoch", "step"
                self.guessed |= {i for i in (outer, inner) if self.sheet.columns[i].place}

    def _counts_at_the_beginning(self) -> None:
        """A number without a name that begins a line, if it grows and nothing with a name counts these lines."""
        losses = frozenset[int]().union(
            *(self.numbers[i].records for i, role in enumerate(self.role) if role in ("loss", "held_out"))
        )
        for i, column in enumerate(self.sheet.columns):
            counts = self.numbers[i]
            if not column.place or self.role[i] or not counts.grows or not counts.records & losses:
                continue
            named = {r for j, role in enumerate(self.role) if role == "step" for r in self.numbers[j].records}
            if len((counts.records & losses) - named) > len(losses) / 2:
                self.role[i] = "step"
                self.guessed.add(i)
