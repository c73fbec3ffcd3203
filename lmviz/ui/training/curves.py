"""The curves of the runs on the chart, of which only what is new is read from the store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st

from lmviz.errors import UserError
from lmviz.services.services import Services
from lmviz.train.store.run_table import TrainingRun
from lmviz.train.store.series import Series, jump_of, means, thinned
from lmviz.ui import shell, state
from lmviz.ui.charts import at_window_scale
from lmviz.ui.text import Translator
from lmviz.ui.training import charts
from lmviz.ui.training.view import TrainingView

POINTS = 160  # of one curve, that leave the server
MEASURED_POINTS = 60
SMALL_POINTS, SMALL_HEIGHT = 80, 190
HEIGHT = 420
_MEANS = 75  # of a noisy curve, over the whole run
STEPS = 200  # from so many on, the axis of steps is logarithmic by itself: a run's story lies in its first steps
PLACES = ("end over", "end under", "start over", "start under")  # of the label of a line, the best first
WIDE = 0.5  # of the axis, that a label takes on the smallest window
HIGH, FAR = 2.0, 8.0  # times the loss that is expected at most: worth a sentence; too far for a plain axis
LABEL = 20  # pixels that a label of a line needs for itself
LOWEST = 270  # pixels of a chart between its edges, on the smallest window
HEADROOM = 1.16  # above the highest of what the chart must show


def loss(services: Services, view: TrainingView, run: TrainingRun) -> None:
    """Training and held-out loss of the run, and of those beside it, with what counting alone would reach."""
    t = view.t
    shown = [run, *_others(services, view)]
    names = _names(shown)
    table: dict[str, list[Any]] = {"step": [], "nats": [], "run": [], "kind": [], "label": []}
    steps = max(one.steps for one in shown)
    for one in shown:
        for metric, kind, n_points in (("loss", "train", POINTS), ("held_out_loss", "held_out", MEASURED_POINTS)):
            found = series(services, one, metric, n_points)
            kind = "raw" if kind == "train" and _is_noisy(one) else kind
            _add(table, found.steps.tolist(), found.numbers.tolist(), names[one.id], kind)
        if _is_noisy(one):
            found = mean_loss(services, one)
            _add(table, found.steps.tolist(), found.numbers.tolist(), names[one.id], "mean")
    highest = [table["nats"][0]] if table["nats"] else []
    counted: dict[str, float] = run.facts.get("baselines", {})
    log = is_log(services, view, run)
    expected = [value for value in (*highest, *counted.values()) if math.isfinite(value)]
    nats = _domain([*table["nats"], *counted.values()], expected, log)
    log_steps = is_log_steps(view, run)
    places = labelled(counted, zip(table["step"], table["nats"], strict=True), Plot(steps, nats, log, log_steps))
    for name, line in counted.items():
        _add(table, [0, steps], [line, line], names[run.id], "counted")
        if place := places.get(name):
            label = t(f"train.baseline.{name}", nats=t.number(line, 2))
            _add(table, [steps if place.startswith("end") else 0], [line], names[run.id], place, label)
    kinds = tuple(kind for kind in charts.DASHES if kind in table["kind"])
    spec = _loss_spec(t, tuple(names.values()), kinds, steps, nats, log, log_steps, not run.is_active, _width_of(run))
    frame = "loss_chart_beside" if view.tab == "compare" else "loss_chart_frame"
    with st.container(key=frame, height=HEIGHT, border=False):  # as high as the window leaves room for
        heard = t(f"saving.picture.{frame}")
        st.vega_lite_chart(
            table_of(table), at_window_scale(spec), width="stretch", height="stretch", key="loss_chart", alt=heard
        )


def _domain(nats: list[float], expected: list[float], log: bool) -> tuple[float, float]:
    """The lowest and the highest loss of the axis: room for what is expected of a training, and for what came."""
    finite = [value for value in nats if math.isfinite(value)]
    top = HEADROOM * max(expected, default=1.0)
    highest = max(finite, default=0.0)
    if highest > top:
        top = _above(highest)
    return (_below(min((value for value in finite if value > 0), default=1.0)) if log else 0.0), top


@dataclass(frozen=True)
class Plot:
    """Where steps and losses lie on the smallest chart: across from 0 to 1, and upwards in pixels."""

    steps: int
    nats: tuple[float, float]
    log: bool
    log_steps: bool

    def across(self, step: float) -> float:
        return math.log1p(step) / math.log1p(self.steps) if self.log_steps else step / self.steps

    def up(self, nats: float) -> float:
        low, high = map(math.log, self.nats) if self.log else self.nats
        return LOWEST * ((math.log(max(nats, self.nats[0])) if self.log else nats) - low) / (high - low)


def labelled(lines: Mapping[str, float], points: Iterable[tuple[float, float]], plot: Plot) -> dict[str, str]:
    """Where each line has its label, one of PLACES: where it strikes no other line, no other label and no curve.

    A line whose label has no such place has none; the higher ones come first.

    Args:
        points: of the curves, (step, nats).
    """
    curves = [(plot.across(step), plot.up(nats)) for step, nats in points if math.isfinite(nats)]
    heights = {name: plot.up(line) for name, line in sorted(lines.items(), key=lambda named: -named[1])}
    found: dict[str, str] = {}
    taken: list[tuple[str, float]] = []  # by labels: side and middle
    for name, height in heights.items():
        others = [other for other in heights.values() if other != height]
        for place in PLACES:
            side, _, where = place.partition(" ")
            at = height + (LABEL if where == "over" else -LABEL) / 2
            near = [up for x, up in curves if (x >= 1 - WIDE if side == "end" else x <= WIDE)]
            is_free = all(abs(at - up) >= LABEL / 2 for up in (*others, *near)) and at >= LABEL / 2
            if is_free and all(abs(at - middle) >= LABEL for one, middle in taken if one == side):
                found[name] = place
                taken.append((side, at))
                break
    return found


def is_log(services: Services, view: TrainingView, run: TrainingRun) -> bool:
    """Whether the axis is logarithmic: as chosen, or because the loss went far above where it began."""
    if view.log is not None:
        return view.log
    numbers = series(services, run, "loss", POINTS).numbers
    finite = numbers[np.isfinite(numbers)]
    return bool(len(finite)) and float(finite.max()) > FAR * _expected(run, finite)


def is_log_steps(view: TrainingView, run: TrainingRun) -> bool:
    """Whether the first steps get as much room as all the later ones: as chosen, or because there are many."""
    return view.log_steps if view.log_steps is not None else run.steps >= STEPS


def _expected(run: TrainingRun, numbers: Any) -> float:
    """The highest loss that a training has without a fault: that of the first step, or of guessing."""
    guessing: float = run.facts.get("baselines", {}).get("uniform", 0.0)
    return max(float(numbers[0]), guessing)


def jump(services: Services, view: TrainingView, run: TrainingRun) -> None:
    """At which step the loss left what it had reached, if it did."""
    t = view.t
    found = series(services, run, "loss", POINTS)
    if not len(found) or (found.numbers <= (limit := HIGH * _expected(run, found.numbers))).all():
        return
    whole = services.models.runs.series(run.id, "loss", 10**9)
    where = jump_of(whole.steps, whole.numbers, limit)
    if where is None:
        return
    shown = {"before": t.number(where.before, 3), "after": t.number(where.after, 3)}
    key = "train.jump.over" if where.is_over else "train.jump"
    shell.note(t(key, step=t.integer(where.step), **shown))


@lru_cache(maxsize=64)
def _loss_spec(
    t: Translator,
    runs: tuple[str, ...],
    kinds: tuple[str, ...],
    steps: int,
    nats: tuple[float, float],
    log: bool,
    log_steps: bool,
    tips: bool,
    width: int,
) -> dict[str, Any]:
    """A chart is put together once: that takes a hundred times longer than to fill it anew."""
    words = {name: t(f"train.chart.{name}") for name in ("nats", "run", "train", "held_out")}
    words |= {"step": t("train.chart.step.log" if log_steps else "train.chart.step")}
    words["mean"] = t("train.chart.mean", n=width)
    return charts.loss_chart(words, runs, kinds, steps, nats, log, log_steps, HEIGHT, t, tips)


@lru_cache(maxsize=64)
def _small_spec(t: Translator, lines: tuple[str, ...], steps: int, log: bool, log_steps: bool) -> dict[str, Any]:
    words = {name: t(f"train.chart.{name}") for name in ("step", "line", "number")}
    return charts.small_chart(words, lines, steps, log, log_steps, SMALL_HEIGHT, t)


def _add(
    table: dict[str, list[Any]], steps: list[int], nats: list[float], run: str, kind: str, label: str = ""
) -> None:
    table["step"] += steps
    table["nats"] += nats
    table["run"] += [run] * len(steps)
    table["kind"] += [kind] * len(steps)
    table["label"] += [label] * len(steps)


def _others(services: Services, view: TrainingView) -> Iterator[TrainingRun]:
    for name in view.beside:
        try:
            if name != view.run:
                yield services.models.runs.get(name)
        except UserError:
            continue  # deleted meanwhile


def _names(runs: list[TrainingRun]) -> dict[str, str]:
    """A different name for each run."""
    names: dict[str, str] = {}
    for run in runs:
        names[run.id] = run.name if run.name not in names.values() else f"{run.name} ({run.id[:4]})"
    return names


def _below(nats: float) -> float:
    """The next 1, 2 or 5 times a power of ten below: the axis of a falling curve changes rarely."""
    power: float = 10 ** math.floor(math.log10(nats))
    return max(step * power for step in (1, 2, 5) if step * power <= nats * 1.0001)


def _above(nats: float) -> float:
    """The next 1, 2 or 5 times a power of ten above."""
    power: float = 10 ** math.floor(math.log10(nats))
    return min(step * power for step in (1, 2, 5, 10) if step * power >= nats)


def all_curves(services: Services) -> None:
    """Everything else that is measured: small charts."""
    view = state.view(TrainingView)
    try:
        _all_curves(services, view)
    except UserError as error:
        st.error(view.t.error(error))


def _all_curves(services: Services, view: TrainingView) -> None:
    t, run = view.t, services.models.runs.get(view.run)
    measured = services.models.runs.metrics(run.id)
    groups = {
        "grad_norm": ["grad_norm"],
        "update_ratio": [name for name in measured if name.startswith("update_ratio/")],
        "accuracy": ["accuracy"],
        "learning_rate": ["learning_rate"],
        "tokens_per_second": ["tokens_per_second"],
    }
    columns = st.columns(2, gap="medium")
    for i, (title, metrics) in enumerate(groups.items()):
        with columns[i % 2]:
            st.markdown(f"**{t(f'train.curve.{title}')}**", help=t(f"train.curve.{title}.help"))
            _small(services, run, title, metrics, t)


def _small(services: Services, run: TrainingRun, title: str, metrics: list[str], t: Translator) -> None:
    table: dict[str, list[Any]] = {"step": [], "number": [], "line": []}
    lines, log = [], title in ("grad_norm", "update_ratio")
    for metric in metrics:
        found = series(services, run, metric, SMALL_POINTS)
        line = metric.partition("/")[2] or t(f"train.curve.{title}")
        lines.append(line)
        points = zip(found.steps.tolist(), found.numbers.tolist(), strict=True)
        shown = [(step, one) for step, one in points if math.isfinite(one) and (one > 0 or not log)]
        table["step"] += [step for step, _ in shown]
        table["number"] += [one for _, one in shown]
        table["line"] += [line] * len(shown)
    spec = _small_spec(t, tuple(lines), run.steps, log, is_log_steps(state.view(TrainingView), run))
    heard = t(f"train.curve.{title}")
    st.vega_lite_chart(table_of(table), at_window_scale(spec), width="stretch", key=f"curve {title}", alt=heard)


def series(services: Services, run: TrainingRun, metric: str, n_points: int) -> Series:
    """A metric as few points. What was read before is kept for the session: only new points leave the store."""
    kept: dict[Any, tuple[int, Series]] = state.remember("train.curves", {})
    key = (run.id, metric, n_points)
    segment, known = kept.get(key, (-1, None))
    if known is None or segment != run.segment or (len(known) and known.steps[-1] > run.step):
        found = services.models.runs.series(run.id, metric, 2 * n_points)
    else:
        after = int(known.steps[-1]) if len(known) else -1
        new = services.models.runs.series(run.id, metric, n_points, after=after)
        steps, numbers = np.concatenate([known.steps, new.steps]), np.concatenate([known.numbers, new.numbers])
        found = Series(steps, numbers, len(steps))
    if len(found) > 2 * n_points:
        found = thinned(found.steps, found.numbers, n_points)
    if len(kept) > 200:
        kept.clear()
    kept[key] = (run.segment, found)
    return found


def is_in_batches(run: TrainingRun) -> bool:
    """Whether a step reads only some of the windows."""
    n_windows: int = run.facts.get("n_windows", 0)
    return 0 < run.recipe.training.batch_size < n_windows


def _is_noisy(run: TrainingRun) -> bool:
    """Whether each step reads other texts, so that its loss says little about the next one's."""
    return run.recipe.training.batch_size > 0 and _width_of(run) > 1


def _width_of(run: TrainingRun) -> int:
    """Steps to the mean of which a noisy curve is drawn."""
    return run.steps // _MEANS


def mean_loss(services: Services, run: TrainingRun) -> Series:
    """The mean loss of every so many steps; again, only what is new leaves the store."""
    kept: dict[Any, tuple[int, Series]] = state.remember("train.means", {})
    segment, known = kept.get(run.id, (-1, None))
    if known is None or segment != run.segment:
        known = Series(np.empty(0, np.int64), np.empty(0), 0)
    raw = services.models.runs.series(run.id, "loss", 10**9, after=int(known.steps[-1]) if len(known) else 0)
    new = means(raw.steps, raw.numbers, _width_of(run))
    found = Series(
        np.concatenate([known.steps, new.steps]), np.concatenate([known.numbers, new.numbers]), raw.n_measured
    )
    if len(kept) > 50:
        kept.clear()
    kept[run.id] = (run.segment, found)
    return found


def table_of(table: dict[str, list[Any]]) -> Any:
    """The form in which Streamlit takes a table without looking at its cells one by one."""
    return pa.table(table)
