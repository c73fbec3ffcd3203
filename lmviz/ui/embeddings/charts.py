"""Maps of vectors: plain data in, Altair out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from lmviz.ui.charts import CHOSEN, FAINT, PLAIN, AnyChart, names_beside, rows
from lmviz.ui.labels import PADDING, places

_MANY_POINTS = 120  # points; with more of them, each is smaller


def plane(
    points: NDArray[Any],
    names: Sequence[str],
    roles: Sequence[str],
    order: Sequence[str],
    axes: Sequence[str],
    height: int = 360,
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
    table |= places(points[ranks], table["name"], table["size"], height, has_legend=True)
    space = alt.Scale(zero=False, nice=False, padding=PADDING)
    base = alt.Chart(rows(**table)).encode(
        x=alt.X("x:Q", title=axes[0], scale=space, axis=alt.Axis(tickCount=5)),
        y=alt.Y("y:Q", title=axes[1], scale=space, axis=alt.Axis(tickCount=5)),
        color=alt.Color("role:N", scale=alt.Scale(domain=list(order), range=[CHOSEN, PLAIN, FAINT][-len(order) :])),
        tooltip=[alt.Tooltip("name:N", title=" ")],
    )
    dots = base.mark_point(filled=True, opacity=0.5, size=30 if len(names) > _MANY_POINTS else 50)
    return alt.layer(dots, *names_beside(base, "name:N")).properties(height=height)


def ways(walked: NDArray[Any], names: Sequence[str], height: int = 270) -> AnyChart:
    """The way of every point over time, [step, point, 2]: a line from where it began, its name where it is."""
    n_steps, n_points = walked.shape[:2]
    at = [(step, point) for point in range(n_points) for step in range(n_steps)]
    table = rows(
        name=[names[point] for _, point in at],
        step=[step for step, _ in at],
        x=[float(walked[step, point, 0]) for step, point in at],
        y=[float(walked[step, point, 1]) for step, point in at],
    )
    space = alt.Scale(zero=False, nice=False, padding=PADDING)
    base = alt.Chart(table).encode(
        x=alt.X("x:Q", title=None, scale=space, axis=alt.Axis(tickCount=4)),
        y=alt.Y("y:Q", title=None, scale=space, axis=alt.Axis(tickCount=4)),
    )
    line = base.mark_line(color=FAINT, opacity=0.7, strokeWidth=1.5).encode(detail="name:N", order="step:Q")
    begun = base.transform_filter("datum.step == 0").mark_point(color=FAINT, size=40)
    ends = np.stack([walked.min(axis=(0, 1)), walked.max(axis=(0, 1))])
    ends += np.array([[-1], [1]]) * PADDING / height * np.maximum(np.ptp(ends, axis=0), 1e-9)
    size = [17] * n_points
    named = rows(
        name=list(names),
        size=size,
        x=walked[-1, :, 0].tolist(),
        y=walked[-1, :, 1].tolist(),
        **places(walked[-1], list(names), size, height, ends),
    )
    now = base.properties(data=named).encode(color=alt.value(PLAIN))
    dot = now.mark_point(filled=True, size=60, opacity=1)
    return alt.layer(line, begun, dot, *names_beside(now, "name:N")).properties(height=height)
