"""The curves of the runs on the chart, of which only what is new is read from the store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st

from lmviz.errors import UserError
from lmviz.services.services import Services
from lmviz.train.store.run_table import Run
from lmviz.train.store.series import Series, jump_of, means, thinned
from lmviz.ui import shell, state
from lmviz.ui.charts import for_room
from lmviz.ui.text import Translator
from lmviz.ui.training import charts
from lmviz.ui.training.view import TrainingView

POINTS = 160  # of one curve, that leave the server
MEASURED_POINTS = 60
SMALL_POINTS, SMALL_HEIGHT = 80, 190
HEIGHT = 420
MEANS = 75  # of a noisy curve, over the whole run
WRITTEN = {"uniform": "end", "unigram": "under", "bigram": "end", "floor": "over"}  # where its line has its label
HIGH, FAR = 2.0, 8.0  # times the loss that is expected at most: worth a sentence; too far for a plain axis
LABEL = 20  # pixels that a label of a line needs for itself
LOWEST = 270  # pixels of a chart between its edges, on the smallest window
HEADROOM = 1.16  # above the highest of what the chart must show


def loss(services: Services, view: TrainingView, run: Run) -> None:
    """Training and held-out loss of the run, and of those beside it, with what counting alone would reach."""
    t = view.t
    shown = [run, *_others(services, view)]
    names = _names(shown)
    table: dict[str, list[Any]] = {"step": [], "nats": [], "run": [], "kind": [], "label": []}
    steps = max(one.steps for one in shown)
    for one in shown:
        for metric, kind, n_points in (("loss", "train", POINTS), ("held_out_loss", "held_out", MEASURED_POINTS)):
            found = series(services, one, metric, n_points)
            kind = "raw" if kind == "train" and is_noisy(one) else kind
            _add(table, found.steps.tolist(), found.numbers.tolist(), names[one.id], kind)
        if is_noisy(one):
            found = mean_loss(services, one)
            _add(table, found.steps.tolist(), found.numbers.tolist(), names[one.id], "mean")
    highest = [table["nats"][0]] if table["nats"] else []
    counted: dict[str, float] = run.facts.get("baselines", {})
    log = is_log(services, view, run)
    expected = [value for value in (*highest, *counted.values()) if math.isfinite(value)]
    nats = _domain([*table["nats"], *counted.values()], expected, log)
    labelled = _apart(counted, nats, log)
    for name, line in counted.items():
        label = t(f"train.baseline.{name}", nats=t.number(line, 2)) if name in labelled else ""
        _add(table, [0, steps], [line, line], names[run.id], "counted")
        _add(table, [steps if WRITTEN[name] == "end" else steps // 2], [line], names[run.id], WRITTEN[name], label)
    kinds = tuple(kind for kind in charts.DASHES if kind in table["kind"])
    spec = _loss_spec(t, tuple(names.values()), kinds, steps, nats, log, not run.is_active, width_of(run))
    frame = "loss_chart_beside" if view.tab == "compare" else "loss_chart_frame"
    with st.container(key=frame, height=HEIGHT, border=False):  # as high as the window leaves room for
        st.vega_lite_chart(table_of(table), for_room(spec), width="stretch", height="stretch", key="loss_chart")


def _domain(nats: list[float], expected: list[float], log: bool) -> tuple[float, float]:
    """The lowest and the highest loss of the axis: room for what is expected of a training, and for what came."""
    finite = [value for value in nats if math.isfinite(value)]
    top = HEADROOM * max(expected, default=1.0)
    highest = max(finite, default=0.0)
    if highest > top:
        top = _above(highest)
    return (_below(min((value for value in finite if value > 0), default=1.0)) if log else 0.0), top


def _apart(lines: Mapping[str, float], nats: tuple[float, float], log: bool) -> set[str]:
    """The lines whose labels lie neither over each other nor over another line; the higher ones come first."""
    low, high = map(math.log, nats) if log else nats
    heights = {
        name: LOWEST * ((math.log(max(line, nats[0])) if log else line) - low) / (high - low)
        for name, line in sorted(lines.items(), key=lambda named: -named[1])
    }
    kept: dict[str, float] = {}
    for name, height in heights.items():
        at = height + (LABEL if WRITTEN[name] in ("end", "over") else -LABEL) / 2
        others = [other for one, other in heights.items() if one != name and other != height]
        is_free = all(abs(at - other) >= LABEL / 2 for other in others) and at >= LABEL / 2
        if is_free and all(abs(at - other) >= LABEL for other in kept.values()):
            kept[name] = at
    return set(kept)


def is_log(services: Services, view: TrainingView, run: Run) -> bool:
    """Whether the axis is logarithmic: as chosen, or because the loss went far above where it began."""
    if view.log is not None:
        return view.log
    numbers = series(services, run, "loss", POINTS).numbers
    finite = numbers[np.isfinite(numbers)]
    return bool(len(finite)) and float(finite.max()) > FAR * _expected(run, finite)


def _expected(run: Run, numbers: Any) -> float:
    """The highest loss that a training has without a fault: that of the first step, or of guessing."""
    guessing: float = run.facts.get("baselines", {}).get("uniform", 0.0)
    return max(float(numbers[0]), guessing)


def jump(services: Services, view: TrainingView, run: Run) -> None:
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
    tips: bool,
    width: int,
) -> dict[str, Any]:
    """A chart is put together once: that takes a hundred times longer than to fill it anew."""
    words = {name: t(f"train.chart.{name}") for name in ("step", "nats", "run", "train", "held_out")}
    words["mean"] = t("train.chart.mean", n=width)
    return charts.loss_chart(words, runs, kinds, steps, nats, log, HEIGHT, t, tips)


@lru_cache(maxsize=64)
def _small_spec(t: Translator, lines: tuple[str, ...], steps: int, log: bool) -> dict[str, Any]:
    words = {name: t(f"train.chart.{name}") for name in ("step", "line", "number")}
    return charts.small_chart(words, lines, steps, log, SMALL_HEIGHT, t)


def _add(
    table: dict[str, list[Any]], steps: list[int], nats: list[float], run: str, kind: str, label: str = ""
) -> None:
    table["step"] += steps
    table["nats"] += nats
    table["run"] += [run] * len(steps)
    table["kind"] += [kind] * len(steps)
    table["label"] += [label] * len(steps)


def _others(services: Services, view: TrainingView) -> Iterator[Run]:
    for name in view.beside:
        try:
            if name != view.run:
                yield services.models.runs.get(name)
        except UserError:
            continue  # deleted meanwhile


def _names(runs: list[Run]) -> dict[str, str]:
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


def _small(services: Services, run: Run, title: str, metrics: list[str], t: Translator) -> None:
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
    spec = _small_spec(t, tuple(lines), run.steps, log)
    st.vega_lite_chart(table_of(table), for_room(spec), width="stretch", key=f"curve {title}")


def series(services: Services, run: Run, metric: str, n_points: int) -> Series:
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


def is_in_batches(run: Run) -> bool:
    """Whether a step reads only some of the windows."""
    n_windows: int = run.facts.get("n_windows", 0)
    return 0 < run.recipe.training.batch_size < n_windows


def is_noisy(run: Run) -> bool:
    """Whether each step reads other texts, so that its loss says little about the next one's."""
    return run.recipe.training.batch_size > 0 and width_of(run) > 1


def width_of(run: Run) -> int:
    """Steps to the mean of which a noisy curve is drawn."""
    return run.steps // MEANS


def mean_loss(services: Services, run: Run) -> Series:
    """The mean loss of every so many steps; again, only what is new leaves the store."""
    kept: dict[Any, tuple[int, Series]] = state.remember("train.means", {})
    segment, known = kept.get(run.id, (-1, None))
    if known is None or segment != run.segment:
        known = Series(np.empty(0, np.int64), np.empty(0), 0)
    raw = services.models.runs.series(run.id, "loss", 10**9, after=int(known.steps[-1]) if len(known) else 0)
    new = means(raw.steps, raw.numbers, width_of(run))
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
