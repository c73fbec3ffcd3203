"""The second part of a plan: how large the model is, and what its numbers are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.ui import state
from lmviz.ui.text import integer, number, text
from lmviz.ui.training import words
from lmviz.ui.training.charts import SERIES
from lmviz.ui.training.planned import bound
from lmviz.ui.training.view import View

if TYPE_CHECKING:
    from lmviz.train.plan import Plan
    from lmviz.train.recipe import Recipe
    from lmviz.workbench import Workbench

WIDTHS = [4, 8, 16, 32, 64, 128, 256]
HEADS = [1, 2, 4, 8]
HIDDEN = [8, 16, 32, 64, 128, 256, 512, 1024]
MEGABYTE = 10**6


def choices(bench: Workbench, view: View, recipe: Recipe) -> None:
    """Architecture, start and sizes. A model to start from brings its sizes with it."""
    lang, fixed = view.lang, bool(view.start)
    st.segmented_control(
        text(lang, "train.model.architecture"),
        ["mini_llm", "gpt2"],
        format_func=lambda name: text(lang, f"train.model.{name}"),
        required=True,
        disabled=fixed,
        **bound(recipe, "model.architecture"),
    )
    left, right = st.columns(2)
    with left:
        _size(view, recipe, "d_model", WIDTHS)
        _size(view, recipe, "n_layers", [1, 2, 3, 4, 6, 8])
    with right:
        _size(view, recipe, "d_mlp", HIDDEN)
        _size(view, recipe, "n_heads", [n for n in HEADS if recipe.model.d_model % n == 0])


def _size(view: View, recipe: Recipe, name: str, options: list[int]) -> None:
    value = getattr(recipe.model, name)
    st.select_slider(
        text(view.lang, f"train.model.{name}"),
        sorted({*options, value}),
        disabled=bool(view.start),
        help=f"`{name}` – " + text(view.lang, f"train.model.{name}.help"),
        **bound(recipe, f"model.{name}"),
    )


def count(plan: Plan, view: View) -> None:
    """The number of parameters, and a bar of what they are for."""
    lang = view.lang
    total = plan.n_parameters
    label = words.escaped(text(lang, "train.model.parameters"))
    bar = "".join(
        f'<i style="flex:{part.count};background:{SERIES[i % len(SERIES)]}" title="{words.escaped(part.name)}"></i>'
        for i, part in enumerate(plan.parts)
    )
    st.html(f'<div class="lt-big">{integer(lang, total)} <small>{label}</small></div><div class="lt-bar">{bar}</div>')


def more(bench: Workbench, plan: Plan, view: View) -> None:
    """Every part with its count, memory, well-known models, and where the numbers start."""
    lang, recipe = view.lang, plan.recipe
    with st.expander(text(lang, "train.model.more"), on_change="rerun", key="model_more") as shown:
        if not shown.open:
            return
        _parts(plan, lang)
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
        _size(view, recipe, "n_ctx", [4, 8, 10, 16, 32, 64, 128])
        _start(bench, view)


def _parts(plan: Plan, lang: str) -> None:
    lines = "".join(
        f'<tr><td><i style="background:{SERIES[i % len(SERIES)]}"></i>'
        f"{words.escaped(text(lang, 'train.part.' + part.name))}</td>"
        f'<td class="n">{_times(part.times)}{" × ".join(map(str, part.shape))}</td>'
        f'<td class="n"><b>{integer(lang, part.count)}</b></td></tr>'
        for i, part in enumerate(plan.parts)
    )
    st.html(f'<table class="lt-parts">{lines}</table>')


def _times(count: int) -> str:
    return f"{count} × " if count > 1 else ""


def known(plan: Plan, lang: str) -> None:
    """The model beside some that people have heard of."""
    from lmviz.train.counts import KNOWN_MODELS

    lines = "".join(
        f'<tr title="{words.escaped(one.source)}"><td>{words.escaped(one.name)} ({one.year})</td>'
        f'<td class="n">{_short(lang, one.n_parameters)}</td>'
        f'<td class="n">× {_short(lang, one.n_parameters / plan.n_parameters)}</td></tr>'
        for one in KNOWN_MODELS
    )
    st.caption(text(lang, "train.model.known"))
    st.html(f'<table class="lt-parts">{lines}</table>')


def _start(bench: Workbench, view: View) -> None:
    """Random numbers, a sample model, or the last checkpoint of a run."""
    from lmviz.benches.names import moment_name

    lang = view.lang
    names = {"": text(lang, "train.model.from_scratch"), **{name: name for name in bench.models()}}
    for run in bench.runs.all()[:20]:
        if stops := bench.runs.stops(run.id):
            step = stops[-1].step
            names[moment_name(run.id, step)] = text(
                lang, "train.model.from_run", name=run.name, step=integer(lang, step)
            )
    st.selectbox(
        text(lang, "train.model.start"),
        list(names) if view.start in names else [*names, view.start],
        format_func=lambda name: names.get(name, name),
        help=text(lang, "train.model.start_help"),
        **state.bound("start"),
    )


def _short(lang: str, count: float) -> str:
    """A large count in words: 124 million."""
    for unit, size in (("billion", 1e9), ("million", 1e6)):
        if count >= size:
            n = number(lang, count / size, 0) if count >= 10 * size else number(lang, count / size, 1)
            return text(lang, f"train.count.{unit}", number=n)
    return integer(lang, round(count))


def _megabytes(lang: str, n_bytes: int) -> str:
    return number(lang, n_bytes / MEGABYTE, 1 if n_bytes >= MEGABYTE else 2)
