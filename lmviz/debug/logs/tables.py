"""Tables in a log: a line of headings, and rows below it. CSV, tabs, Markdown, columns set apart by spaces."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lmviz.debug.logs.columns import Field, Writer, read_number
from lmviz.debug.logs.lines import read_line
from lmviz.debug.logs.notation import MISSING, cell_pattern
from lmviz.debug.logs.roles import Part, name_of, split_of, words_of

_DELIMITERS = ("\t", "|", ";", ",", "  ", " ")
MOST_CELLS = 500
_LONGEST_HEADING = 120
_SPACES = re.compile(r" {2,200}")
_TIME = re.compile(
    r"\d{1,3}:\d{2}(?::\d{2})?(?:\.\d{1,9})?|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d{1,9})?Z?)?"
)
_QUANTITY = re.compile(r"[-+]?\d{1,20}(?:\.\d{1,20})?(?:%|[^\W\d_]{1,12})")
_RULE = re.compile(r"[-=+|:_ ]{3,400}")
_LONE_NUMBER = re.compile(r"(?<![\w.])\d")
_BARE = ("\t", ";", ",", " ")
_BEGINS_A_NUMBER = frozenset("0123456789.+-−nN")
_NAMES = frozenset(("key", "metric", "name", "tag", "variable", "metric name", "métrique", "scalar"))
_VALUES = frozenset(("value", "values", "metric value", "valeur"))
_HEADS = frozenset(
    ("step", "steps", "epoch", "epochs", "loss", "perplexity", "ppl", "accuracy", "acc", "time", "norm", "rate", "lr",
     "f1", "bleu", "iteration", "iter", "score", "length")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """The headings that are in force."""

    number: int
    delimiter: str
    headings: tuple[str, ...]
    has_index: bool = False  # rows have one cell more, in front

    @property
    def named_by(self) -> tuple[int, int] | None:
        """Of a table with one number a row: the column that names it, and the one that holds it."""
        names = [i for i, heading in enumerate(self.headings) if heading.lower() in _NAMES]
        values = [i for i, heading in enumerate(self.headings) if heading.lower() in _VALUES]
        return (names[0], values[0]) if names and values else None


def is_rule(line: str) -> bool:
    """A line of dashes, as below the headings of a table."""
    return _RULE.fullmatch(line) is not None


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of a line; one if the delimiter is not in it."""
    if delimiter == "  ":
        return _SPACES.split(line.strip())
    if delimiter == " ":
        return line.split()
    if delimiter == "|":
        return [cell.strip() for cell in line.strip().strip("|").split("|")]
    if '"' in line:
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
        except (csv.Error, StopIteration):
            return [line]
    return [cell.strip().strip("'") for cell in line.split(delimiter)]


def table_at(writer: Writer, lines: Sequence[str], i: int) -> Table | None:
    """The table whose headings are in line i, if there is one: words above a row of numbers."""
    if '"' not in lines[i] and _LONE_NUMBER.search(lines[i]):
        return None
    following = next((line for line in lines[i + 1 : i + 4] if not is_rule(line)), "")
    if not following or not any(c.isdigit() for c in following[:4000]):
        return None
    for delimiter in _DELIMITERS:
        is_there = (delimiter.strip() or delimiter) in lines[i]
        if is_there and (found := _table_with(writer, delimiter, lines[i], following)):
            return found
    return None


def _table_with(writer: Writer, delimiter: str, heading: str, following: str) -> Table | None:
    """The table of a line of headings and the row below it, if this delimiter makes one of them."""
    headings, row = cells_of(heading, delimiter), cells_of(following, delimiter)
    if not 2 <= len(headings) <= MOST_CELLS or not _are_headings(writer, headings):
        return None
    by_spaces = _is_by_spaces(delimiter)
    if by_spaces and len(row) < len(headings):
        headings = _joined(headings, len(row))
    has_index = by_spaces and len(row) == len(headings) + 1
    if len(row) != len(headings) + has_index or not _is_row(writer, row, by_spaces):
        return None
    writer.n_tables += 1
    return Table(writer.n_tables, delimiter, tuple(headings), has_index)


def _is_by_spaces(delimiter: str) -> bool:
    return not delimiter.strip() and delimiter != "\t"


