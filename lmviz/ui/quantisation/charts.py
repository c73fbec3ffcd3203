"""Charts of codes, sizes and losses: plain data in, Altair out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from lmviz.ui.charts import CHOSEN, FAINT, FONT, PLAIN, AnyChart, named, rows

WORD = 0.1  # of the width of a picture, that the name of a format takes
KILO = alt.Axis(tickCount=5, format="~s", labelExpr="datum.value ? datum.label : '0'")


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
    widest = 1.12 * max(n_bytes)
    near = WORD * widest
    level = [
        sum(abs(x - n) < near and (y, j) > (nats, i) for j, (x, y) in enumerate(places))
        for i, (n, nats) in enumerate(places)
    ]
    base = alt.Chart(
        rows(name=names, bytes=n_bytes, loss=losses, chosen=[name == chosen for name in names], level=level)
    ).encode(
        x=alt.X("bytes:Q", title=size, scale=alt.Scale(domain=[0, widest], nice=False), axis=KILO),
        y=alt.Y("loss:Q", title=loss, scale=alt.Scale(zero=False, padding=22)),
        color=alt.condition("datum.chosen", alt.value(CHOSEN), alt.value(PLAIN)),
    )
    dots = base.mark_point(filled=True, size=130, opacity=1)
    words = [
        base.transform_filter(f"datum.level == {n}")
        .mark_text(dy=dy, fontSize=FONT, fontWeight="bold")
        .encode(text="name:N")
        for n, dy in enumerate((-15, 16, 30, 44, 58))
    ]
    return alt.layer(dots, *words).properties(height=height)


def ranges(names: Sequence[str], lows: Sequence[float], highs: Sequence[float], outer: float, title: str) -> AnyChart:
    """From the lowest to the highest number that went into each layer; what is kept of it is darker."""
    kept_low, kept_high = [low * outer for low in lows], [high * outer for high in highs]
    base = alt.Chart(
        rows(at=list(range(len(names))), name=names, low=lows, high=highs, kept_low=kept_low, kept_high=kept_high)
    ).encode(y=named(names))
    whole = base.mark_bar(color=PLAIN, opacity=0.3, height={"band": 0.75})
    kept = base.mark_bar(color=PLAIN, height={"band": 0.75})
    return alt.layer(
        whole.encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        kept.encode(x=alt.X("kept_low:Q", title=title), x2="kept_high:Q"),
    ).properties(height=22 * len(names) + 56)


def training(
    steps: Sequence[int],
    losses: Mapping[str, Sequence[float]],
    goal: tuple[str, float],
    last: int,
    title: str,
    loss: str,
    height: int = 330,
) -> AnyChart:
    """Losses over the steps of trainings, by name, and a dashed line with a name: where they want to go."""
    y = alt.Y("loss:Q", title=loss, scale=alt.Scale(zero=False, padding=20))
    x = alt.X("step:Q", title=title, scale=alt.Scale(domain=[0, last]), axis=alt.Axis(tickCount=5))
    names = list(losses)
    color = alt.Color("name:N", scale=alt.Scale(domain=names, range=[CHOSEN, PLAIN]))
    shape = alt.Shape("name:N", scale=alt.Scale(domain=names, range=["circle", "square"]))
    table = rows(
        step=[step for _ in names for step in steps],
        loss=[nats for name in names for nats in losses[name]],
        name=[name for name in names for _ in steps],
    )
    curves = alt.Chart(table).encode(x=x, y=y, color=color, shape=shape)
    wanted = alt.Chart(rows(name=[goal[0]], loss=[goal[1]])).encode(y=y)
    return alt.layer(
        wanted.mark_rule(strokeDash=[6, 4], color=FAINT, strokeWidth=1.8),
        wanted.mark_text(align="left", dy=-9, fontSize=FONT, color=FAINT).encode(x=alt.value(4), text="name:N"),
        curves.mark_line(strokeWidth=2.5),
        curves.mark_point(filled=True, size=50, opacity=1),
    ).properties(height=height)
