"""Time travel: the same text read by a run's model as it was after each of its checkpoints."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st

from lmviz.embed.pca import pca
from lmviz.errors import UserError
from lmviz.registry.recording import Recording, Request
from lmviz.registry.run import RunModel
from lmviz.services.services import Services
from lmviz.trace.step import Array
from lmviz.train.store.run_table import TrainingRun
from lmviz.ui import matrices, own_text, replay, shell, state, widgets
from lmviz.ui.charts import at_window_scale
from lmviz.ui.labels import places
from lmviz.ui.matrices import Matrix
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator, code, visible
from lmviz.ui.training import charts
from lmviz.ui.training.curves import table_of
from lmviz.ui.training.view import TrainingView

REDRAW_SECONDS = 0.8  # seconds that each time stays while it plays
TOKENS_SHOWN = 30  # bars of the predictions
_MAP_LIMIT = 400  # points of the map
HEIGHT = 260
NAME = 16  # pixels of a letter of a name on the map
PLAYING = "train.playing"


def time_travel(services: Services, view: TrainingView, run: TrainingRun) -> None:
    """The slider and what it moves."""
    if not services.models.runs.stops(run.id):
        st.caption(view.t("train.export.nothing"))
        return
    st.fragment(_next_time, run_every=replay.interval(PLAYING, REDRAW_SECONDS))(services)


def _next_time(services: Services) -> None:
    view = state.view(TrainingView)
    try:
        run = services.models.runs.get(view.run)
        steps = [stop.step for stop in services.models.runs.stops(run.id)]
        step = replay.next_place(PLAYING, steps, view.step if view.step in steps else steps[-1])
        if replay.interval(PLAYING, REDRAW_SECONDS):
            state.go(step=step)
            view = state.view(TrainingView)
        _controls(services, view, steps, step)
        prompt = view.prompt if view.prompt is not None else first_prompt(services, run)
        a = _read_at(services, run, step, prompt)
        b = _read_at(services, run, view.b_step, prompt) if view.b_step in steps and view.b_step != step else None
        _pictures(services, view, run, steps, a, b)
    except UserError as error:
        st.error(view.t.error(error))
    state.write()


def _controls(services: Services, view: TrainingView, steps: list[int], step: int) -> None:
    t, model = view.t, RunModel(view.run, step)
    known = own_text.known(services, model)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        replay.play_button(PLAYING, t("train.time.play"), t("train.time.pause"))
        st.session_state["time_step"] = step
        widgets.select_slider(
            t("train.time.step"),
            steps,
            key="time_step",
            format_func=lambda one: t.integer(one),
            on_change=lambda: state.go(step=st.session_state["time_step"]),
        )
        st.session_state["time_b"] = view.b_step if view.b_step in steps else -1
        widgets.selectbox(
            t("train.time.compare"),
            [-1, *steps],
            key="time_b",
            width=190,
            format_func=lambda one: t("train.time.alone") if one < 0 else t.integer(one),
            on_change=lambda: state.go(b_step=st.session_state["time_b"]),
        )
        st.session_state["time_prompt"] = (
            view.prompt if view.prompt is not None else first_prompt(services, _run(services, view))
        )
        st.text_input(
            t("train.time.prompt"),
            key="time_prompt",
            width=widgets.px(190),
            max_chars=200,
            on_change=lambda: state.go(prompt=known(st.session_state["time_prompt"])),
        )
    own_text.hint(services, t, model, st.session_state["time_prompt"], lambda text: state.go(prompt=text))


def _run(services: Services, view: TrainingView) -> TrainingRun:
    return services.models.runs.get(view.run)


def first_prompt(services: Services, run: TrainingRun) -> str:
    """The card's first prompt, or the beginning of the first text."""
    if run.recipe.card.prompts:
        return run.recipe.card.prompts[0]
    data = services.models.runs.recipe(run.id).data
    return data.around + data.texts[0][:8]


def _read_at(services: Services, run: TrainingRun, step: int, prompt: str) -> Recording:
    """The text, read by the model as it was after a step."""
    return services.models.record(Request(RunModel(run.id, step), prompt))


