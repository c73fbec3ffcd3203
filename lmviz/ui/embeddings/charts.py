"""Maps of vectors: plain data in, Altair out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
from numpy.typing import NDArray

from lmviz.ui.charts import CHOSEN, FAINT, PLAIN, AnyChart, rows
from lmviz.ui.embeddings.labels import placed

MANY_POINTS = 120  # points; with more of them, each is smaller
WIDE, NARROW, BETWEEN = 560, 270, 420  # pixels of a map on a screen and on a phone, and where the one becomes the other
PADDING, AXIS = 26, 60  # pixels inside the map, and of what stands around it, downwards


def plane(
    points: NDArray[Any],
    names: Sequence[str],
    roles: Sequence[str],
    order: Sequence[str],
    axes: Sequence[str],
    height: int = 400,
) -> AnyChart:
    """Points [n, 2] by their names; the first two roles of `order` stand out, by size too. Names lie beside each other:
    on a narrow screen there are fewer."""
    ranks = sorted(range(len(names)), key=lambda i: order.index(roles[i]))  # the important ones choose first
    sizes = dict(zip(order, (19, 19, 15 if len(names) < 40 else 13), strict=False))
    table: dict[str, list[Any]] = {
        "name": [names[i] for i in ranks],
        "role": [roles[i] for i in ranks],
        "x": points[ranks, 0].tolist(),
        "y": points[ranks, 1].tolist(),
        "size": [sizes[roles[i]] for i in ranks],
    }
    for screen, width in (("wide", WIDE), ("narrow", NARROW)):
        found = placed(points[ranks], table["name"], table["size"], width, height - AXIS, PADDING)
        table[f"{screen}_dx"] = [None if place is None else place[0] for place in found]
        table[f"{screen}_dy"] = [None if place is None else place[1] for place in found]
    space = alt.Scale(zero=False, nice=False, padding=PADDING)
    base = alt.Chart(rows(**table)).encode(
        x=alt.X("x:Q", title=axes[0], scale=space, axis=alt.Axis(tickCount=5)),
        y=alt.Y("y:Q", title=axes[1], scale=space, axis=alt.Axis(tickCount=5)),
        color=alt.Color("role:N", scale=alt.Scale(domain=list(order), range=[CHOSEN, PLAIN, FAINT][-len(order) :])),
        tooltip=[alt.Tooltip("name:N", title=" ")],
    )
    dots = base.mark_point(filled=True, opacity=0.5, size=30 if len(names) > MANY_POINTS else 50)
    return alt.layer(dots, *_names_beside(base)).properties(height=height)


def _names_beside(base: Any) -> list[Any]:
    """The names beside their points, for a wide screen and for a narrow one."""
    return [
        base.transform_filter(f"width / room {sign} {BETWEEN} && datum.{screen}_dx !== null")
        .mark_text(
            font="monospace",
            fontSize=alt.expr("datum.size"),
            fontWeight=alt.expr("datum.size > 15 ? 'bold' : 'normal'"),
            dx=alt.expr(f"datum.{screen}_dx"),
            dy=alt.expr(f"datum.{screen}_dy"),
            baseline="middle",
        )
        .encode(text="name:N")
        for screen, sign in (("wide", ">="), ("narrow", "<"))
    ]


def ways(places: NDArray[Any], names: Sequence[str], height: int = 270) -> AnyChart:
    """The way of every point over time, [step, point, 2]: a line from where it began, its name where it is."""
    n_steps, n_points = places.shape[:2]
    at = [(step, point) for point in range(n_points) for step in range(n_steps)]
    table = rows(
        name=[names[point] for _, point in at],
        step=[step for step, _ in at],
        x=[float(places[step, point, 0]) for step, point in at],
        y=[float(places[step, point, 1]) for step, point in at],
    )
    space = alt.Scale(zero=False, nice=False, padding=22)
    base = alt.Chart(table).encode(
        x=alt.X("x:Q", title=None, scale=space, axis=alt.Axis(tickCount=4)),
        y=alt.Y("y:Q", title=None, scale=space, axis=alt.Axis(tickCount=4)),
    )
    line = base.mark_line(color=FAINT, opacity=0.7, strokeWidth=1.5).encode(detail="name:N", order="step:Q")
    begun = base.transform_filter("datum.step == 0").mark_point(color=FAINT, size=40)
    now = base.transform_filter(f"datum.step == {n_steps - 1}")
    dot = now.mark_point(filled=True, color=PLAIN, size=60, opacity=1)
    name = now.mark_text(font="monospace", fontSize=17, fontWeight="bold", dy=-12, color=PLAIN).encode(text="name:N")
    return alt.layer(line, begun, dot, name).properties(height=height)
