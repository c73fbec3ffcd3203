"""A log that someone pasted, read line by line: CSV, or lines as common training loops print them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lmviz.debug.doctor.history import History, Points
from lmviz.errors import UserError

MOST_CHARACTERS = 2_000_000
MOST_LINES = 50_000
LONGEST_LINE = 2_000  # the rest of a line is not looked at

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?nan\b|[-+]?inf(?:inity)?\b)"
_IS = r"""['"]?\s*[:=\[(#]?\s*['"]?"""  # between a name and its number
_NAMES = {  # the first that is found in a line counts
    "held_out": (r"(?:val(?:id(?:ation)?)?|eval|test|dev|held[_ -]?out)[_ /.-]?(?:loss|perte)",),
    "loss": (r"(?:(?:train(?:ing)?|tr)[_ /.-]?)?(?:loss|perte)",),
    "grad_norm": (r"(?:grad(?:ient)?[_ -]?norm|gnorm|norm)",),
    "step": (r"(?:global[_ -]?step|step|it(?:er(?:ation)?)?|batch|étape|pas)", r"(?:epoch|époque)"),
}
_PATTERNS = {
    name: tuple(re.compile(rf"(?<![\w/]){form}{_IS}{_NUMBER}", re.IGNORECASE) for form in forms)
    for name, forms in _NAMES.items()
}
_COLUMN = {name: re.compile("^(?:" + "|".join(forms) + ")s?$", re.IGNORECASE) for name, forms in _NAMES.items()}
_EPOCH = re.compile(rf"epoch{_IS}{_NUMBER}", re.IGNORECASE)
_PARTS_OF_EPOCHS = re.compile(r"epoch['\"]?\s*[:=]?\s*\d+\.\d*[1-9]", re.IGNORECASE)  # as in 'epoch': 0.35
_PLAIN = re.compile(rf"^{_NUMBER}$", re.IGNORECASE)
_BY_POSITION = ("step", "loss", "held_out", "grad_norm")

Row = dict[str, float]


@dataclass(frozen=True)
class Log:
    """What could be read of a log."""

    history: History
    n_read: int  # lines with numbers in them
    n_skipped: int  # lines that said nothing


@dataclass
class _Reading:
    """What was found so far, by step."""

    series: dict[str, dict[int, float]] = field(default_factory=lambda: {name: {} for name in _BY_POSITION[1:]})
    step: int = 0
    written: int = -1  # the last step as the log counts it
    offset: int = 0  # steps of epochs whose count began anew
    headed: bool = False  # whether a line of its own names the step of the lines below it

    def add(self, row: Row) -> None:
        if (given := _whole(row.get("step"))) is not None:
            if given < self.written:
                self.offset = self.step
            self.written, self.step = given, given + self.offset
            self.headed = len(row) == 1
        elif "loss" in row and not self.headed:
            self.step += 1
        for name, number in row.items():
            if name != "step":
                self.series[name][self.step] = number


def _whole(number: float | None) -> int | None:
    """A count, if it is one: 0.35 epochs are none."""
    is_count = number is not None and math.isfinite(number) and 0 <= number < 2**53 and number == int(number)
    return int(number) if number is not None and is_count else None


def read_log(text: str, d_vocab: int | None = None) -> Log:
    """The history in a log. Lines that say nothing are skipped and counted.

    Raises:
        UserError: it is too long, or no line has a loss.
    """
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            "A log can have {limit} characters at most; this one has {found}: paste a part of it.",
            limit=MOST_CHARACTERS,
            found=len(text),
        )
    counts_epochs = not _PARTS_OF_EPOCHS.search(text)
    lines = [line.strip()[:LONGEST_LINE] for line in text.splitlines()[:MOST_LINES] if line.strip()]
    reading, n_read = _Reading(), 0
    for row in _rows(lines if counts_epochs else [_EPOCH.sub("", line) for line in lines]):
        if row:
            reading.add(row)
            n_read += 1
    losses = _points(reading.series["loss"])
    if not losses:
        raise UserError(
            "No line of this log has a loss in it: paste lines such as {example}, or columns of step and loss.",
            example="“step 100: loss 2.31”",
        )
    series = {name: _points(numbers) for name, numbers in reading.series.items()}
    history = History(losses, series["held_out"], series["grad_norm"], d_vocab=d_vocab)
    return Log(history, n_read, len(lines) - n_read)


def _points(numbers: dict[int, float]) -> Points:
    return tuple(sorted(numbers.items()))


def _rows(lines: list[str]) -> Iterator[Row]:
    """What each line says; an empty row for one that says nothing."""
    columns: list[str] | None = None
    for line in lines:
        cells = _cells(line)
        if cells is not None and (header := _header(cells)):
            columns = header
            yield {}
        elif cells is not None and (row := _by_column(cells, columns)):
            yield row
        else:
            yield _by_name(line)


def _cells(line: str) -> list[str] | None:
    """The cells of a line of a table. With ; or tabs between them, a number may have a comma."""
    for separator in (";", "\t"):
        if separator in line:
            return [cell.strip().strip("\"'").replace(",", ".") for cell in line.split(separator)]
    if "," in line and not re.search(r"[:={]", line):
        return [cell.strip().strip("\"'") for cell in line.split(",")]
    parts = line.split()
    return parts if len(parts) > 1 and all(_PLAIN.match(part) for part in parts) else None


def _header(cells: list[str]) -> list[str]:
    """What each column holds, empty for the unknown; an empty list if this is no header."""
    named = [next((name for name, form in _COLUMN.items() if form.match(cell)), "") for cell in cells]
    return named if "loss" in named or "held_out" in named else []


def _by_column(cells: list[str], columns: list[str] | None) -> Row:
    if columns is None and not all(_PLAIN.match(cell) for cell in cells):
        return {}
    if columns is None and len(cells) < 2:
        return {}
    found: Row = {}
    for name, cell in zip(columns or _BY_POSITION, cells, strict=False):
        if name and _PLAIN.match(cell) and name not in found:
            found[name] = float(cell)
    return found if found.keys() - {"step"} else {}


def _by_name(line: str) -> Row:
    """Numbers by the names in front of them. What was read is taken out, so that "val loss" is not a loss as well."""
    found: Row = {}
    if "train_runtime" in line:  # a summary at the end: the mean of all losses
        return found
    for name, patterns in _PATTERNS.items():
        for pattern in patterns:
            match = pattern.search(line)
            if match:
                found[name] = float(match.group(1))
                line = line[: match.start()] + " " + line[match.end() :]
                break
    return found
