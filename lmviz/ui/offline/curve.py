"""The loss of a training as a plain SVG: its curves, and what counting alone would reach."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from lmviz.ui.text import Translator

Points = Sequence[tuple[int, float]]  # step, loss in nats
WIDTH, HEIGHT = 820, 354
LEFT, RIGHT, TOP, BOTTOM = 62, 20, 40, 46  # around the curves
_TICKS = 5
_NEAR = 17  # pixels that a line's words need for themselves
HEADROOM = 1.08


@dataclass(frozen=True)
class Scale:
    """From steps and nats to places in the picture."""

    last: int
    top: float

    def x(self, step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / max(1, self.last), 1)

    def y(self, nats: float) -> float:
        """What is above the picture lies on its edge."""
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(nats, self.top) / self.top), 1)


def curve(t: Translator, curves: Mapping[str, Points], lines: Mapping[str, float], steps: int) -> str:
    """The picture.

    Args:
        curves: "train" and "held_out", as far as they were measured.
        lines: what counting reaches, in nats, by its name: "uniform", "unigram" …
        steps: the last step of the axis.
    """
    numbers = [nats for points in curves.values() for _, nats in points if math.isfinite(nats)]
    if not numbers:
        return ""
    # one that has left the others far behind is cut off at the edge, so that these can be told apart
    expected = [
        *lines.values(),
        *(points[0][1] for points in curves.values() if points and math.isfinite(points[0][1])),
    ]
    scale = Scale(steps, HEADROOM * max([min(max(numbers), 2 * max(expected)), *expected]))
    parts = [*_axes(t, scale), *_lines(t, scale, lines)]
    for name, points in curves.items():
        places = " ".join(f"{scale.x(step)},{scale.y(nats)}" for step, nats in points if math.isfinite(nats))
        parts.append(f'<polyline class="{escape(name)}" points="{places}"/>')
    title = escape(t("train.chart.nats"))
    return f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{"".join(parts)}</svg>'


def _axes(t: Translator, scale: Scale) -> Iterator[str]:
    for i in range(_TICKS + 1):
        nats, step = scale.top * i / _TICKS, round(scale.last * i / _TICKS)
        y, x = scale.y(nats), scale.x(step)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="end" x="{LEFT - 8}" y="{y + 4}">{escape(t.number(nats, 2))}</text>'
        yield f'<text class="middle" x="{x}" y="{HEIGHT - BOTTOM + 18}">{escape(t.integer(step))}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="middle" x="{middle}" y="{HEIGHT - 8}">{escape(t("train.chart.step"))}</text>'
    yield f'<text x="4" y="18">{escape(t("train.chart.nats"))}</text>'


def _lines(t: Translator, scale: Scale, lines: Mapping[str, float]) -> Iterator[str]:
    """The higher ones have their words first; one that lies too near has none, and stands in the table."""
    written: list[float] = []
    for name, nats in sorted(lines.items(), key=lambda line: -line[1]):
        y = scale.y(nats)
        yield f'<line class="counted" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        if all(abs(y - other) >= _NEAR for other in written):
            words = escape(t(f"train.baseline.{name}", nats=t.number(nats, 2)))
            yield f'<text class="end" x="{WIDTH - RIGHT - 4}" y="{y - 4}">{words}</text>'
            written.append(y)
