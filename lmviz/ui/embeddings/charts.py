"""Maps of vectors: plain data in, Altair out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
from numpy.typing import NDArray

from lmviz.ui.charts import CHOSEN, FAINT, PLAIN, AnyChart, rows

CROWD = 120  # points; with more of them, only those that stand out have a name


def plane(
    points: NDArray[Any],
    names: Sequence[str],
    roles: Sequence[str],
    order: Sequence[str],
    axes: Sequence[str],
    height: int = 400,
) -> AnyChart:
    """Points [n, 2] by their names; the first two roles of `order` stand out, by size too."""
    space = alt.Scale(zero=False, nice=False, padding=26)
    base = alt.Chart(rows(name=names, role=roles, x=points[:, 0].tolist(), y=points[:, 1].tolist())).encode(
        x=alt.X("x:Q", title=axes[0], scale=space, axis=alt.Axis(tickCount=5)),
        y=alt.Y("y:Q", title=axes[1], scale=space, axis=alt.Axis(tickCount=5)),
        color=alt.Color("role:N", scale=alt.Scale(domain=list(order), range=[CHOSEN, PLAIN, FAINT][-len(order) :])),
        tooltip=[alt.Tooltip("name:N", title=" ")],
    )
    dots = base.mark_point(filled=True, opacity=0.5, size=30 if len(names) > CROWD else 50)
    layers = [dots]
    for role, dy in zip(order[:-1], (-14, 18), strict=False):  # the chosen one above its point, what is near it below
        of_role = base.transform_filter(f"datum.role == {json.dumps(role)}")
        layers.append(of_role.mark_text(font="monospace", fontSize=19, fontWeight="bold", dy=dy).encode(text="name:N"))
    if len(names) <= CROWD:
        others = base.transform_filter(f"datum.role == {json.dumps(order[-1])}")
        size = 15 if len(names) < 40 else 13
        layers.append(others.mark_text(font="monospace", fontSize=size, dy=-11).encode(text="name:N"))
    return alt.layer(*layers).properties(height=height)


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