# -- the pictures ----------------------------------------------------------------------------------------------------


def _pictures(
    services: Services, view: TrainingView, run: TrainingRun, steps: list[int], a: Recording, b: Recording | None
) -> None:
    """Predictions and attention, embeddings and one weight, two by two."""
    left, right = st.columns(2, gap="medium")
    with left:
        predictions(services, view, run, steps, a, b)
    with right:
        attention(view, a, b)
    left, right = st.columns(2, gap="medium")
    with left:
        embeddings(services, view, run, steps, a, b)
    with right:
        weight(services, view, run, steps, a, b)
    place = StepThroughView(lang=view.lang, model=a.request.model, prompt=a.request.prompt)
    if b is not None:
        place = StepThroughView(lang=view.lang, model=a.request.model, prompt=a.request.prompt, b_model=b.request.model)
    shell.link(view.t("train.export.open"), place)


def predictions(
    services: Services, view: TrainingView, run: TrainingRun, steps: list[int], a: Recording, b: Recording | None
) -> None:
    """The probability of each next token; the same tokens in the same order at every time."""
    t = view.t
    prompt = visible(a.request.prompt)
    st.markdown(f"**{t('train.time.predictions', prompt=code(prompt))}**")
    last = _probs(_read_at(services, run, steps[-1], a.request.prompt))
    ids = sorted(np.argsort(-last, kind="stable")[:TOKENS_SHOWN].tolist())
    table: dict[str, list[Any]] = {"token": [], "p": [], "time": []}
    for one in (a, b):
        if one is not None:
            probs = _probs(one)
            table["token"] += [_distinct(one, i) for i in ids]
            table["p"] += [float(probs[i]) for i in ids]
            table["time"] += [_time(t, one)] * len(ids)
    times = tuple(dict.fromkeys(table["time"]))
    spec = _bar_spec(t, tuple(_distinct(a, i) for i in ids), times)
    heard = t("train.time.predictions", prompt=prompt)
    st.vega_lite_chart(table_of(table), at_window_scale(spec), width="stretch", key="time_predictions", alt=heard)


@lru_cache(maxsize=64)
def _bar_spec(t: Translator, tokens: tuple[str, ...], times: tuple[str, ...]) -> dict[str, Any]:
    words = {name: t(f"train.chart.{name}") for name in ("token", "p", "time")}
    return charts.bar_chart(words, tokens, times, HEIGHT, t)


@lru_cache(maxsize=64)
def _map_spec(t: Translator, domain: tuple[float, float, float, float], times: tuple[str, ...]) -> dict[str, Any]:
    words = {name: t(f"train.chart.{name}") for name in ("x", "y", "token", "time")}
    return charts.map_chart(words, domain, times, HEIGHT, t)


def _probs(run: Recording) -> Array:
    value = run.trace.value("readout.probs")
    assert value is not None
    found: Array = value.array[0, -1]
    return found


def _distinct(run: Recording, token: int) -> str:
    """A token's text, told apart from others that look the same."""
    return visible(run.piece(token))


def _time(t: Translator, run: Recording) -> str:
    return t("train.time.at", step=t.integer(_step_of(run)))


def attention(view: TrainingView, a: Recording, b: Recording | None) -> None:
    """One pattern: who reads whom."""
    t = view.t
    patterns = [step.address for step in a.trace if step.address.endswith(".pattern")]
    n_heads = a.checkpoint.config.n_heads
    names = [(address, head) for address in patterns for head in range(n_heads)]
    if not names:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{t('train.time.attention')}**", width="content")
        chosen = names[0]
        if len(names) > 1:
            chosen = names[
                widgets.selectbox(
                    t("train.time.head"),
                    range(len(names)),
                    key="time_head",
                    label_visibility="collapsed",
                    width=190,
                    format_func=lambda i: t("train.time.layer_head", layer=names[i][0].split(".")[1], head=names[i][1]),
                )
            ]
    address, head = chosen
    pieces = a.tokens.pieces
    grids = [_grid(one, address, head) for one in (a, b) if one is not None]
    if len(grids) == 1:
        shown = [Matrix(grids[0], "pattern", ("query", "key"), pieces, pieces, part="pattern", share=True, result=True)]
    else:
        axes, labels = ("query", "key"), (pieces, pieces)
        shown = matrices.three(grids, ("pattern",), axes, labels, part="pattern", apart=1.0, share=True)
    matrices.show(shown, t, key="time_attention", height=HEIGHT, together=True)


