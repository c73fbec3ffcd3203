"""The table behind a chart: the same names and numbers, for those who hear a page. It is on the page and not seen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from lmviz.ui.text import Translator

MOST = 120  # rows; of more, some that lie evenly apart, with the first and the last
DIGITS = 4
_CHANNELS = ("y", "x", "y2", "x2", "color", "shape", "detail", "text")
PLACE, NAME = "at", "name"  # a place on an axis of names, and the name that stands there

Row = Mapping[str, Any]


def behind(spec: Mapping[str, Any], t: Translator, caption: str = "") -> str:
    """The tables of a chart as HTML: one for each of its sets of data, with the axes' titles above the columns."""
    found = [_table(_columns(units, rows, t), rows, t, caption) for units, rows in _sets(spec) if rows]
    return "".join(dict.fromkeys(one for one in found if one))


def _sets(spec: Mapping[str, Any]) -> Iterator[tuple[list[Mapping[str, Any]], Sequence[Row]]]:
    """Each set of data with the encodings of the layers that draw it."""
    drawn: dict[str, list[Mapping[str, Any]]] = {}
    kept: dict[str, Sequence[Row]] = {}
    for data, encoding in _units(spec, spec.get("data", {}), {}):
        name = data.get("name") or json.dumps(data.get("values", ()), default=str)
        kept[name] = spec.get("datasets", {}).get(name) or data.get("values") or ()
        drawn.setdefault(name, []).append(encoding)
    return ((drawn[name], kept[name]) for name in drawn)


def _units(
    part: Mapping[str, Any], data: Mapping[str, Any], encoding: Mapping[str, Any]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    data, encoding = part.get("data", data), {**encoding, **part.get("encoding", {})}
    inner = [*part.get("layer", ()), *part.get("hconcat", ()), *part.get("vconcat", ())]
    inner += [part["spec"]] if "spec" in part else []
    if not inner:
        yield data, encoding
    for one in inner:
        yield from _units(one, data, encoding)


def _columns(encodings: Sequence[Mapping[str, Any]], rows: Sequence[Row], t: Translator) -> dict[str, str]:
    """The fields that are drawn, each with the title of its axis; what has none is a name or a value."""
    found: dict[str, str] = {}
    for encoding in encodings:
        for channel in _CHANNELS:
            drawn = encoding.get(channel)
            if not isinstance(drawn, Mapping):
                continue
            field = drawn.get("field")
            field = NAME if field == PLACE and NAME in rows[0] else field
            if isinstance(field, str) and field in rows[0] and not isinstance(rows[0][field], bool):
                found[field] = found.get(field) or _title(drawn)
    numbers = {t.number(float(row[field]), 3) for field in found for row in rows if isinstance(row[field], int | float)}
    kept = {field: title for field, title in found.items() if title or not _says_again(rows, field, numbers)}
    is_text = {field: isinstance(rows[0][field], str) for field in kept}
    return {field: title or t("chart.name" if is_text[field] else "chart.value") for field, title in kept.items()}


def _title(drawn: Mapping[str, Any]) -> str:
    axis = drawn.get("axis") or drawn.get("legend") or {}
    title = drawn.get("title") or axis.get("title")
    return title if isinstance(title, str) else ""


def _says_again(rows: Sequence[Row], field: str, numbers: set[str]) -> bool:
    """Whether a text without a title is a number of the same row, as it is written at a bar's end."""
    return all(isinstance(row[field], str) and row[field] in numbers for row in rows)


def _table(columns: Mapping[str, str], rows: Sequence[Row], t: Translator, caption: str) -> str:
    if not columns:
        return ""
    if len(rows) > MOST:
        rows = [rows[round(i * (len(rows) - 1) / (MOST - 1))] for i in range(MOST)]
    heads = "".join(f'<th scope="col">{escape(title)}</th>' for title in columns.values())
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(_written(row.get(field), t))}</td>' for field in columns)}</tr>" for row in rows
    )
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<table class="lm-behind">{said}<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>'


def _written(value: Any, t: Translator) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return "–"
    return t.integer(value) if isinstance(value, int) else t.number(float(value), DIGITS)
