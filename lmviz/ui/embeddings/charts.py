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
    standing_out = f"datum.role != {json.dumps(order[-1])}"
    large = base.transform_filter(standing_out).mark_text(font="monospace", fontSize=20, fontWeight="bold", dy=-13)
    layers = [dots, large.encode(text="name:N")]
    if len(names) <= CROWD:
        small = base.transform_filter(f"!({standing_out})").mark_text(font="monospace", fontSize=15, dy=-11)
        layers.append(small.encode(text="name:N"))
    return alt.layer(*layers).properties(height=height)
