"""Which step of a training each record is about: as the log counts, by its epochs, or by counting the losses."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lmviz.debug.logs.columns import Field, Record, Sheet

Axis = Literal["step", "epoch", "count"]
ByRole = Mapping[str, Sequence[int]]  # the columns of every role
LARGEST = 2**53
_FEWEST = 1 / 16  # of the losses that have a step of their own, at least: several processes may print the same ones
_NEARLY_ALL = 0.8


@dataclass(frozen=True, slots=True)
class _Own:
    """What a record itself says of its step."""

    written: int
    of: int  # 100, where it says 10/100
    epoch: float | None
    is_main: bool  # it stands in a column that also counts losses of the training


@dataclass
class _Count:
    """A count that may begin anew, with every epoch or when a second training begins."""

    step: int = 0  # as it would be without beginning anew
    written: int | None = None
    start: int = 0  # of the present epoch
    gap: int = 1
    offset: int = 0
    epoch: float | None = None
    n_anew: int = 0  # times it began anew, and nothing in the log says that an epoch ended

    def at(self, own: _Own) -> int:
        written = own.written
        if self.written is None:
            self.start = written
        elif written < self.written and (written <= self.start or self._is_later(own.epoch)):
            whole = own.of if own.of >= self.written else 0
            self.n_anew += not whole and not self._is_later(own.epoch)
            self.offset = self.offset + whole if whole else self.step + max(1, self.gap) - written
            self.start = written
        elif written > self.written:
            self.gap = written - self.written
        self.written, self.step = written, written + self.offset
        self.epoch = own.epoch if own.epoch is not None else self.epoch
        return self.step

    def _is_later(self, epoch: float | None) -> bool:
        return epoch is not None and self.epoch is not None and epoch > self.epoch


def steps_of(sheet: Sheet, records: Sequence[Record], by_role: ByRole) -> tuple[list[int | None], Axis, int]:
    """The step of every record, None where none can be told; what the steps are; and how often the log's own count
    begins anew without a word."""
    losses = next((set(by_role[role]) for role in ("loss", "held_out", "other_loss") if by_role.get(role)), set[int]())
    has_loss = [any(one.column in losses for one in record.fields) for record in records]
    by_count, n_anew = _by_count(_owns(sheet, records, has_loss, by_role), has_loss)
    by_epoch = _by_epoch(records, by_role.get("epoch", ()))
    n, counts, epochs = sum(has_loss), _apart(has_loss, by_count), _apart(has_loss, by_epoch)
    if counts >= max(min(n, 2), _FEWEST * n) and counts >= 0.9 * epochs:
        return by_count, "step", n_anew
    if n and epochs >= 0.9 * n:
        return by_epoch, "epoch", 0
    return _counted(has_loss), "count", 0


def _apart(has_loss: Sequence[bool], steps: Sequence[int | None]) -> int:
    """How many different steps the losses have."""
    return len({step for is_loss, step in zip(has_loss, steps, strict=True) if is_loss and step is not None})


def _owns(sheet: Sheet, records: Sequence[Record], has_loss: Sequence[bool], by_role: ByRole) -> list[_Own | None]:
    """What every record itself says of its step."""
    counts = _most_apart_first(records, has_loss, by_role.get("step", ()))
    rank, epochs = {column: i for i, column in enumerate(counts)}, set(by_role.get("epoch", ()))
    beside = {one.column for r, is_loss in zip(records, has_loss, strict=True) if is_loss for one in r.fields}
    main = rank.keys() & beside or rank.keys()
    found: list[_Own | None] = []
    epoch: float | None = None
    for record, is_loss in zip(records, has_loss, strict=True):
        epoch = next((one.value for one in record.fields if one.column in epochs), epoch)
        steps = [one for one in record.fields if one.column in rank and _whole(one.value) is not None]
        own = min(steps, key=lambda one: rank[one.column], default=None)
        if own is None or (not is_loss and _counts_a_validation(sheet, record, own)):
            found.append(None)
        else:
            found.append(_Own(_whole(own.value) or 0, _whole(own.of) or 0, epoch, own.column in main))
    return _without_false_start(found)


def _most_apart_first(records: Sequence[Record], has_loss: Sequence[bool], counts: Sequence[int]) -> list[int]:
    """Columns that count, the one first that tells most losses apart."""
    values: dict[int, set[float]] = {column: set() for column in counts}
    for record, is_loss in zip(records, has_loss, strict=True):
        for one in record.fields if is_loss else ():
            if one.column in values:
                values[one.column].add(one.value)
    return sorted(counts, key=lambda column: -len(values[column]))


def _counts_a_validation(sheet: Sheet, record: Record, own: Field) -> bool:
    """Whether a count is that of a validation's own batches: "Test: [3/40]", "Eval batch 3"."""
    names = [sheet.columns[one.column].name for one in record.fields]
    judges = any(name.part in ("val", "test") for name in names)
    return judges and (own.of > 0 or "batch" in sheet.columns[own.column].name.words)


def _without_false_start(found: list[_Own | None]) -> list[_Own | None]:
    """A text that begins in the middle of a number begins with a count that the next one falls below."""
    first = [(i, one) for i, one in enumerate(found) if one is not None][:3]
    if len(first) == 3:
        (i, a), (_, b), (_, c) = first
        if a.written > b.written < c.written and a.epoch == b.epoch:
            return [None if j == i else one for j, one in enumerate(found)]
    return found


def _by_count(owns: Sequence[_Own | None], has_loss: Sequence[bool]) -> tuple[list[int | None], int]:
    """Steps as the log counts them. A line without one belongs to the step before it.

    Where nearly all losses have a step of their own, one without it is no loss of a step: it sums up, or is cut.
    """
    n_own = sum(own is not None for own, is_loss in zip(owns, has_loss, strict=True) if is_loss)
    all_have = n_own >= _NEARLY_ALL * sum(has_loss)
    count, step, found = _Count(), None, list[int | None]()
    for own, is_loss in zip(owns, has_loss, strict=True):
        if own is not None:
            step = count.at(own) if own.is_main else own.written
        found.append(None if own is None and is_loss and all_have else step)
    return found, count.n_anew


def _by_epoch(records: Sequence[Record], epochs: Collection[int]) -> list[int | None]:
    """Epochs as steps; nothing where one is a fraction."""
    found: list[int | None] = []
    epoch: int | None = None
    for record in records:
        for one in record.fields:
            if one.column in epochs and (epoch := _whole(one.value)) is None:
                return [None] * len(records)
        found.append(epoch)
    return found


def _counted(has_loss: Sequence[bool]) -> list[int | None]:
    """The losses counted 1, 2, 3, …; what comes between two belongs to the one before."""
    n, found = 0, list[int | None]()
    for is_loss in has_loss:
        n += is_loss
        found.append(n)
    return found


def _whole(number: float) -> int | None:
    """A count, if it is one: 0.35 epochs are none."""
    return int(number) if math.isfinite(number) and 0 <= number < LARGEST and number == int(number) else None
