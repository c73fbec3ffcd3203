"""The second part of a plan: how large the model is, and what its numbers are for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from lmviz.model.architecture import Config
from lmviz.model.architectures import ARCHITECTURES
from lmviz.model.files import MEGABYTE
from lmviz.services.services import Services
from lmviz.train.counts import COMPARED, KNOWN_MODELS, parts
from lmviz.train.plan import Plan
from lmviz.train.recipe import Recipe
from lmviz.ui import drawing, state, widgets
from lmviz.ui.choices import one_of, with_runs
from lmviz.ui.text import Translator
from lmviz.ui.training import words
from lmviz.ui.training.charts import SERIES
from lmviz.ui.training.pictures_types import Sizes
from lmviz.ui.training.planned import bound
from lmviz.ui.training.view import TrainingView

SIZES = {
    "d_model": (4, 8, 16, 32, 64, 128, 256),
    "n_layers": (1, 2, 3, 4, 6, 8),
    "d_mlp": (8, 16, 32, 64, 128, 256, 512, 1024),
    "n_heads": (1, 2, 4, 8),
    "n_ctx": (4, 8, 10, 16, 32, 64, 128),
}
RUNS_LISTED = 20  # of the trainings, the latest


def choices(services: Services, view: TrainingView, recipe: Recipe) -> None:
    """Architecture, start and sizes. A model to start from brings its sizes with it."""
    t, fixed = view.t, bool(view.start)
    widgets.segmented_control(
        t("train.model.architecture"),
        list(ARCHITECTURES),
        format_func=lambda name: t(f"train.model.{name}"),
        required=True,
        disabled=fixed,
        **bound(recipe, "model.architecture"),
    )
    left, right = st.columns(2)
    with left:
        _size(view, recipe, "d_model")
        _size(view, recipe, "n_layers")
    with right:
        _size(view, recipe, "d_mlp")
        _size(view, recipe, "n_heads")


def options(recipe: Recipe, name: str) -> list[int]:
    """What a size can be set to; what it is now is among them."""
    fits = [n for n in SIZES[name] if name != "n_heads" or recipe.model.d_model % n == 0]
    return sorted({*fits, getattr(recipe.model, name)})


def _size(view: TrainingView, recipe: Recipe, name: str) -> None:
    widgets.select_slider(
        view.t(f"train.model.{name}"),
        options(recipe, name),
        disabled=bool(view.start),
        help=f"`{name}` – " + view.t(f"train.model.{name}.help"),
        **bound(recipe, f"model.{name}"),
    )


def count(plan: Plan, view: TrainingView) -> None:
    """The number of parameters and what they are for, now and for every place of every slider: the browser follows a
    slider while it is dragged."""
    t = view.t
    shown: Sizes = {
        "names": [t(f"train.part.{part.name}") for part in plan.parts],
        "colours": [SERIES[i % len(SERIES)] for i in range(len(plan.parts))],
        "parts": shapes(plan.config),
        "options": {
            name: [shapes(with_size(plan.config, name, size)) for size in options(plan.recipe, name)] for name in SIZES
        },
    }
    drawing.show("training/sizes", shown, t, key="sizes")
    st.caption(_beside(plan, t))


def _beside(plan: Plan, t: Translator) -> str:
    """How many times larger GPT-2 and ChatGPT are."""
    small, large = (_short(t, one.n_parameters / plan.n_parameters) for one in COMPARED)
    return t("train.model.beside", small=small, large=large)


def with_size(config: Config, name: str, size: int) -> Config:
    """The same model of another size. How many heads share its width changes no count."""
    changes: dict[str, Any] = {name: size, "n_heads": 1}
    return replace(config, **changes)


def shapes(config: Config) -> list[list[int]]:
    """For each part, how many tensors it has and the shape of them."""
    return [[part.times, *part.shape] for part in parts(config)]


def more(services: Services, plan: Plan, view: TrainingView) -> None:
    """Every part with its count, memory, well-known models, and where the numbers start."""
    t, recipe = view.t, plan.recipe
    with st.expander(t("train.model.more"), on_change="rerun", key="model_more") as shown:
        if not shown.open:
            return
        memory = plan.memory
        st.caption(
            t(
                "train.model.memory",
                total=_megabytes(t, memory.total),
                activations=_megabytes(t, memory.activations),
            )
        )
        known(plan, t)
        _size(view, recipe, "n_ctx")
        _start(services, view)


def known(plan: Plan, t: Translator) -> None:
    """The model beside some that people have heard of."""
    lines = "".join(
        f'<tr title="{words.escaped(one.source)}"><td>{words.escaped(one.name)} ({one.year})</td>'
        f'<td class="n">{"≈ " if one.is_estimate else ""}{_short(t, one.n_parameters)}</td>'
        f'<td class="n">× {_short(t, one.n_parameters / plan.n_parameters)}</td></tr>'
        for one in KNOWN_MODELS
    )
    st.caption(t("train.model.known"))
    st.html(f'<table class="lt-parts">{lines}</table>')


def _start(services: Services, view: TrainingView) -> None:
    """Random numbers, a sample model, or the last checkpoint of a run."""
    t = view.t
    names = {"": t("train.model.from_scratch"), **with_runs(services, t, RUNS_LISTED)}
    one_of(
        t("train.model.start"),
        names,
        str(view.start or ""),
        state.bound("start"),
        help=t("train.model.start_help"),
    )


def _short(t: Translator, count: float) -> str:
    """A large count in words: 124 million."""
    for unit, size in (("billion", 1e9), ("million", 1e6)):
        if count >= size:
            n = t.number(count / size, 0) if count >= 10 * size else t.number(count / size, 1)
            return t(f"train.count.{unit}", number=n)
    return t.integer(round(count))


def _megabytes(t: Translator, n_bytes: int) -> str:
    return t.number(n_bytes / MEGABYTE, 1 if n_bytes >= MEGABYTE else 2)
