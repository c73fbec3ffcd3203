"""What the charts of several pages share: plain data in, Altair out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import streamlit as st
from altair.utils import schemapi

from lmviz.ui import state
from lmviz.ui.chart_table import behind
from lmviz.ui.labels import BETWEEN
from lmviz.ui.text import Translator

PLAIN, CHOSEN, FAINT = "#2f7fe0", "#d6600c", "#8a93a0"  # safe for colour-blind eyes, light and dark
FONT = 14
SOLID = [0, 0]  # no dash. [1, 0] looks the same and takes a browser ten times as long: it cuts a line into pixels

# what of a chart is in pixels
_LENGTHS = frozenset(
    "height width fontSize labelFontSize titleFontSize dx dy offset xOffset yOffset strokeWidth labelLimit titleLimit "
    "labelPadding titlePadding padding step tickSize cornerRadius columnPadding rowPadding symbolStrokeWidth".split()
)
_AREAS = frozenset(("size", "symbolSize"))
DASHES = frozenset(("strokeDash",))
_NO_LENGTHS = frozenset(("values", "datasets", "locale", "domain"))  # what it shows

_NO_TABLE = "<table hidden></table>"  # behind a chart that has no numbers yet: what stands below it keeps its place

AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart

schemapi.disable_debug_mode()  # no page holds each of its charts against Vega-Lite's schema, twice: tests do


def show(chart: AnyChart, t: Translator, key: str, alt: str | None = None) -> None:
    """One look for all: large enough to read from the back of a room, numbers as the language writes them.

    Args:
        key: on the page; a picture that is saved has its name by it, and so has one that nobody has described.
    """
    heard = alt or t(f"saving.picture.chart_{key.replace('.', '-')}")
    styled = (
        chart.configure_axis(labelFontSize=FONT, titleFontSize=FONT)
        .configure_legend(
            labelFontSize=FONT, titleFontSize=FONT, labelLimit=400, symbolSize=120, orient="top", title=None
        )
        .configure_axisQuantitative(labelLimit=0)
    )
    spec = styled.to_dict(validate=False)
    with st.container(key=f"chart_{key}"):  # a chart's own key is not on the page
        st.vega_lite_chart(at_window_scale(localised(spec, t)), width="stretch", key=key, alt=heard)
        st.html(behind(spec, t, heard) or _NO_TABLE)


def at_window_scale(spec: dict[str, Any]) -> dict[str, Any]:
    """A copy of a chart that is as large as all else is at the moment; its expressions know of it as `room`."""
    room = state.scale()
    found: dict[str, Any] = larger(spec, room)
    return {**found, "params": [*found.get("params", ()), {"name": "room", "value": room}]}


def larger(part: Any, scale: float) -> Any:
    """A part of a chart with its lengths in pixels so many times as long; what it shows stays.

    >>> larger({"height": 100, "mark": {"fontSize": 10, "opacity": 0.5}}, 2)
    {'height': 200, 'mark': {'fontSize': 20, 'opacity': 0.5}}
    """
    if isinstance(part, dict):
        return {name: _longer(name, value, scale) if name not in _NO_LENGTHS else value for name, value in part.items()}
    return [larger(one, scale) for one in part] if isinstance(part, list) else part


def _longer(name: str, value: Any, scale: float) -> Any:
    if name in DASHES and isinstance(value, list):
        return [scale * one for one in value]
    if name in _LENGTHS and isinstance(value, dict) and set(value) == {"expr"}:
        return {"expr": f"{scale} * ({value['expr']})"}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return larger(value, scale)
    return value * scale if name in _LENGTHS else value * scale**2 if name in _AREAS else value


def localised(spec: dict[str, Any], t: Translator) -> dict[str, Any]:
    """The same chart, whose numbers are written as the language does, on its axes and where the pointer is.

    Its points and axes are not heard, each by words that Vega has in English only: there is the table for that.
    """
    decimal, thousands = t.separators
    written = {"decimal": decimal, "thousands": thousands, "grouping": [3], "currency": ["", ""]}
    config = {**spec.get("config", {}), "locale": {"number": written | {"percent": t.percent_sign}}}
    for part in ("axis", "legend", "mark", "title"):
        config[part] = {**config.get(part, {}), "aria": False}
    return {**spec, "config": config}


def rows(**columns: Sequence[Any]) -> alt.Data:
    """A table by its columns."""
    names = list(columns)
    return alt.Data(values=[dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def bars(names: Sequence[str], values: Sequence[float], t: Translator, height: int = 26) -> AnyChart:
    """One bar for each name, in the order given, its number at its end."""
    written = [t.number(value, 3) for value in values]
    order = list(range(len(names)))
    end = 1.25 * max((value for value in values if value > 0), default=1.0)  # room for the numbers
    base = alt.Chart(rows(at=order, name=names, value=values, written=written)).encode(
        y=named(names), x=alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, end]))
    )
    bar = base.mark_bar(color=PLAIN, height={"band": 0.7})
    ends = base.mark_text(align="left", dx=4, fontSize=FONT, color=FAINT).encode(text="written:N")
    return alt.layer(bar, ends).properties(height=height * max(1, len(order)))


def alt_text(names: Sequence[str], values: Sequence[float], t: Translator) -> str:
    """The same bars for who cannot see them."""
    return ", ".join(f"{name} {t.number(value, 3)}" for name, value in zip(names, values, strict=True))


def named(names: Sequence[str]) -> alt.Y:
    """An axis of places 0, 1, 2, …, each with its name, which another one may have too."""
    labels = f"{json.dumps(names)}[datum.value]"
    look = alt.Axis(title=None, labelExpr=labels, labelFont="monospace", labelLimit=170, ticks=False, domain=False)
    return alt.Y("at:O", sort=None, axis=look)


def curve(
    steps: Sequence[int],
    values: Sequence[float],
    now: int,
    title: str,
    value: str,
    lines: Sequence[tuple[str, float]] = (),
    height: int = 200,
) -> AnyChart:
    """A number over the steps of a training, a mark where one stands, and dashed lines for what it is compared with."""
    known = [(step, y) for step, y in zip(steps, values, strict=True) if y == y]
    y = alt.Y("value:Q", title=value, scale=alt.Scale(zero=False))
    base = alt.Chart(rows(step=[step for step, _ in known], value=[y for _, y in known])).encode(
        x=alt.X("step:Q", title=title, axis=alt.Axis(tickCount=5)), y=y
    )
    at = base.transform_filter(f"datum.step == {now}").mark_point(filled=True, size=130, color=CHOSEN, opacity=1)
    layers = [base.mark_line(color=PLAIN, strokeWidth=2.2), at]
    if lines:
        other = alt.Chart(rows(name=[name for name, _ in lines], value=[y for _, y in lines])).encode(y=y)
        layers.append(other.mark_rule(strokeDash=[6, 4], color=FAINT, strokeWidth=1.6))
        name = other.mark_text(align="right", dy=-7, fontSize=FONT, color=FAINT)
        layers.append(name.encode(x=alt.value("width"), text="name:N"))
    return alt.layer(*layers).properties(height=height)


def names_beside(base: Any, text: str) -> list[Any]:
    """The names beside their points, for a wide screen and for a narrow one, where `labels.places` has put them."""
    return [
        base.transform_filter(f"width / room {sign} {BETWEEN} && datum.{screen}_dx !== null")
        .mark_text(
            font="monospace",
            fontSize=alt.expr("datum.size"),
            fontWeight=alt.expr("datum.size > 15 ? 'bold' : 'normal'"),
            dx=alt.expr(f"datum.{screen}_dx"),
            dy=alt.expr(f"datum.{screen}_dy"),
            baseline="middle",
            clip=True,
        )
        .encode(text=text)
        for screen, sign in (("wide", ">="), ("narrow", "<"))
    ]
