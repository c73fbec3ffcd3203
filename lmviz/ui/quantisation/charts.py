"""Charts of codes, sizes and losses: plain data in, Altair out."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from lmviz.ui.charts import CHOSEN, FONT, PLAIN, AnyChart, rows


def histogram(
    codes: Sequence[int], counts: Sequence[int], chosen: int, title: str, count: str, height: int = 230
) -> AnyChart:
    """How many numbers have each code; the code of the chosen number stands out, and has a mark above it."""
    base = alt.Chart(rows(code=codes, n=counts, chosen=[code == chosen for code in codes])).encode(
        x=alt.X("code:Q", title=title, scale=alt.Scale(nice=False, padding=14), axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("n:Q", title=count),
    )
    bars = base.mark_bar(width=max(1.5, min(26, 420 / max(1, len(codes))))).encode(
        color=alt.condition("datum.chosen", alt.value(CHOSEN), alt.value(PLAIN)),
        tooltip=[alt.Tooltip("code:Q", title=title), alt.Tooltip("n:Q", title=count)],
    )
    above = base.transform_filter("datum.chosen").mark_text(text="▼", color=CHOSEN, fontSize=FONT, dy=-9)
    return alt.layer(bars, above).properties(height=height)


def sizes(
    names: Sequence[str],
    n_bytes: Sequence[int],
    losses: Sequence[float],
    chosen: str,
    size: str,
    loss: str,
    height: int = 260,
) -> AnyChart:
    """Each format as a point: its size against the loss."""
    places = list(zip(n_bytes, losses, strict=True))
    level = [sum(abs(x - n) < 0.03 * max(n_bytes) for x, _ in places[:i]) for i, (n, _) in enumerate(places)]
    base = alt.Chart(
        rows(name=names, bytes=n_bytes, loss=losses, chosen=[name == chosen for name in names], level=level)
    ).encode(
        x=alt.X("bytes:Q", title=size, scale=alt.Scale(zero=True, padding=30), axis=alt.Axis(tickCount=5, format="~s")),
        y=alt.Y("loss:Q", title=loss, scale=alt.Scale(zero=False, padding=22)),
        color=alt.condition("datum.chosen", alt.value(CHOSEN), alt.value(PLAIN)),
        tooltip=[
            alt.Tooltip("name:N", title=" "),
            alt.Tooltip("bytes:Q", title=size),
            alt.Tooltip("loss:Q", title=loss),
        ],
    )
    dots = base.mark_point(filled=True, size=130, opacity=1)
    words = [
        base.transform_filter(f"datum.level == {n}")
        .mark_text(dy=dy, fontSize=FONT, fontWeight="bold")
        .encode(text="name:N")
        for n, dy in ((0, -15), (1, 16), (2, 30))
    ]
    return alt.layer(dots, *words).properties(height=height)
