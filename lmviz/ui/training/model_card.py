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
from lmviz.ui import drawn, state, widgets
from lmviz.ui.choices import one_of, with_runs
from lmviz.ui.text import Language, integer, number, text
from lmviz.ui.training import words
from lmviz.ui.training.charts import SERIES
from lmviz.ui.training.pictures_types import Sizes
from lmviz.ui.training.planned import bound
from lmviz.ui.training.view import View

SIZES = {
    "d_model": (4, 8, 16, 32, 64, 128, 256),
    "n_layers": (1, 2, 3, 4, 6, 8),
    "d_mlp": (8, 16, 32, 64, 128, 256, 512, 1024),
    "n_heads": (1, 2, 4, 8),
    "n_ctx": (4, 8, 10, 16, 32, 64, 128),
}
RUNS_LISTED = 20  # of the trainings, the latest


def choices(services: Services, view: View, recipe: Recipe) -> None:
    """Architecture, start and sizes. A model to start from brings its sizes with it."""
    lang, fixed = view.lang, bool(view.start)
    widgets.segmented_control(
        text(lang, "train.model.architecture"),
        list(ARCHITECTURES),
        format_func=lambda name: text(lang, f"train.model.{name}"),
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


def _size(view: View, recipe: Recipe, name: str) -> None:
    widgets.select_slider(
        text(view.lang, f"train.model.{name}"),
        options(recipe, name),
        disabled=bool(view.start),
        help=f"`{name}` – " + text(view.lang, f"train.model.{name}.help"),
        **bound(recipe, f"model.{name}"),
    )


def count(plan: Plan, view: View) -> None:
    """The number of parameters and what they are for, now and for every place of every slider: the browser follows a
    slider while it is dragged."""
    shown: Sizes = {
        "names": [text(view.lang, f"train.part.{part.name}") for part in plan.parts],
        "colours": [SERIES[i % len(SERIES)] for i in range(len(plan.parts))],
        "parts": shapes(plan.config),
        "options": {
            name: [shapes(with_size(plan.config, name, size)) for size in options(plan.recipe, name)] for name in SIZES
        },
    }
    drawn.show("training/sizes", shown, view.lang, key="sizes")
    st.caption(_beside(plan, view.lang))


def _beside(plan: Plan, lang: Language) -> str:
    """How many times larger GPT-2 and ChatGPT are."""
    small, large = (_short(lang, one.n_parameters / plan.n_parameters) for one in COMPARED)
    return text(lang, "train.model.beside", small=small, large=large)


def with_size(config: Config, name: str, size: int) -> Config:
    """The same model of another size. How many heads share its width changes no count."""
    changes: dict[str, Any] = {name: size, "n_heads": 1}
    return replace(config, **changes)


def shapes(config: Config) -> list[list[int]]:
    """For each part, how many tensors it has and the shape of them."""
    return [[part.times, *part.shape] for part in parts(config)]


def more(services: Services, plan: Plan, view: View) -> None:
    """Every part with its count, memory, well-known models, and where the numbers start."""
    lang, recipe = view.lang, plan.recipe
    with st.expander(text(lang, "train.model.more"), on_change="rerun", key="model_more") as shown:
        if not shown.open:
            return
        memory = plan.memory
        st.caption(
            text(
                lang,
                "train.model.memory",
                total=_megabytes(lang, memory.total),
                activations=_megabytes(lang, memory.activations),
            )
        )
        known(plan, lang)
        _size(view, recipe, "n_ctx")
        _start(services, view)


def known(plan: Plan, lang: Language) -> None:
    """The model beside some that people have heard of."""
    lines = "".join(
        f'<tr title="{words.escaped(one.source)}"><td>{words.escaped(one.name)} ({one.year})</td>'
        f'<td class="n">{"≈ " if one.is_estimate else ""}{_short(lang, one.n_parameters)}</td>'
        f'<td class="n">× {_short(lang, one.n_parameters / plan.n_parameters)}</td></tr>'
        for one in KNOWN_MODELS
    )
    st.caption(text(lang, "train.model.known"))
    st.html(f'<table class="lt-parts">{lines}</table>')


def _start(services: Services, view: View) -> None:
    """Random numbers, a sample model, or the last checkpoint of a run."""
    lang = view.lang
    names = {"": text(lang, "train.model.from_scratch"), **with_runs(services, lang, RUNS_LISTED)}
    one_of(
        text(lang, "train.model.start"),
        names,
        str(view.start or ""),
        state.bound("start"),
        help=text(lang, "train.model.start_help"),
    )


def _short(lang: Language, count: float) -> str:
    """A large count in words: 124 million."""
    for unit, size in (("billion", 1e9), ("million", 1e6)):
        if count >= size:
            n = number(lang, count / size, 0) if count >= 10 * size else number(lang, count / size, 1)
            return text(lang, f"train.count.{unit}", number=n)
    return integer(lang, round(count))


def _megabytes(lang: Language, n_bytes: int) -> str:
    return number(lang, n_bytes / MEGABYTE, 1 if n_bytes >= MEGABYTE else 2)
