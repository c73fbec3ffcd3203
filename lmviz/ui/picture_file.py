"""The picture of a tensor as a file to print or to put on a slide: SVG or PNG, with title, axes, legend and link."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lmviz.errors import UserError
from lmviz.trace.step import Array, Cell, Value
from lmviz.ui.pictures import domain, drawable, is_share, matrix
from lmviz.ui.text import DEFAULT, Translator

if TYPE_CHECKING:
    import altair

KINDS = ("svg", "png")
MOST = 128  # rows and columns of a picture
NUMBERS = 16  # rows and columns, up to which each cell has its number in it
CELL, SMALL = 44, 9  # pixels of a cell with its number, and of one without
_PER_INCH = 200  # dots of a PNG
LOW, MIDDLE, HIGH, SHARE = "#215ea8", "#fafaf8", "#d6600c", "#5c2484"  # as on the page
MASKED, BAD = "#b9c0ca", "#d11f3a"  # −∞, and NaN or +∞

Label = Callable[[str, int], str]
Write = Callable[[float], str]


def drawn(
    value: Value,
    lead: Cell,
    label: Label,
    title: str = "",
    link: str = "",
    t: Translator = Translator(DEFAULT),  # noqa: B008
    digits: int = 2,
) -> altair.LayerChart | altair.FacetChart:
    """The picture as a chart.

    Raises:
        UserError: the tensor has no cell there.
    """
    if len(lead) != max(0, len(value.shape) - 2) or not all(
        0 <= i < n for i, n in zip(lead, value.shape, strict=False)
    ):
        raise UserError(
            "A picture shows the last two axes of {name}, {shape}, at one index on each of the others; {lead} is none.",
            name=value.address or value.name,
            shape=str(list(value.shape)),
            lead=str(list(lead)),
        )
    whole = drawable(matrix(value.array, lead))
    cells = whole[:MOST, :MOST]
    if not cells.size:
        raise UserError(
            "{name} has no cells to draw: its shape is {shape}.", name=value.address, shape=str(value.shape)
        )
    axes = ("", "", *value.axes)[-2:]
    where = " × ".join(f"{axis or '·'} {t.integer(n)}" for axis, n in zip(value.axes, value.shape, strict=True))
    said = [where]
    if len(lead):
        said.append(", ".join(f"{axis or t('inspect.axis')} {i}" for axis, i in zip(value.axes, lead, strict=False)))
    if cells.shape != whole.shape:
        part, all_cells = (" × ".join(map(t.integer, one.shape)) for one in (cells, whole))
        said.append(t("take.part", part=part, all=all_cells))
    subtitle = [" · ".join(said), *([link] if link else [])]
    write = partial(t.number, digits=digits)
    return _chart(cells, axes, label, title or value.name or value.address, subtitle, is_share(value), write)


def saved(chart: Any, kind: str) -> bytes:
    """A chart as the bytes of a file, "svg" or "png".

    Raises:
        UserError: there is no such kind.
    """
    if kind == "svg":
        text = io.StringIO()
        chart.save(text, format="svg")
        return text.getvalue().encode()
    if kind == "png":
        content = io.BytesIO()
        chart.save(content, format="png", ppi=_PER_INCH)
        return content.getvalue()
    raise UserError("Pictures are written as .svg or .png; {kind} is neither.", kind=f".{kind}")


def _chart(
    cells: Array, axes: Sequence[str], label: Label, title: str, subtitle: list[str], is_of_shares: bool, write: Write
) -> altair.LayerChart | altair.FacetChart:
    import altair as alt

    peak = 1.0 if is_of_shares else domain([cells]) or 1.0
    size = CELL if max(cells.shape) <= NUMBERS else SMALL
    data = alt.Data(values=[_cell(cells, row, col, write) for row, col in np.ndindex(cells.shape)])
    # Two rows may have the same label, so their place is what orders them, and what is written is looked up.
    places = {"row": [f"{i}" for i in range(cells.shape[0])], "col": [f"{i}" for i in range(cells.shape[1])]}
    names = {
        kind: {place: label(axis, int(place)) for place in places[kind]}
        for kind, axis in zip(places, axes, strict=True)
    }
    looked_up = {kind: f"{_js(names[kind])}[datum.value]" for kind in places}
    y = alt.Y(
        "row:N", sort=places["row"], title=axes[0] or None, axis=alt.Axis(labelExpr=looked_up["row"], ticks=False)
    )
    x = alt.X(
        "col:N",
        sort=places["col"],
        title=axes[1] or None,
        axis=alt.Axis(labelExpr=looked_up["col"], ticks=False, labelAngle=0, orient="top", labelOverlap=True),
    )
    scale = (
        alt.Scale(domain=[0, 1], range=[MIDDLE, SHARE], interpolate="rgb")
        if is_of_shares
        else alt.Scale(domain=[-peak, 0, peak], range=[LOW, MIDDLE, HIGH], interpolate="rgb")
    )
    colour = alt.Color("value:Q", scale=scale, legend=_legend([0, 1] if is_of_shares else [-peak, 0, peak], write))
    squares = alt.Chart(data).mark_rect(stroke="#fff", strokeWidth=0.5).encode(x=x, y=y)
    layers: list[Any] = [squares.transform_filter("datum.kind == 'number'").encode(color=colour)]
    for kind, plain in (("masked", MASKED), ("bad", BAD)):
        layers.append(squares.transform_filter(f"datum.kind == '{kind}'").encode(color=alt.value(plain)))
    if size == CELL:
        ink = alt.condition(f"abs(datum.value) > {0.55 * peak}", alt.value("#fff"), alt.value("#10161f"))
        layers.append(alt.Chart(data).mark_text(fontSize=12).encode(x=x, y=y, text="text:N", color=ink))
    return alt.layer(*layers).properties(
        width=alt.Step(size),
        height=alt.Step(size * 0.7 if size == CELL else size),
        title=alt.Title(title, subtitle=subtitle, anchor="start", fontSize=18, subtitleFontSize=12, offset=12),
        background="#ffffff",
        padding=16,
    )


def _legend(stops: list[float], write: Write) -> altair.Legend:
    import altair as alt

    ends = f"datum.value < 0 ? {json.dumps(write(stops[0]))} : datum.value > 0 ? {json.dumps(write(stops[-1]))}"
    return alt.Legend(title=None, orient="right", values=stops, labelExpr=f"{ends} : {json.dumps(write(0.0))}")


def _cell(cells: Array, row: int, col: int, write: Write) -> dict[str, Any]:
    number = float(cells[row, col])
    place = {"row": str(row), "col": str(col)}
    if np.isfinite(number):
        return {**place, "value": number, "text": write(number), "kind": "number"}
    text = "NaN" if np.isnan(number) else "∞" if number > 0 else "−∞"
    return {**place, "value": None, "text": text, "kind": "masked" if text == "−∞" else "bad"}


def _js(names: dict[str, str]) -> str:
    """A table as an expression of Vega's: text that says nothing but itself."""
    return json.dumps(names)
