"""A log as a sheet: its lines one by one, each as a row, an object, or words with numbers between them."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from lmviz.debug.logs.columns import EXAMPLE, Field, Sheet, Writer, read_number
from lmviz.debug.logs.cut import without_cut_ends
from lmviz.debug.logs.lines import read_line
from lmviz.debug.logs.notation import notation_of
from lmviz.debug.logs.roles import Part, name_of, split_of
from lmviz.debug.logs.tables import Table, are_unlike_headings, is_rule, read_row, table_at
from lmviz.errors import UserError

MOST_CHARACTERS = 2_000_000
MOST_LINES = 50_000
SHORTEST = 4  # numbers of a list that is a curve
_DEEPEST = 6  # levels of an object within an object

# no quantifier is without a bound; each is tried once at each character that can begin it
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]{0,40}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,400}(?:\x07|\x1b\\)?|[@-Z\\-_])?"
    r"|\[(?:\d{1,3}(?:;\d{1,3}){0,5})?m"  # what is left of such a code where the escape itself was lost
)
_BAR = re.compile(r"%\|[^|\n]{0,400}\|")
_WRAPPED = re.compile(
    r"(?P<name>(?<=\w ))?\b(?:np\.|numpy\.|torch\.|jnp\.|tf\.)?"
    r"(?:tensor|Tensor|float16|float32|float64|bfloat16|Array|DeviceArray|Scalar|float)\("
)
_NAN_OF_WINDOWS = re.compile(r"\b1\.#(?:(?P<infinite>INF)|QNAN|SNAN|IND)0{0,20}")
_LIST = re.compile(r"[:=]\s{0,8}\[([\d\s.,eE+\-naN]{8,2000000})")
_NAME_BEFORE = re.compile(r"\w[\w /.\-]{0,60}['\"]?\s{0,8}$")
_OBJECT = re.compile(r"\{[^{}]{0,20000}\}")
_BETWEEN = re.compile(r"\}\s{0,50},?\s{0,50}\{")
_THOUSANDS = re.compile(r"(?<=\d)[\u00a0\u202f\u2009'’](?=\d{3}(?!\d))")
_DRAWN = str.maketrans(
    {
        **dict.fromkeys("│┃║┆┊▏╎", "|"),
        **dict.fromkeys("─━═┄┈╌", "-"),
        **dict.fromkeys("┌┬┐├┼┤└┴┘┏┳┓┡╇┩╒╤╕╞╪╡╘╧╛", "+"),
        **dict.fromkeys("\u00a0\u202f\u2009\x00", " "),
        "\ufeff": None,
    }
)


def read_sheet(text: str) -> Sheet:
    """Every number of a log under the name that it has there.

    Raises:
        UserError: it is too long.
    """
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            "A log can have {limit} characters at most; this one has {found}: paste a part of it.",
            limit=MOST_CHARACTERS,
            found=len(text),
        )
    plain = _plain(text)
    plain = _rows_of_json(plain) or plain
    writer = Writer(notation_of(plain))
    found = _objects(plain) or _series(plain)
    if found is not None:
        _read_objects(writer, found)
    else:
        _read_lines(writer, _one_object_a_line(plain).split("\n"))
    is_open = found is None and not text.endswith(("\n", "\r"))
    records = without_cut_ends(writer.columns, writer.records, is_open) if found is None else writer.records
    return Sheet(
        tuple(writer.columns),
        tuple(records),
        writer.n_lines,
        tuple(writer.silent),
        writer.n_silent,
        writer.notation,
        writer.n_left_out,
        writer.is_headed,
    )


def _plain(text: str) -> str:
    """The text without what a terminal or a tensor adds to it, one line a line."""
    plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\b", "\n"))
    plain = _THOUSANDS.sub("", _ESCAPES.sub("", plain)).translate(_DRAWN)
    plain = _WRAPPED.sub(lambda found: "(" if found["name"] is None else "=(", _BAR.sub("% ", plain))
    plain = _NAN_OF_WINDOWS.sub(lambda found: "inf" if found["infinite"] else "nan", plain)
    return plain.replace("n/a", "none").replace("N/A", "none")


def _rows_of_json(text: str) -> str:
    """[[0, 3.2], [10, 2.9]] as a row in each line; empty if it is something else."""
    begun = text.lstrip()[:40].replace(" ", "").replace("\n", "")
    if not begun.startswith(("[[", "[(")):
        return ""
    try:
        found = json.loads(text.replace("(", "[").replace(")", "]"))
    except (ValueError, RecursionError):
        return ""
    rows = found if all(isinstance(row, list) for row in found) else []
    if any(isinstance(one, list | dict | str) for row in rows for one in row):
        return ""
    return "".join("\t".join("-" if one is None else f"{one}" for one in row) + "\n" for row in rows)


def _one_object_a_line(text: str) -> str:
    """{…} over several lines becomes one, and several in one line become several."""
    if "{" not in text:
        return text
    opened = text.rfind("{")
    if opened > text.rfind("}"):  # cut in the middle of an object
        text = text[:opened] + text[opened:].replace("\n", " ")
    joined = _OBJECT.sub(lambda found: found.group().replace("\n", " "), text)
    return _BETWEEN.sub("}\n{", joined)


def _read_lines(writer: Writer, lines: list[str]) -> None:
    kept = [(number, line) for number, line in enumerate(lines, start=1) if line and not line.isspace()]
    writer.n_left_out = max(0, len(kept) - MOST_LINES)
    kept = kept[:MOST_LINES]
    texts = [line for _, line in kept]
    table: Table | None = None
    for i, (number, line) in enumerate(kept):
        if is_rule(line):
            continue
        if table is None and not writer.n_rows:
            writer.is_headed = i > 0 and are_unlike_headings(writer, texts[i - 1], line)
        row = read_row(writer, table, line)
        if row is None and (headings := table_at(writer, texts, i)) is not None:
            table = headings
            continue
        writer.n_lines += 1
        if row is not None:
            writer.add(number, "row", row, line)
        elif fields := _line(writer, line):
            writer.add(number, "line", fields, line)
        else:
            writer.pass_over(number, line)


def _line(writer: Writer, line: str) -> list[Field]:
    if line.lstrip().startswith("{"):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return _fields(writer, found)
    return read_line(writer, line)


def _objects(text: str) -> list[Mapping[str, Any]] | None:
    """The objects of a text that is JSON as a whole: the longest list of them in it; None if it is not."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return None
    lists = list(_lists(whole, 0))
    if lists:
        return max(lists, key=len)
    return _turned(whole) if isinstance(whole, dict) else None


