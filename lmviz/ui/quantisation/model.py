"""A whole model in each format: its size, its loss, its logits and what it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.ui import state
from lmviz.ui.charts import show
from lmviz.ui.quantisation import charts, schemes
from lmviz.ui.quantisation.view import FORMATS, TEXT_LIMIT, View
from lmviz.ui.text import integer, number, text, visible

if TYPE_CHECKING:
    from lmviz.benches.quantising import Outcome
    from lmviz.workbench import Workbench


def section(bench: Workbench, view: View) -> None:
    lang = view.lang
    st.markdown(text(lang, "quantisation.model.say"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        schemes.choose(view)
    with st.spinner(text(lang, "quantisation.measuring")):
        outcomes = [bench.quantising.outcome(view.model, view.scheme_of(name), view.text) for name in FORMATS]
    chosen = outcomes[FORMATS.index(view.format)]
    _sentence(chosen, view)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _table(outcomes, view)
        _measured_on(bench, view)
    with right:
        show(
            charts.sizes(
                [name.upper() for name in FORMATS],
                [outcome.n_bytes for outcome in outcomes],
                [outcome.effect.loss_after for outcome in outcomes],
                view.format.upper(),
                text(lang, "quantisation.size"),
                text(lang, "quantisation.loss"),
            )
        )
    _texts(bench, chosen, view)


def _sentence(chosen: Outcome, view: View) -> None:
    """What the chosen format cost, in one line."""
    lang, found = view.lang, chosen.effect
    n_before = chosen.quantised.n_bytes_before
    st.markdown(
        text(
            lang,
            "quantisation.cost",
            format=view.format.upper(),
            share=number(lang, 100 * chosen.quantised.n_bytes / n_before, 1),
            before=number(lang, found.loss_before, 4),
            after=number(lang, found.loss_after, 4),
            cost=("+" if found.cost >= 0 else "") + number(lang, found.cost, 4),
        )
    )


def _table(outcomes: list[Outcome], view: View) -> None:
    lang = view.lang
    columns = {
        text(lang, "quantisation.format"): [name.upper() for name in FORMATS],
        text(lang, "quantisation.size"): [integer(lang, one.n_bytes) for one in outcomes],
        text(lang, "quantisation.formula_size"): [integer(lang, one.quantised.n_bytes) for one in outcomes],
        text(lang, "quantisation.loss"): [number(lang, one.effect.loss_after, 4) for one in outcomes],
        text(lang, "quantisation.change"): [number(lang, one.effect.mean_change, 4) for one in outcomes],
        text(lang, "quantisation.same"): [f"{number(lang, 100 * one.effect.same_choice, 1)} %" for one in outcomes],
    }
    st.table(columns, hide_index=True)


def _measured_on(bench: Workbench, view: View) -> None:
    lang, found = view.lang, bench.quantising.measured(view.model, view.text)
    kind = "own" if found.own else "held_out" if found.held_out else "trained"
    st.caption(text(lang, f"quantisation.measured.{kind}", n=integer(lang, found.windows.n_targets)))
    with st.popover(text(lang, "quantisation.own_text"), icon=":material/edit_note:"):
        st.text_area(text(lang, "quantisation.own_text.help"), max_chars=TEXT_LIMIT, height=200, **state.bound("text"))


def _texts(bench: Workbench, chosen: Outcome, view: View) -> None:
    """The same prompt, the same random numbers: what each model writes."""
    lang = view.lang
    prompt = bench.first_prompt(view.model) if view.prompt is None else view.prompt
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            text(lang, "quantisation.prompt"),
            max_chars=TEXT_LIMIT,
            width=260,
            **state.bound("prompt", prompt),
        )
        st.slider(text(lang, "quantisation.temperature"), 0.0, 2.0, step=0.1, width=170, **state.bound("temperature"))
        st.number_input(text(lang, "quantisation.seed"), 0, 9999, width=120, **state.bound("seed"))
    before, after = (
        bench.quantising.texts(checkpoint, prompt, view.seed, view.temperature)
        for checkpoint in (chosen.before, chosen.quantised.checkpoint)
    )
    rows = {
        "FP32": [f"`{visible(one)}`" for one in before],
        view.format.upper() if view.format != "fp32" else "FP32 ": [
            f"`{visible(b)}`" + ("" if a == b else " ≠") for a, b in zip(before, after, strict=True)
        ],
    }
    st.table(rows, hide_index=True)
