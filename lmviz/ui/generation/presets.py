"""What the lesson and the guide do with a model, each a click away."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmviz.ui import state
from lmviz.ui.generation.knobs import START
from lmviz.ui.generation.view import View
from lmviz.ui.text import text

if TYPE_CHECKING:
    from lmviz.generate.presets import Preset

TOP = 5  # predictions that the guide inspects


def presets(view: View) -> None:
    """A button for each; it changes the whole view."""
    from lmviz.generate.presets import PRESETS

    with st.popover(text(view.lang, "generation.presets"), icon=":material/auto_stories:"):
        for group, first, last in (("lesson", 0, 3), ("guide", 3, len(PRESETS))):
            st.caption(text(view.lang, f"generation.presets.{group}"))
            for preset in PRESETS[first:last]:
                _button(view, preset.name, _place(preset))
            if group == "lesson":
                _button(view, "names_untrained", _place(PRESETS[1]) | {"both": True})


def _button(view: View, name: str, changes: dict[str, Any]) -> None:
    st.button(
        text(view.lang, f"generation.preset.{name}"),
        key=f"generation.preset.{name}",
        type="tertiary",
        on_click=lambda: state.go(**changes),
    )


def _place(preset: Preset) -> dict[str, Any]:
    """The view that shows a preset: its settings, all others as they stand."""
    settings, standard = preset.settings, asdict(View())
    kept = ("temperature", "top_k", "top_p", "min_p", "seed")
    changes = {name: getattr(settings, name) for name in kept}
    changes |= {"penalty": settings.repetition_penalty, "ngram": settings.no_repeat_ngram}
    changes |= {"model": preset.model, "prompt": preset.prompt, "strategy": settings.strategy, "weights": "trained"}
    changes |= {"length": settings.max_new_tokens, "stop": preset.stop or None, "both": False}
    changes |= {"way": "several" if settings.n_sequences > 1 else "one", "texts": settings.n_sequences}
    if settings.n_sequences == 1:
        changes |= {"texts": standard["texts"]}
    inspects = preset.name == "inspect_prediction"
    changes |= START | {"top": TOP if inspects else 0, "shown": "shares" if inspects else "scores"}
    return changes | ({"n": 1} if not inspects and settings.n_sequences == 1 else {})
