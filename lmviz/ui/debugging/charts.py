"""Curves with the stretches that findings are about. Plain data in, Altair out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from lmviz.ui.charts import CHOSEN, FAINT, PLAIN, AnyChart, rows

Points = Sequence[tuple[int, float]]
DASHES = ([1, 0], [6, 3], [2, 2])
MOST = 600  # points of a line
STEEP = 20  # times its first: a loss that has exploded


def curves(
    lines: Mapping[str, Points],
    step: str,
    nats: str,
    levels: Mapping[str, float] | None = None,
    spans: Sequence[tuple[int, int]] = (),
    height: int = 300,
) -> AnyChart:
    """Losses over steps.

    Args:
        lines: by their names, at most three, told apart by colour and dash.
        levels: horizontal lines with a name.
        spans: from and to, tinted.
    """
    names = list(lines)
    losses = [loss for points in lines.values() for _, loss in points]
    points = [(name, at, loss) for name, found in lines.items() for at, loss in _thinned(found) if math.isfinite(loss)]
    last = max((at for _, at, _ in points), default=1)
    table = rows(line=[p[0] for p in points], step=[p[1] for p in points], loss=[p[2] for p in points])
    x = alt.X("step:Q", title=step, scale=alt.Scale(domain=[0, last], nice=False), axis=alt.Axis(tickCount=8))
    levels = {} if _explodes(losses) else levels
    scale = _scale(losses, list((levels or {}).values()))
    y = alt.Y("loss:Q", title=nats, scale=scale, axis=alt.Axis(tickCount=5, format="~r"))
    colour = alt.Color("line:N", scale=alt.Scale(domain=names, range=[CHOSEN, PLAIN, FAINT][: len(names)]))
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=names, range=list(DASHES[: len(names)])))
    curve = (
        alt.Chart(table)
        .mark_line(strokeWidth=2.6, clip=True)
        .encode(
            x=x,
            y=y,
            color=colour,
            strokeDash=dash,
            tooltip=[
                alt.Tooltip("line:N", title=" "),
                alt.Tooltip("step:Q", title=step),
                alt.Tooltip("loss:Q", title=nats, format=".4f"),
            ],
        )
    )
    layers = [*_spans(spans, last), *_levels(levels or {}, last), curve]
    return alt.layer(*layers).properties(height=height)


def _spans(spans: Sequence[tuple[int, int]], last: int) -> list[alt.Chart]:
    if not spans:
        return []
    wide = max(1, last // 150)
    table = rows(start=[low - wide / 2 for low, _ in spans], end=[max(high, low + wide) for low, high in spans])
    tint = alt.Chart(table).mark_rect(opacity=0.16, color=CHOSEN, clip=True)
    return [tint.encode(x=alt.X("start:Q"), x2="end:Q")]


def _levels(levels: Mapping[str, float], last: int) -> list[alt.Chart]:
    if not levels:
        return []
    table = rows(name=list(levels), loss=list(levels.values()), step=[last] * len(levels))
    base = alt.Chart(table)
    rule = base.mark_rule(color=FAINT, strokeDash=[2, 3]).encode(y="loss:Q")
    name = base.mark_text(align="right", dy=-7, dx=-4, fontSize=13, color=FAINT).encode(
        x="step:Q", y="loss:Q", text="name:N"
    )
    return [rule, name]


def _thinned(points: Points) -> Points:
    """At most MOST of them, the lowest and the highest of every stretch among them."""
    if len(points) <= MOST:
        return points
    width = -(-len(points) * 2 // MOST)
    kept: list[tuple[int, float]] = []
    for start in range(0, len(points), width):
        stretch = [p for p in points[start : start + width] if math.isfinite(p[1])]
        kept += sorted({min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}) if stretch else []
    return kept


def _explodes(losses: Sequence[float]) -> bool:
    finite = [loss for loss in losses if math.isfinite(loss)] or [1.0]
    return max(finite) > STEEP * max(finite[0], 0.1)


def _scale(losses: Sequence[float], levels: Sequence[float]) -> alt.Scale:
    """From 0 up; where a loss explodes, by powers of ten, so that the others are still seen."""
    finite = [loss for loss in losses if math.isfinite(loss)] or [1.0]
    top = 1.08 * max([*levels, *finite, 0.1])
    if _explodes(losses):
        return alt.Scale(type="log", domain=[max(1e-3, min(finite)) / 1.5, top], clamp=True, nice=False)
    return alt.Scale(domain=[0, top], clamp=True, nice=False)


def parts(names: Sequence[str], megabytes: Sequence[float], budget: float, title: str, height: int = 230) -> AnyChart:
    """One bar a part, and the budget as a line through a bar of all of them."""
    order = list(range(len(names)))
    starts = [sum(megabytes[:i]) for i in order]
    ends = [sum(megabytes[: i + 1]) for i in order]
    base = alt.Chart(rows(at=order, name=names, mb=megabytes, start=starts, end=ends))
    top = 1.1 * max(ends[-1], budget)
    y = alt.Y("at:O", axis=None, sort=None)
    x = alt.X("start:Q", title=title, scale=alt.Scale(domain=[0, top], nice=False), axis=alt.Axis(tickCount=6))
    bar = base.mark_bar(color=PLAIN).encode(y=y, x=x, x2="end:Q", tooltip=["name:N", alt.Tooltip("mb:Q", format=".1f")])
    name = base.mark_text(align="left", dx=6, fontSize=14, color=FAINT).encode(y=y, x="end:Q", text="name:N")
    over = alt.Chart(rows(budget=[budget])).mark_rule(color=CHOSEN, strokeWidth=3).encode(x="budget:Q")
    return alt.layer(bar, name, over).properties(height=height)
