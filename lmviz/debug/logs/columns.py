"""A log as a table with many empty cells: what every line says, by the names that it gives its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from lmviz.debug.logs.notation import Notation, decimals_of
from lmviz.debug.logs.roles import Name, Part, name_of

_MOST_COLUMNS = 2_000  # names beyond these are passed over
LONGEST_NAME = 80
EXAMPLE = 160  # characters of a line that is shown as an example
_OF_NUMBERS = frozenset(".,+-−")
_SUMMARY = ("train", "runtime")
Kind = Literal["line", "row"]


class Field(NamedTuple):
    """One number of a record."""

    column: int
    value: float
    decimals: int = 0
    of: float = 0.0  # 100, where it was written "10/100"


@dataclass(frozen=True, slots=True)
class Record:
    """The numbers of one line, of one row of a table, or of one object."""

    line: int  # counted from 1
    kind: Kind
    fields: tuple[Field, ...]
    is_open: bool = False  # its last number is the last thing in its line


@dataclass(frozen=True, slots=True)
class Column:
    """Numbers that one name stands for."""

    label: str  # as the log writes it
    name: Name
    table: int = 0  # the table that it is a column of; 0: none
    place: int = 0  # of numbers without a name at the beginning of a line, or in a row: the first, the second, …
    is_progress: bool = False  # "10/100" without a name


@dataclass(frozen=True)
class Sheet:
    """All of a log."""

    columns: tuple[Column, ...]
    records: tuple[Record, ...]
    n_lines: int  # that are not blank, headings and rules left out
    silent: tuple[tuple[int, str], ...]  # the first lines in which no number was found
    n_silent: int
    notation: Notation
    n_left_out: int = 0  # lines after the most that are read
    is_headed: bool = False  # words stand above rows that do not fit them


@dataclass
class Writer:
    """Collects a sheet."""

    notation: Notation
    columns: list[Column] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    silent: list[tuple[int, str]] = field(default_factory=list)
    n_lines: int = 0
    n_silent: int = 0
    n_tables: int = 0
    n_left_out: int = 0
    n_rows: int = 0  # without headings
    is_headed: bool = False  # words stand above those rows, which do not fit them
    _known: dict[tuple[object, ...], int] = field(default_factory=dict)

    def column(
        self, label: str, context: Part = "", table: int = 0, place: int = 0, is_progress: bool = False
    ) -> int | None:
        """The column of a name; None if there are too many already."""
        key = (label, context, table, place, is_progress)
        if key not in self._known:
            if len(self.columns) >= _MOST_COLUMNS:
                return None
            said = name_of(label[:LONGEST_NAME])
            name = said if said.part or said.role in ("step", "epoch") else name_of(label[:LONGEST_NAME], context)
            same = (name.words, name.part, table, place, label if is_progress else "")
            if same not in self._known:
                self._known[same] = len(self.columns)
                self.columns.append(Column(_labelled(label, context, name), name, table, place, is_progress))
            self._known[key] = self._known[same]
        return self._known[key]

    def value(self, written: str, name: Name) -> float:
        return self.notation.value(written, is_count=name.role in ("step", "epoch"))

    def add(self, line: int, kind: Kind, fields: list[Field], text: str) -> None:
        """Keep what a line says, unless it sums up the training: the mean of all losses, and how long it took."""
        if any(self.columns[one.column].name.words == _SUMMARY for one in fields):
            self.pass_over(line, text)
        else:
            self.records.append(Record(line, kind, tuple(fields), _ends_in_a_number(text)))

    def pass_over(self, line: int, text: str) -> None:
        """Count a line that says nothing."""
        self.n_silent += 1
        if len(self.silent) < 3:
            self.silent.append((line, text.strip()[:EXAMPLE]))


def _ends_in_a_number(text: str) -> bool:
    last = text.rstrip()[-1:]
    return last.isalnum() or last in _OF_NUMBERS


def _labelled(label: str, context: Part, name: Name) -> str:
    from_the_line = bool(context) and name_of(label[:LONGEST_NAME]).part != name.part
    return f"{context}: {label[:LONGEST_NAME]}" if from_the_line else label[:LONGEST_NAME]


def read_number(writer: Writer, column: int, written: str, of: float = 0.0) -> Field | None:
    """A number under its column; None if it is none."""
    try:
        return Field(column, writer.value(written, writer.columns[column].name), decimals_of(written), of)
    except (ValueError, OverflowError):
        return None
