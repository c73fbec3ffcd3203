"""Where the names of points go so that none lies over another: those that find no place are left to the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LETTER = 0.62  # of a letter's height: its width, in a typeface of one width
WAYS = ((0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1))  # right and down, from the point
GAP = 7  # pixels between a point and its name
WIDE, NARROW, BETWEEN = 560, 270, 420  # pixels of a map on a screen and on a phone, and where the one becomes the other
PADDING, AXIS, LEGEND = 26, 60, 69  # pixels inside the map, and of what stands below and above it

Place = tuple[float, float]  # from the point to the middle of its name, in pixels


def places(
    points: NDArray[Any],
    names: Sequence[str],
    sizes: Sequence[float],
    height: float,
    ends: NDArray[Any] | None = None,
    has_legend: bool = False,
) -> dict[str, list[float | None]]:
    """Where each name goes, on a wide screen (`wide_dx`, `wide_dy`) and on a narrow one: columns of a table.

    Args:
        height: of the chart in pixels, its axis and its legend included.
        ends: [2, 2]; the lowest and the highest point of the map; of the points, if None.
    """
    table: dict[str, list[float | None]] = {}
    height -= AXIS + LEGEND * has_legend
    for screen, width in (("wide", WIDE), ("narrow", NARROW)):
        found = placed(points, names, sizes, width, height, PADDING if ends is None else 0, ends)
        table[f"{screen}_dx"] = [None if place is None else place[0] for place in found]
        table[f"{screen}_dy"] = [None if place is None else place[1] for place in found]
    return table


def placed(
    points: NDArray[Any],
    names: Sequence[str],
    sizes: Sequence[float],
    width: float,
    height: float,
    padding: float,
    ends: NDArray[Any] | None = None,
) -> list[Place | None]:
    """For each name, in the order of their importance, the first place that is free; None if there is none.

    Args:
        points: [n, 2]; the map reaches from their smallest to their largest, each way, or from `ends` to `ends`.
        sizes: the height of a letter, in pixels.
        width, height: of the map in pixels, and padding inside it.
    """
    at = _pixels(points, width, height, padding, ends)
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in at.tolist()]
    found: list[Place | None] = []
    for i, (name, size) in enumerate(zip(names, sizes, strict=True)):
        half = LETTER * size * len(name) / 2, size / 2
        chosen = None
        for across, down in WAYS:
            dx, dy = across * (half[0] + GAP), down * (half[1] + GAP)
            x, y = at[i, 0] + dx, at[i, 1] + dy
            box = (x - half[0], y - half[1], x + half[0], y + half[1])
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height
            if inside and not any(_overlap(box, other) for j, other in enumerate(taken) if j != i):
                chosen = (dx, dy)
                taken.append(box)
                break
        found.append(chosen)
    return found


def _pixels(
    points: NDArray[Any], width: float, height: float, padding: float, ends: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    low, high = (points.min(axis=0), points.max(axis=0)) if ends is None else ends
    spread = np.where(high > low, high - low, 1.0)
    share = (points - low) / spread
    room = np.array([width - 2 * padding, height - 2 * padding])
    pixels: NDArray[np.float64] = padding + np.stack([share[:, 0], 1 - share[:, 1]], axis=1) * room
    return pixels


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
