"""What the lesson and the guide do with a model, each a click away."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lmviz.generate.presets import PRESETS, Preset
from lmviz.registry.folder import Folder
from lmviz.services.services import Services
from lmviz.ui import state, widgets
from lmviz.ui.generation.knobs import START
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.text import Translator, visible

PROMPT = "prompt "
UNTRAINED = "names_untrained"
TOP = 5  # predictions that the guide inspects


def presets(services: Services, view: GenerationView) -> None:
    """A list to choose from: other beginnings for this model, and what changes the whole view."""
    t = view.t
    prompts = services.models.checkpoint(view.model).card.prompts
    places = {f"{PROMPT}{prompt}": START | {"prompt": prompt} for prompt in prompts}
    places |= {preset.name: _place(preset) for preset in PRESETS}
    places[UNTRAINED] = places[PRESETS[1].name] | {"both": True}
    key = "generation.preset"
    st.session_state[key] = None

    def chosen() -> None:
        if name := st.session_state[key]:
            state.go(**places[name])

    widgets.selectbox(
        t("generation.presets"),
        list(places),
        key=key,
        format_func=lambda name: _label(t, name),
        placeholder=t("generation.presets"),
        label_visibility="collapsed",
        width=330,
        on_change=chosen,
    )


def _label(t: Translator, name: str) -> str:
    if name.startswith(PROMPT):
        return t("generation.preset.prompt", prompt=visible(name.removeprefix(PROMPT)))
    return t(f"generation.preset.{name}")


def _place(preset: Preset) -> dict[str, Any]:
    """The view that shows a preset: its settings, all others as they stand."""
    settings = preset.settings
    kept = ("temperature", "top_k", "top_p", "min_p", "seed")
    changes = {name: getattr(settings, name) for name in kept}
    changes |= {"penalty": settings.repetition_penalty, "ngram": settings.no_repeat_ngram}
    changes |= {
        "model": Folder(preset.model),
        "prompt": preset.prompt,
        "strategy": settings.strategy,
        "weights": "trained",
    }
    changes |= {"length": settings.max_new_tokens, "stop": preset.stop or None, "both": False}
    changes |= {"way": "several" if settings.n_sequences > 1 else "one", "texts": settings.n_sequences}
    if settings.n_sequences == 1:
        changes |= {"texts": GenerationView().texts}
    inspects = preset.name == "inspect_prediction"
    changes |= START | {"top": TOP if inspects else 0, "shown": "shares" if inspects else "scores"}
    return changes | ({"n": 1} if not inspects and settings.n_sequences == 1 else {})
