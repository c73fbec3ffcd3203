"""What the charts of several pages share: plain data in, Altair out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import streamlit as st

PLAIN, CHOSEN, FAINT = "#2f7fe0", "#d6600c", "#8a93a0"  # safe for colour-blind eyes, light and dark
FONT = 14

AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart


def show(chart: AnyChart, key: str | None = None, alt: str | None = None) -> None:
    """One look for all: large enough to read from the back of a room."""
    styled = chart.configure_axis(labelFontSize=FONT, titleFontSize=FONT).configure_legend(
        labelFontSize=FONT, titleFontSize=FONT, symbolSize=120, orient="top", title=None
    )
    st.altair_chart(styled, width="stretch", key=key, alt=alt)


def rows(**columns: Sequence[Any]) -> alt.Data:
    """A table by its columns."""
    names = list(columns)
    return alt.Data(values=[dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def bars(names: Sequence[str], values: Sequence[float], title: str, height: int = 34) -> AnyChart:
    """One bar for each name, in the order given, its number at its end."""
    order = list(range(len(names)))
    base = alt.Chart(rows(at=order, name=names, value=values)).encode(
        y=alt.Y("at:O", sort=None, axis=None), x=alt.X("value:Q", title=title, axis=alt.Axis(tickCount=4))
    )
    bar = base.mark_bar(color=PLAIN, height={"band": 0.7})
    number = base.mark_text(align="left", dx=4, fontSize=FONT, color=FAINT).encode(
        text=alt.Text("value:Q", format=".3f")
    )
    name = base.mark_text(align="right", dx=-6, fontSize=16, font="monospace", fontWeight="bold", color=FAINT)
    named = name.encode(x=alt.value(0), text="name:N")
    return alt.layer(bar, number, named).properties(height=height * max(1, len(order)), padding={"left": 90})