def _lists(found: Any, depth: int) -> Iterable[list[Mapping[str, Any]]]:
    """The lists of objects in a value."""
    if depth > _DEEPEST:
        return
    if isinstance(found, list):
        if found and all(isinstance(one, dict) for one in found):
            yield found
        return
    if isinstance(found, dict):
        for one in found.values():
            yield from _lists(one, depth + 1)


def _turned(whole: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """{"loss": [3, 2]} as [{"loss": 3}, {"loss": 2}]."""
    series = {name: numbers for name, numbers in whole.items() if isinstance(numbers, list) and numbers}
    longest = max((len(numbers) for numbers in series.values()), default=0)
    if not longest:
        return None
    return [{name: numbers[i] for name, numbers in series.items() if i < len(numbers)} for i in range(longest)]


def _series(text: str) -> list[Mapping[str, Any]] | None:
    """Losses as lists: "losses = [3.1, 2.9, …]", or what Keras calls a history; without the last of one that is cut."""
    found: dict[str, list[str]] = {}
    for match in _LIST.finditer(text):
        name = _NAME_BEFORE.search(text[max(0, match.start() - 70) : match.start()])
        numbers = match[1].replace(",", " ").split()
        is_whole = text[match.end() : match.end() + 1] == "]"
        if name is not None:
            found[name.group().strip("'\" \t\n")] = numbers if is_whole else numbers[:-1]
    is_loss = any(name_of(name).role in ("loss", "held_out") and len(of) >= SHORTEST for name, of in found.items())
    return _turned(found) if is_loss else None


def _read_objects(writer: Writer, objects: list[Mapping[str, Any]]) -> None:
    writer.n_left_out = max(0, len(objects) - MOST_LINES)
    for i, one in enumerate(objects[:MOST_LINES], start=1):
        writer.n_lines += 1
        if fields := _fields(writer, one):
            writer.add(i, "line", fields, str(one)[:EXAMPLE])
        else:
            writer.pass_over(i, str(one)[:EXAMPLE])


def _fields(writer: Writer, found: Mapping[str, Any]) -> list[Field]:
    flat = dict(_flat(found, "", 0))
    name = next((flat[key] for key in ("name", "metric", "tag", "key") if isinstance(flat.get(key), str)), None)
    if name is not None and "value" in flat:  # {"name": "loss", "value": 2.3}
        flat[name] = flat.pop("value")
    parts = (split_of(label, value) for label, value in flat.items() if isinstance(value, str))
    context: Part = next((part for part in parts if part), "")
    fields: list[Field] = []
    for label, value in flat.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        if (column := writer.column(label, context)) is None:
            continue
        number = read_number(writer, column, value) if isinstance(value, str) else Field(column, _as_float(value))
        fields += [number] if number is not None else []
    return fields


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a count of more than 300 digits
        return math.inf


def _flat(found: Mapping[str, Any], prefix: str, depth: int) -> Iterable[tuple[str, Any]]:
    for key, value in found.items():
        name = f"{prefix}/{key}" if prefix else str(key)
        if isinstance(value, dict):
            if depth < _DEEPEST:
                yield from _flat(value, name, depth + 1)
        elif isinstance(value, list) and len(value) == 1:
            yield name, value[0]
        else:
            yield name, value
