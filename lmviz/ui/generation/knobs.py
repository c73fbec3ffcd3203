"""The choices of the page: model, prompt, and every number that decides how the next token is chosen."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.notes import PROMPT_LIMIT
from lmviz.services.services import Services
from lmviz.ui import model_field, own_text, shell, state, widgets
from lmviz.ui.choices import one_of, with_runs
from lmviz.ui.generation.view import EARLY, LONGEST, STRATEGIES, WEIGHTS, GenerationView
from lmviz.ui.text import code, visible

START: dict[str, Any] = {"n": 0, "at": -1, "text": 0, "token": None}  # a text that begins anew
RUNS = 10  # of the trainings, the latest


def model_and_prompt(services: Services, view: GenerationView) -> None:
    """Which model, before or after its training, and the text that it writes on."""
    t = view.t
    names = with_runs(services, t, RUNS)
    bound = state.bound("model", only_if=model_field.opens(services), prompt=None, stop=None, **START)
    look = {"label_visibility": "collapsed", "width": 170, "accept_new_options": True}
    one_of(t("top.model"), names, str(view.model), bound, **look)
    widgets.selectbox(
        t("generation.weights"),
        WEIGHTS,
        format_func=lambda which: t(f"generation.weights.{which}"),
        label_visibility="collapsed",
        width=160,
        **state.bound("weights", **START),
    )
    try:
        first = view.first(services.models.checkpoint(view.model))
    except UserError:
        first = view.prompt or ""
    st.session_state["generation.prompt"] = first
    st.text_input(
        t("top.prompt"),
        key="generation.prompt",
        label_visibility="collapsed",
        placeholder=t("top.prompt_placeholder"),
        max_chars=PROMPT_LIMIT,
        on_change=lambda: _read(own_text.typed(services, GenerationView, "generation.prompt")),
    )


def _read(prompt: str) -> None:
    state.go(prompt=prompt, **START)


def hint(services: Services, view: GenerationView) -> None:
    """How a text for this model is written."""
    shown = view.prompt if view.prompt is not None else services.models.first_prompt(view.model)
    own_text.hint(services, view.t, view.model, shown, _read)


def knobs(view: GenerationView) -> None:
    """One row: each number is a column of the table, or where the random numbers start; the rarer ones in a popover."""
    t = view.t
    draws = view.way != "beam" and (view.way == "compare" or view.strategy == "sample")
    with st.container(horizontal=True, vertical_alignment="bottom", key="generation_knobs"):
        if view.way in ("one", "several"):
            widgets.segmented_control(
                t("generation.strategy"),
                STRATEGIES,
                format_func=lambda name: t(f"generation.strategy.{name}"),
                required=True,
                **state.bound("strategy"),
            )
        if view.way != "beam":
            _number(view, "temperature", 0.0, 1000.0, 0.1, not draws)
            _number(view, "top_k", 0, 2**31, 1, not draws)
            _number(view, "top_p", 0.0, 1.0, 0.05, not draws)
            _number(view, "min_p", 0.0, 1.0, 0.05, not draws)
            _number(view, "seed", 0, 2**32 - 1, 1, not draws)
        if view.way in ("beam", "compare"):
            _number(view, "beams", 1, 8, 1)
        if view.way in ("several", "compare"):
            _number(view, "texts", 1, 20, 1, not draws)
        if view.way == "one":
            st.toggle(t("generation.cache"), help=t("generation.cache_help"), **state.bound("cache"))
        with st.popover(t("generation.more"), icon=":material/tune:"):
            _rarer(view)


def _rarer(view: GenerationView) -> None:
    """What is changed less often."""
    t = view.t
    _number(view, "length", 1, LONGEST, 1)
    _number(view, "penalty", 0.01, 100.0, 0.1)
    _number(view, "ngram", 0, LONGEST, 1)
    st.session_state["generation.stop_token"] = view.stop
    st.text_input(
        t("generation.stop_token"),
        key="generation.stop_token",
        help=t("generation.stop_token_help"),
        placeholder=t("generation.stop_token_auto"),
        max_chars=60,
        on_change=lambda: state.go(stop=st.session_state["generation.stop_token"] or None, **START),
    )
    if view.way in ("beam", "compare"):
        _number(view, "reward", -10.0, 10.0, 0.1)
        widgets.selectbox(
            t("generation.early"),
            EARLY,
            format_func=lambda name: t(f"generation.early.{name}"),
            help=t("generation.early_help"),
            **state.bound("early"),
        )


def notes(services: Services, view: GenerationView) -> None:
    """What becomes of the prompt, and of a token that was to end texts and that the vocabulary lacks."""
    checkpoint = services.models.checkpoint(view.model)
    shell.notes(view.t, services.generation.notes(checkpoint, view.first(checkpoint)))
    with widgets.placeholder():
        if view.stop and checkpoint.tokenizer.id(view.stop) is None:
            shell.note(view.t("generation.stop_token_missing", token=code(visible(view.stop))))


def _number(view: GenerationView, name: str, low: float, high: float, step: float, disabled: bool = False) -> None:
    st.number_input(
        view.t(f"generation.{name}"),
        min_value=low,
        max_value=high,
        step=step,
        format=None if isinstance(step, int) else "%.2f",
        help=view.t(f"generation.{name}_help"),
        disabled=disabled,
        width=widgets.px(136),
        **state.bound(name),
    )
