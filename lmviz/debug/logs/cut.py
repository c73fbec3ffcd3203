"""A text that begins or ends in the middle of a line: what is left of that line is not taken for a whole one."""

from __future__ import annotations

from collections.abc import Sequence

from lmviz.debug.logs.columns import Column, Field, Record

_LIKELY = 3  # other numbers of a column that tell how many decimals it has


def without_cut_ends(columns: Sequence[Column], records: Sequence[Record], is_open: bool) -> list[Record]:
    """The records; the first and the last without what is cut.

    Args:
        is_open: the text does not end with a line end.
    """
    kept = list(records)
    if len(kept) > 1 and _begins_inside(columns, kept[0], kept[1:]):
        kept = kept[1:]
    if len(kept) > 1 and is_open:
        last = _whole_part(columns, kept[-1], kept[:-1])
        kept = [*kept[:-1], last] if last.fields else kept[:-1]
    return kept


def _begins_inside(columns: Sequence[Column], first: Record, others: Sequence[Record]) -> bool:
    """Whether a record is the end of what other lines say: the same names but for the first, of which some is lost."""
    names = tuple(one.column for one in first.fields)
    shapes = {tuple(one.column for one in record.fields) for record in others if record.kind == "line"}
    if first.kind != "line" or not names or names in shapes:
        return False
    words = [columns[c].name.words for c in names]
    if _named(columns, names) in {_named(columns, shape) for shape in shapes} - {()}:
        return True  # the numbers before the names are others
    return any(
        [columns[c].name.words for c in shape[len(shape) - len(names) + 1 :]] == words[1:]
        and _has_lost(columns[names[0]], columns[shape[-len(names)]], len(shape) > len(names))
        for shape in shapes
        if len(shape) >= len(names)
    )


def _named(columns: Sequence[Column], shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(c for c in shape if not columns[c].place)


def _has_lost(found: Column, whole: Column, more: bool) -> bool:
    """Whether a name is what is left of another; `more`: other names stood before it."""
    if found is whole or found.name.words == whole.name.words:
        return more and not found.place
    has_no_name = bool(found.place or found.is_progress)
    return whole.label.endswith(found.label) or (has_no_name and not (whole.place or whole.is_progress))


def _whole_part(columns: Sequence[Column], last: Record, others: Sequence[Record]) -> Record:
    """A last record without a number that may have lost digits; without anything, if its step is lost."""
    names = tuple(one.column for one in last.fields)
    shapes = {tuple(one.column for one in record.fields) for record in others}
    longer = [shape for shape in shapes if len(shape) > len(names) and shape[: len(names)] == names]
    if longer and names not in shapes and _counts(columns, longer[0][len(names) :]):
        return Record(last.line, last.kind, ())
    if last.is_open and last.fields and _may_be_cut(last.fields[-1], others):
        return Record(last.line, last.kind, last.fields[:-1])
    return last


def _counts(columns: Sequence[Column], names: Sequence[int]) -> bool:
    return any(columns[c].name.role in ("step", "epoch") or columns[c].is_progress for c in names)


def _may_be_cut(number: Field, others: Sequence[Record]) -> bool:
    """Whether in other lines something follows the number, or it has more decimals in each of them."""
    same = [(record, one) for record in others for one in record.fields if one.column == number.column]
    ends = sum(record.is_open and record.fields[-1] is one for record, one in same)
    decimals = {one.decimals for _, one in same}
    return ends < len(same) / 2 or (len(same) >= _LIKELY and len(decimals) == 1 and number.decimals < min(decimals))
