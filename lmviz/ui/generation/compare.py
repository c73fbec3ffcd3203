"""Several ways to choose, side by side on one prompt: the likeliest, by chance, a search, and settings set aside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from lmviz.generate.side_by_side import Outcome
from lmviz.model.checkpoint import Checkpoint
from lmviz.services.services import Services
from lmviz.ui import replay, state
from lmviz.ui.generation.several import measures, notes_below, texts
from lmviz.ui.generation.view import KEPT, MOST_KEPT, GenerationView, Kept


def compare(services: Services, view: GenerationView) -> None:
    """One column per way."""
    checkpoint = services.generation.writer(view.model, view.weights)
    _keep(view)
    ways = [("greedy", view), ("sample", view), *((f"kept.{i}", _restored(view, k)) for i, k in enumerate(view.kept))]
    ways.append(("beam", view))
    first = view.first(checkpoint)
    asked = [(checkpoint, first, way.settings(checkpoint, _strategy(name))) for name, way in ways]
    live = services.generation.outcomes(asked)
    replay.with_progress(live, view.t, "ways", lambda found: _columns(checkpoint, view, ways, found[-1]()))
    notes_below(view, services, "sample")


def _strategy(name: str) -> str:
    return name if name in ("greedy", "beam") else "sample"


def _columns(
    checkpoint: Checkpoint, view: GenerationView, ways: list[tuple[str, GenerationView]], outcomes: tuple[Outcome, ...]
) -> None:
    columns = st.columns(len(ways), gap="medium")
    for (name, way), column, outcome in zip(ways, columns, outcomes, strict=False):
        with column:
            _column(checkpoint, view, way, name, outcome)


def _column(checkpoint: Checkpoint, view: GenerationView, way: GenerationView, name: str, outcome: Outcome) -> None:
    strategy = _strategy(name)
    st.markdown(f"## {view.t(f'generation.compare.{strategy}')}")
    st.caption(_described(way, strategy))
    texts(view, checkpoint, outcome, f"generation.compare.{name}")
    measures(view, outcome.diversity, f"generation.compare_measures.{name}", brief=True)
    if name.startswith("kept."):
        at = int(name.removeprefix("kept."))
        st.button(
            view.t("generation.compare.drop"),
            key=f"generation.drop.{at}",
            icon=":material/close:",
            on_click=_drop,
            args=(view.kept[at],),
        )


def _keep(view: GenerationView) -> None:
    st.button(
        view.t("generation.compare.keep"),
        key="generation.keep",
        icon=":material/push_pin:",
        disabled=_settings(view) in view.kept or len(view.kept) >= MOST_KEPT,
        help=view.t("generation.compare.keep_help"),
        on_click=_keep_settings,
    )


def _settings(view: GenerationView) -> Kept:
    return tuple(getattr(view, name) for name in KEPT)


def _keep_settings() -> None:
    view = state.view(GenerationView)
    if _settings(view) not in view.kept:
        state.go(kept=(*view.kept, _settings(view)))


def _drop(kept: Kept) -> None:
    state.go(kept=tuple(one for one in state.view(GenerationView).kept if one != kept))


def _restored(view: GenerationView, kept: Kept) -> GenerationView:
    settings: dict[str, Any] = dict(zip(KEPT, kept, strict=True))
    return replace(view, **settings)


def _described(way: GenerationView, strategy: str) -> str:
    """The settings that decide, in a few words."""
    names: tuple[str, ...] = ("beams", "reward") if strategy == "beam" else () if strategy == "greedy" else KEPT
    standard = GenerationView()
    shown = [
        name
        for name in names
        if name in ("temperature", "beams", "seed") or getattr(way, name) != getattr(standard, name)
    ]
    figures = (f"{way.t(f'generation.{name}')} {_figure(way, name)}" for name in shown)
    return " · ".join(figures) or way.t("generation.compare.nothing")


def _figure(way: GenerationView, name: str) -> str:
    value = getattr(way, name)
    return str(value) if isinstance(value, int) else way.t.number(value)