def _grid(run: Recording, address: str, head: int) -> Array:
    value = run.trace.value(address)
    assert value is not None
    found: Array = value.array[0, head]
    return found


def embeddings(
    services: Services, view: TrainingView, run: TrainingRun, steps: list[int], a: Recording, b: Recording | None
) -> None:
    """The token embeddings on a plane whose axes are those of the last checkpoint, at all times; of two times, both."""
    t = view.t
    st.markdown(f"**{t('train.time.embeddings')}**", help=t("train.time.embeddings_help"))
    last = _weight(services, run, steps[-1], "tok_embed.weight")[:_MAP_LIMIT]
    plane = pca(last)
    everywhere = np.concatenate(
        [plane.place(_weight(services, run, s, "tok_embed.weight")[:_MAP_LIMIT]) for s in steps]
    )
    room = 0.06 * (np.ptp(everywhere, axis=0) + 1e-9)
    (low_x, low_y), (high_x, high_y) = everywhere.min(axis=0) - room, everywhere.max(axis=0) + room
    table: dict[str, list[Any]] = {"x": [], "y": [], "token": [], "id": [], "time": []}
    for one in (a, b):
        if one is not None:
            points = plane.place(_weight(services, run, _step_of(one), "tok_embed.weight")[:_MAP_LIMIT])
            table["x"] += points[:, 0].tolist()
            table["y"] += points[:, 1].tolist()
            table["token"] += [visible(one.piece(i)) for i in range(len(points))]
            table["id"] += range(len(points))
            table["time"] += [_time(t, one)] * len(points)
    table["size"] = [NAME] * len(table["token"])
    at = np.stack([table["x"], table["y"]], axis=1)
    times = tuple(dict.fromkeys(table["time"]))
    ends = np.array([[low_x, low_y], [high_x, high_y]])
    table |= places(at, table["token"], table["size"], HEIGHT, ends, has_legend=len(times) > 1)
    spec = _map_spec(t, (float(low_x), float(high_x), float(low_y), float(high_y)), times)
    heard = t("train.time.embeddings")
    st.vega_lite_chart(table_of(table), at_window_scale(spec), width="stretch", key="time_map", alt=heard)


def weight(
    services: Services, view: TrainingView, run: TrainingRun, steps: list[int], a: Recording, b: Recording | None
) -> None:
    """One weight matrix, on a scale that stays the same over time."""
    t = view.t
    names = [name for name, tensor in a.checkpoint.model.named_parameters() if tensor.ndim == 2]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{t('train.time.weight')}**", width="content")
        name = widgets.selectbox(
            t("train.time.weight"), names, key="time_weight", label_visibility="collapsed", width=240
        )
    grids = [_weight(services, run, _step_of(one), name) for one in (a, b) if one is not None]
    ever = [_weight(services, run, step, name) for step in steps]
    peak = max(float(np.abs(one).max()) for one in ever)
    axes = ("id", "d_model") if name.startswith("tok_embed") else ("row", "col")
    rows = [a.piece(i) for i in range(len(grids[0]))] if name.startswith("tok_embed") else ()
    if len(grids) == 1:
        shown = [Matrix(grids[0], name, axes, rows, part="weight", peak=peak, result=True)]
    else:
        apart = max(float(np.abs(one - grids[1]).max()) for one in ever)
        shown = matrices.three(grids, (name,), axes, (rows, ()), part="weight", peak=peak, apart=apart)
    matrices.show(shown, t, key="time_matrix", height=HEIGHT, together=True)


def _weight(services: Services, run: TrainingRun, step: int, name: str) -> Array:
    found: Array = services.models.checkpoint(RunModel(run.id, step)).model.get_parameter(name).detach().numpy()
    return found


def _step_of(run: Recording) -> int:
    model = run.request.model
    assert isinstance(model, RunModel)
    return model.step