def read_row(writer: Writer, table: Table | None, line: str) -> list[Field] | None:
    """The numbers of a row; None if the line is no row of the table that is in force, nor one without headings."""
    if table is None:
        return _bare_row(writer, line)
    cells = cells_of(line, table.delimiter)
    by_spaces = _is_by_spaces(table.delimiter)
    if len(cells) != len(table.headings) + table.has_index or not _is_row(writer, cells, by_spaces):
        return None
    fields: list[Field | None] = []
    if table.has_index:
        fields.append(_cell(writer, table, "index", cells[0], place=1))
    cells, named_by = cells[table.has_index :], table.named_by
    parts = (split_of(heading, cell) for heading, cell in zip(table.headings, cells, strict=True))
    part: Part = next((part for part in parts if part), "")
    for i, (heading, cell) in enumerate(zip(table.headings, cells, strict=True)):
        if named_by is not None and i in named_by:
            if i == named_by[1] and (name := cells[named_by[0]]):
                fields.append(_cell(writer, table, name, cell, part=part))
        elif cell.startswith("{"):
            fields.extend(read_line(writer, cell))
        else:
            fields.append(_cell(writer, table, heading or f"column {i + 1}", cell, part=part))
    return [found for found in fields if found is not None]


def _cell(writer: Writer, table: Table, heading: str, cell: str, place: int = 0, part: Part = "") -> Field | None:
    if cell.lower() in MISSING:
        return None
    column = writer.column(heading, part, table=table.number, place=place)
    return read_number(writer, column, cell) if column is not None else None


def _bare_row(writer: Writer, line: str) -> list[Field] | None:
    """Numbers and nothing else: each under its place."""
    if line.lstrip()[:1] not in _BEGINS_A_NUMBER:
        return None
    cells = _bare_cells(writer, line)
    writer.n_rows += bool(cells)
    columns = [writer.column(f"column {i + 1}", place=i + 1, table=-1) for i in range(len(cells))]
    fields = [read_number(writer, c, cell) for c, cell in zip(columns, cells, strict=True) if c is not None]
    return [one for one in fields if one is not None] or None


def are_unlike_headings(writer: Writer, words: str, line: str) -> bool:
    """Whether words stand above a row of numbers, as headings do, but not as many as there are numbers."""
    if not line.lstrip()[:1] or line.lstrip()[0] not in _BEGINS_A_NUMBER:
        return False
    n = len(_bare_cells(writer, line))
    headings = [cells for one in _BARE[:-1] if len(cells := cells_of(words, one)) > 1]
    return n > 0 and any(len(cells) != n and _are_headings(writer, cells) for cells in headings)


def _bare_cells(writer: Writer, line: str) -> list[str]:
    return next((found for one in _BARE if (found := _numbers(writer, line, one))), [])


def _numbers(writer: Writer, line: str, delimiter: str) -> list[str]:
    """The cells of a line if each is a number, or empty."""
    if delimiter not in line.strip() and delimiter != " ":
        return []
    cells, number = cells_of(line, delimiter), cell_pattern(writer.notation)
    is_row = len(cells) <= MOST_CELLS and all(number.fullmatch(cell) or cell.lower() in MISSING for cell in cells)
    return cells if is_row else []


def _are_headings(writer: Writer, cells: list[str]) -> bool:
    """Words without numbers, or with a colon or an equals sign between them."""
    number = cell_pattern(writer.notation)
    named = [cell for cell in cells if cell]
    is_worded = all(len(cell) <= _LONGEST_HEADING and words_of(cell) and not number.fullmatch(cell) for cell in named)
    is_prose = any("=" in cell or ": " in cell or cell.endswith(":") for cell in named)
    has_numbers = any(map(_LONE_NUMBER.search, named)) and not any(name_of(cell).role for cell in named)
    return len(named) >= 2 and is_worded and not is_prose and not has_numbers


def _is_row(writer: Writer, cells: list[str], by_spaces: bool) -> bool:
    """Whether at least one cell is a number, and none is what only a line of words has."""
    number = cell_pattern(writer.notation)
    n_numbers = sum(number.fullmatch(cell) is not None for cell in cells)
    if not by_spaces:
        others = [cell for cell in cells if not number.fullmatch(cell)]
        return n_numbers > 0 and not any("=" in cell or ": " in cell for cell in others if not cell.startswith("{"))
    return n_numbers > 0 and all(
        number.fullmatch(cell) or cell.lower() in MISSING or _TIME.fullmatch(cell) or _QUANTITY.fullmatch(cell)
        for cell in cells
    )


def _joined(words: list[str], n: int) -> list[str]:
    """Headings of several words that one space sets apart: a new one begins after each word that can end one."""
    found: list[list[str]] = [[]]
    for word in words:
        if found[-1] and found[-1][-1].lower() in _HEADS:
            found.append([])
        found[-1].append(word)
    headings = [" ".join(heading) for heading in found]
    return headings if len(headings) == n else words
