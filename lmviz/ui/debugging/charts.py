"""Curves with the stretches that findings are about. Plain data in, Altair out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import altair as alt

from lmviz.ui.charts import CHOSEN, FAINT, PLAIN, SOLID, AnyChart, rows

Points = Sequence[tuple[int, float]]
DASHES = (SOLID, [6, 3], [2, 2])
MOST = 600  # points of a line
_STEEP = 20  # times its first: a loss that has exploded
AXES, LINE = 160, 20  # pixels: what axes and legend take of the height of a chart, and a line of text
_TALLEST = 480  # pixels of a chart whose levels are close together


def curves(
    lines: Mapping[str, Points],
    step: str,
    nats: str,
    levels: Mapping[str, float] | None = None,
    spans: Mapping[str, tuple[int, int]] | None = None,
    height: int = 300,
) -> AnyChart:
    """Losses over steps.

    Args:
        lines: by their names, at most three, told apart by colour and dash.
        levels: horizontal lines with a name.
        spans: from and to, by their letters, tinted.
        height: in pixels, at least: of levels close together each name needs room below the next line.
    """
    names = list(lines)
    losses = [loss for points in lines.values() for _, loss in points]
    points = [(name, at, loss) for name, found in lines.items() for at, loss in _thinned(found) if math.isfinite(loss)]
    last = max((found[-1][0] for found in lines.values() if found), default=1)
    table = rows(line=[p[0] for p in points], step=[p[1] for p in points], loss=[p[2] for p in points])
    x = alt.X("step:Q", title=step, scale=alt.Scale(domain=[0, last], nice=False), axis=alt.Axis(tickCount=8))
    height = max(height, _needed(levels or {}, losses))
    names_at = {} if _explodes(losses) else _apart(levels or {}, losses, height - AXES)
    y = alt.Y(
        "loss:Q",
        title=nats,
        scale=_scale(losses, list(names_at.values())),
        axis=alt.Axis(tickCount=5, format=",~g", labelOverlap=True, grid=not names_at),
    )
    tips = [
        alt.Tooltip("line:N", title=" "),
        alt.Tooltip("step:Q", title=step),
        alt.Tooltip("loss:Q", title=nats, format=".5~g"),
    ]
    lines_of = alt.Chart(table).mark_line(strokeWidth=2.6, clip=True)
    curve = lines_of.encode(x=x, y=y, tooltip=tips, **_colour_and_dash(names))
    layers = [*_spans(spans or {}, last), *_levels(levels or {}, names_at, last), curve]
    return alt.layer(*layers).properties(height=height)


def _colour_and_dash(names: list[str]) -> dict[str, Any]:
    colours, dashes = [CHOSEN, PLAIN, FAINT][: len(names)], list(DASHES[: len(names)])
    return {
        "color": alt.Color("line:N", scale=alt.Scale(domain=names, range=colours)),
        "strokeDash": alt.StrokeDash("line:N", scale=alt.Scale(domain=names, range=dashes)),
    }


def _spans(spans: Mapping[str, tuple[int, int]], last: int) -> list[alt.Chart]:
    """A tint for each; where there are several, a bar as long as it with its letter, each lower than the one before."""
    wide = max(1, last // 150)
    found: list[alt.Chart] = []
    for i, (letter, (low, high)) in enumerate(spans.items()):
        start = max(0, min(low - wide / 2, last - wide))
        base = alt.Chart(rows(start=[start], end=[max(high, start + wide)], letter=[letter])).encode(x="start:Q")
        found.append(base.mark_rect(opacity=0.13, color=CHOSEN, clip=True).encode(x2="end:Q"))
        if letter:
            row, at_end = alt.value(LINE * (i + 0.5)), start > 0.9 * last
            letters = base.mark_text(
                align="right" if at_end else "left",
                dx=-4 if at_end else 4,
                dy=8,
                fontSize=14,
                fontWeight="bold",
                color=FAINT,
            )
            bar = base.mark_rule(color=FAINT, strokeWidth=2, clip=True)
            found += [bar.encode(x2="end:Q", y=row), letters.encode(y=row, text="letter:N")]
    return found


def _levels(levels: Mapping[str, float], names_at: Mapping[str, float], last: int) -> list[alt.Chart]:
    """Lines across, and their names just above them."""
    if not names_at:
        return []
    table = rows(name=list(names_at), loss=[levels[name] for name in names_at], at=list(names_at.values()))
    base = alt.Chart(table)
    rule = base.mark_rule(color=FAINT, strokeDash=[2, 3]).encode(y="loss:Q")
    name = base.mark_text(align="right", baseline="bottom", dx=-4, dy=-1, fontSize=13, color=FAINT).encode(
        x=alt.datum(last), y="at:Q", text="name:N"
    )
    return [rule, name]


def _top(levels: Mapping[str, float], losses: Sequence[float]) -> float:
    return max([loss for loss in (*losses, *levels.values()) if math.isfinite(loss)], default=1.0)


def _needed(levels: Mapping[str, float], losses: Sequence[float]) -> int:
    """The height at which no level strikes through the name of the one below it, as far as there is room."""
    if len(levels) < 2 or _explodes(losses):
        return 0
    between = sorted(levels.values())
    least = min(high - low for low, high in pairwise(between))
    needed = 1.08 * _top(levels, losses) * LINE / least if least > 0 else math.inf
    return int(min(_TALLEST, AXES + needed))


def _apart(levels: Mapping[str, float], losses: Sequence[float], height: int) -> dict[str, float]:
    """Where the names of lines stand, in nats, so that none lies over another: at their lines, or above what is there.

    Args:
        height: of the plot, in pixels.
    """
    top = _top(levels, losses)
    line, found, free = top * LINE / height, dict[str, float](), -math.inf
    for name in sorted(levels, key=lambda name: levels[name]):
        found[name] = max(levels[name], free)
        free = found[name] + line
    return found


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
    return max(finite) > _STEEP * max(finite[0], 0.1)


def _scale(losses: Sequence[float], levels: Sequence[float]) -> alt.Scale:
    """From 0 up, or from below, where there are such losses; by powers of ten where one explodes, so that the others
    are still seen."""
    finite = [loss for loss in losses if math.isfinite(loss)] or [1.0]
    low, top = min(finite), 1.08 * max([*levels, *finite, 0.0 if min(finite) < 0 else 0.1])
    if _explodes(losses) and low >= 0:
        return alt.Scale(type="log", domain=[max(1e-3, low) / 1.5, top], clamp=True, nice=False)
    return alt.Scale(
        type="symlog" if _explodes(losses) else "linear", domain=[min(0, 1.08 * low), top], clamp=True, nice=False
    )


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
