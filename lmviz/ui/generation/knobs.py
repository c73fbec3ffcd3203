"""The choices of the page: model, prompt, and every number that decides how the next token is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import state
from lmviz.ui.generation.view import EARLY, LONGEST, PROMPT_LIMIT, STRATEGIES, WEIGHTS, View
from lmviz.ui.text import text

if TYPE_CHECKING:
    from lmviz.workbench import Workbench

START: dict[str, Any] = {"n": 0, "at": -1, "text": 0, "token": None}  # a text that begins anew


def model_and_prompt(bench: Workbench, view: View) -> None:
    models = bench.models()
    st.selectbox(
        text(view.lang, "top.model"),
        models if view.model in models else [*models, view.model],
        label_visibility="collapsed",
        width=150,
        **state.bound("model", prompt=None, stop=None, **START),
    )
    st.selectbox(
        text(view.lang, "generation.weights"),
        WEIGHTS,
        format_func=lambda which: text(view.lang, f"generation.weights.{which}"),
        label_visibility="collapsed",
        help=text(view.lang, "generation.weights_help"),
        width=150,
        **state.bound("weights", **START),
    )
    try:
        first = view.first(bench.checkpoint(view.model))
    except UserError:
        first = view.prompt or ""
    st.session_state["generation.prompt"] = first
    st.text_input(
        text(view.lang, "top.prompt"),
        key="generation.prompt",
        label_visibility="collapsed",
        placeholder=text(view.lang, "top.prompt_placeholder"),
        max_chars=PROMPT_LIMIT,
        on_change=lambda: state.go(prompt=st.session_state["generation.prompt"], **START),
    )


def knobs(view: View) -> None:
    """One row: each number is a column of the table, or where the random numbers start."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="generation_knobs"):
        if view.way in ("one", "several"):
            st.segmented_control(
                text(view.lang, "generation.strategy"),
                STRATEGIES,
                format_func=lambda name: text(view.lang, f"generation.strategy.{name}"),
                required=True,
                **state.bound("strategy"),
            )
        greedy = view.way == "beam" or (view.way != "compare" and view.strategy == "greedy")
        if view.way in ("several", "compare"):
            _number(view, "texts", 1, 20, 1)
        if view.way in ("beam", "compare"):
            _number(view, "beams", 1, 8, 1)
            _number(view, "reward", -10.0, 10.0, 0.1)
        if view.way != "beam":
            _number(view, "temperature", 0.0, 1000.0, 0.1, disabled=greedy)
            _number(view, "top_k", 0, 2**31, 1, disabled=greedy)
            _number(view, "top_p", 0.0, 1.0, 0.05, disabled=greedy)
            _number(view, "min_p", 0.0, 1.0, 0.05, disabled=greedy)
        _number(view, "penalty", 0.01, 100.0, 0.1)
        _number(view, "ngram", 0, LONGEST, 1)
        _number(view, "length", 1, LONGEST, 1)
        if view.way != "beam":
            _number(view, "seed", 0, 2**32 - 1, 1, disabled=greedy)
        else:
            st.selectbox(
                text(view.lang, "generation.early"),
                EARLY,
                format_func=lambda name: text(view.lang, f"generation.early.{name}"),
                help=text(view.lang, "generation.early_help"),
                width=220,
                **state.bound("early"),
            )
        if view.way == "several":
            st.toggle(text(view.lang, "generation.both"), **state.bound("both"))


def _number(view: View, name: str, low: float, high: float, step: float, disabled: bool = False) -> None:
    st.number_input(
        text(view.lang, f"generation.{name}"),
        min_value=low,
        max_value=high,
        step=step,
        format=None if isinstance(step, int) else "%.2f",
        help=text(view.lang, f"generation.{name}_help"),
        disabled=disabled,
        width=112,
        **state.bound(name),
    )
