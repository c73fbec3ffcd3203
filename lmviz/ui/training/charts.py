"""The curves of a run as charts: plain data in, a specification out.

The specification of a chart stays the same while a run goes on, and the data goes beside it: then the browser puts new
points into the picture that is there instead of drawing another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from lmviz.ui.charts import FONT, SOLID, localised, names_beside
from lmviz.ui.text import Translator

BLUE, ORANGE, GREEN, PURPLE, PINK, GREY = "#2f7ed8", "#e07b00", "#1b9e77", "#7b5ea7", "#d6478f", "#8a93a0"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, PINK, "#a6761d", "#17a2b8", "#666666")
DASHES: Mapping[str, list[int]] = {"train": SOLID, "raw": SOLID, "mean": SOLID, "held_out": [6, 3]}
_IS_CURVE = alt.FieldOneOfPredicate("kind", list(DASHES))
LABELS: Mapping[str, dict[str, Any]] = {  # of a horizontal line: over or under its first or its last part
    "start over": {"align": "left", "dx": 4, "baseline": "bottom", "dy": -3},
    "start under": {"align": "left", "dx": 4, "baseline": "top", "dy": 4},
    "end over": {"align": "right", "dx": -4, "baseline": "bottom", "dy": -3},
    "end under": {"align": "right", "dx": -4, "baseline": "top", "dy": 4},
}
LARGE = "datum.value < 1e6 ? format(datum.value, ',~g') : replace(format(datum.value, '.0e'), 'e+', 'e')"
FAINT = 0.3  # single steps, behind the mean of their neighbours


def loss_chart(
    words: Mapping[str, str],
    runs: Sequence[str],
    kinds: Sequence[str],
    steps: int,
    nats: tuple[float, float],
    log: bool,
    log_steps: bool,
    height: int,
    t: Translator,
    tips: bool,
) -> dict[str, Any]:
    """Loss over steps, with horizontal lines for what counting alone would reach.

    Draws a table of `step`, `nats`, `run`, `label` and `kind`: "train" (every step), "raw" (every step of a noisy run)
    and its "mean" (of several steps), "held_out"; "counted" (the ends of a horizontal line), and, one of LABELS,
    where its label is.

    Args:
        words: texts: step, nats, run, kind, train, mean, held_out.
        runs: the names, in the order of their colours.
        kinds: the curves that are there: "train", "raw", "mean", "held_out".
        nats: the lowest and the highest loss that the chart shows.
        log_steps: whether the first steps get as much room as all the later ones.
        tips: whether a point says its numbers; they cost a browser more than the curve does.
    """
    scale = alt.Scale(type="log" if log else "linear", domain=list(nats), nice=False)
    base = alt.Chart(alt.NamedData("points")).encode(
        x=alt.X("step:Q", title=words["step"], **_across(steps, log_steps, 8)),
        y=alt.Y("nats:Q", title=words["nats"], scale=scale, axis=alt.Axis(tickCount=6, labelExpr=LARGE, grid=False)),
    )
    of_kinds = _legend_of_kinds(words, kinds)
    colour = _colour(runs, of_kinds)
    layers = [_counted_lines(base), _curves(base, colour, of_kinds), _measured_points(base, colour)]
    if tips:
        layers.append(_tips(base, colour, words))
    return _plain(alt.layer(*layers, *_labels(base)).properties(height=height), t)


def _across(steps: int, log_steps: bool, ticks: int) -> dict[str, Any]:
    """The axis of the steps. Logarithmic it is one of 1 + step, so that step 0 is on it too."""
    if not log_steps:
        return {"scale": alt.Scale(domain=[0, steps], nice=False), "axis": alt.Axis(tickCount=ticks)}
    marks = [0, *(10**power for power in range(len(str(steps))))]
    scale = alt.Scale(type="symlog", constant=1, domain=[0, steps], nice=False)
    return {"scale": scale, "axis": alt.Axis(values=marks, format=",d", labelOverlap=True)}


def _legend_of_kinds(words: Mapping[str, str], kinds: Sequence[str]) -> alt.Legend | None:
    """None where there is one kind of curve only."""
    named = ", ".join(f"{kind}: {_js(words[kind])}" for kind in DASHES if kind in words)
    shown = [kind for kind in kinds if kind in words]
    if len(kinds) <= 1:
        return None
    return alt.Legend(title=None, orient="top", values=shown, labelExpr=f"({{{named}}})[datum.value]")


def _colour(runs: Sequence[str], of_kinds: alt.Legend | None) -> alt.Color:
    """By run; with one run the colour is free to tell training and validation apart."""
    if len(runs) == 1:
        scale = alt.Scale(domain=list(DASHES), range=[BLUE, BLUE, BLUE, ORANGE])
        return alt.Color("kind:N", scale=scale, legend=of_kinds)
    scale = alt.Scale(domain=list(runs), range=list(SERIES[: len(runs)]))
    return alt.Color("run:N", scale=scale, legend=alt.Legend(title=None, orient="top"))


def _curves(base: alt.Chart, colour: alt.Color, of_kinds: alt.Legend | None) -> Any:
    scale = alt.Scale(domain=list(DASHES), range=list(DASHES.values()))
    return (
        base.transform_filter(_IS_CURVE)
        .mark_line(clip=True, strokeWidth=1.8)
        .encode(
            color=colour,
            strokeDash=alt.StrokeDash("kind:N", scale=scale, legend=of_kinds),
            opacity=alt.condition("datum.kind == 'raw'", alt.value(FAINT), alt.value(1.0)),
            detail="run:N",
            order="step:Q",
        )
    )


def _measured_points(base: alt.Chart, colour: alt.Color) -> Any:
    """Held-out losses, and the first of the training, so that a curve of one point is seen."""
    return (
        base.transform_filter("datum.kind == 'held_out' || (datum.step == 1 && datum.kind == 'train')")
        .mark_point(clip=True, size=26, filled=True, opacity=1)
        .encode(color=colour)
    )


def _tips(base: alt.Chart, colour: alt.Color, words: Mapping[str, str]) -> Any:
    """Points that are not seen, and say their numbers."""
    tip = [
        alt.Tooltip("run:N", title=words["run"]),
        alt.Tooltip("step:Q", title=words["step"], format=",d"),
        alt.Tooltip("nats:Q", title=words["nats"], format=".4f"),
    ]
    dots = base.transform_filter(_IS_CURVE).mark_point(clip=True, size=90, opacity=0, filled=True)
    return dots.encode(color=colour, tooltip=tip)


def _counted_lines(base: alt.Chart) -> Any:
    lines = base.transform_filter(alt.datum.kind == "counted").encode(detail="nats:Q")
    return lines.mark_line(clip=True, strokeWidth=1.3, strokeDash=[2, 3], color=GREY)


def _labels(base: alt.Chart) -> list[alt.Chart]:
    """The names of the counted lines."""
    return [
        base.transform_filter(alt.datum.kind == place)
        .mark_text(fontSize=FONT, color=GREY, **look)
        .encode(text="label:N")
        for place, look in LABELS.items()
    ]


def small_chart(
    words: Mapping[str, str], lines: Sequence[str], steps: int, log: bool, log_steps: bool, height: int, t: Translator
) -> dict[str, Any]:
    """One measurement over steps, from a table of `step`, `number`, `line`. Several lines have a legend."""
    colour = alt.Color(
        "line:N",
        scale=alt.Scale(domain=list(lines), range=[SERIES[i % len(SERIES)] for i in range(len(lines))]),
        legend=alt.Legend(title=None, orient="right", labelLimit=140) if len(lines) > 1 else None,
    )
    chart = (
        alt.Chart(alt.NamedData("points"))
        .mark_line(strokeWidth=1.8, clip=True)
        .encode(
            x=alt.X("step:Q", title=None, **_across(steps, log_steps, 5)),
            y=alt.Y(
                "number:Q",
                title=None,
                scale=alt.Scale(type="log" if log else "linear", zero=not log),
                axis=alt.Axis(tickCount=4, format=",~r"),
            ),
            color=colour,
            tooltip=[
                alt.Tooltip("line:N", title=words["line"]),
                alt.Tooltip("step:Q", title=words["step"], format=",d"),
                alt.Tooltip("number:Q", title=words["number"], format=".4g"),
            ],
        )
        .properties(height=height)
    )
    return _plain(chart, t)


def bar_chart(
    words: Mapping[str, str], tokens: Sequence[str], times: Sequence[str], height: int, t: Translator
) -> dict[str, Any]:
    """Probabilities from 0 to 1, a bar a token, at one time or at two beside each other: a table of `token`, `p`,
    `time`."""
    chart = (
        alt.Chart(alt.NamedData("points"))
        .mark_bar()
        .encode(
            x=alt.X("token:N", title=None, sort=list(tokens), axis=alt.Axis(labelAngle=0)),
            y=alt.Y("p:Q", title=words["p"], scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)),
            xOffset=alt.XOffset("time:N", sort=list(times)),
            color=_times(times),
            tooltip=[
                alt.Tooltip("token:N", title=words["token"]),
                alt.Tooltip("p:Q", title=words["p"], format=".4f"),
                alt.Tooltip("time:N", title=words["time"]),
            ],
        )
        .properties(height=height)
    )
    return _plain(chart, t)


def map_chart(
    words: Mapping[str, str],
    domain: tuple[float, float, float, float],
    times: Sequence[str],
    height: int,
    t: Translator,
) -> dict[str, Any]:
    """Points with names on a plane whose axes stay where they are: a table of `x`, `y`, `token`, `id`, `time`, `size`,
    and the columns of `labels.places`. A name that has no place is left to the pointer.

    At two times a thin line joins the places of each point.
    """
    low_x, high_x, low_y, high_y = domain
    few = alt.Axis(tickCount=5)
    place = {
        "x": alt.X("x:Q", title=words["x"], scale=alt.Scale(domain=[low_x, high_x], nice=False), axis=few),
        "y": alt.Y("y:Q", title=words["y"], scale=alt.Scale(domain=[low_y, high_y], nice=False), axis=few),
    }
    base = alt.Chart(alt.NamedData("points"))
    ways = base.mark_line(strokeWidth=1, clip=True, color=GREY).encode(**place, detail="id:N")
    seen: Any = base.encode(**place, color=_times(times))  # type: ignore[arg-type]
    dots = seen.mark_point(filled=True, size=26, opacity=0.8, clip=True)
    tips = base.mark_point(size=200, opacity=0, filled=True, clip=True).encode(
        **place,
        tooltip=[
            alt.Tooltip("token:N", title=words["token"]),
            alt.Tooltip("time:N", title=words["time"]),
            alt.Tooltip("x:Q", title=words["x"], format=".3f"),
            alt.Tooltip("y:Q", title=words["y"], format=".3f"),
        ],
    )
    return _plain(alt.layer(ways, dots, *names_beside(seen, "token:N"), tips).properties(height=height), t)


def _times(times: Sequence[str]) -> Any:
    """A colour for each of one or two times; of one, the slider says which."""
    scale = alt.Scale(domain=list(times), range=list(SERIES[: len(times)]))
    legend = alt.Legend(title=None, orient="top") if len(times) > 1 else None
    return alt.Color("time:N", scale=scale, legend=legend)


def _plain(chart: Any, t: Translator) -> dict[str, Any]:
    """The specification without its data, which Streamlit puts beside it."""
    fonts = {"labelFontSize": FONT, "titleFontSize": FONT}
    spec: dict[str, Any] = chart.configure_axis(**fonts).configure_legend(**fonts).to_dict(validate=False)
    for layer in (spec, *spec.get("layer", ())):
        layer.pop("data", None)
        layer.pop("datasets", None)
    return localised(spec, t)


def _js(words: str) -> str:
    """A text as a string in Vega's own language."""
    return "'" + words.replace("\\", "\\\\").replace("'", "\\'") + "'"
