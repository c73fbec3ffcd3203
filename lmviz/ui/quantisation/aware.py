"""Quantisation-aware training, live, against rounding afterwards at the same size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.ui import replay, state, worked
from lmviz.ui.charts import show
from lmviz.ui.quantisation import charts, measuring, schemes
from lmviz.ui.quantisation.view import INTEGERS, View
from lmviz.ui.text import integer, number, text, visible

if TYPE_CHECKING:
    from lmviz.benches.live import Live
    from lmviz.benches.quantising import AwareStep, Outcome
    from lmviz.workbench import Workbench

RATES = (0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01)


def section(bench: Workbench, view: View) -> None:
    lang = view.lang
    st.markdown(text(lang, "quantisation.aware.say"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        schemes.choose(view, INTEGERS, keep=False, trains=False)
        st.slider(text(lang, "quantisation.steps"), 20, 300, step=20, width=150, **state.bound("steps", trains=False))
        st.select_slider(
            text(lang, "quantisation.rate"),
            RATES,
            format_func=lambda rate: number(lang, rate, 4).rstrip("0"),
            width=150,
            **state.bound("rate", min(RATES, key=lambda rate: abs(rate - view.rate)), trains=False),
        )
        st.button(
            text(lang, "quantisation.train"),
            type="primary",
            icon=":material/play_arrow:",
            disabled=view.trains,
            on_click=lambda: state.go(trains=True),
        )
    scheme = view.scheme_of(view.format if view.format in INTEGERS else INTEGERS[0])
    with st.spinner(text(lang, "quantisation.measuring")):
        rounded = bench.quantising.outcome(view.model, scheme, view.text)
    if view.trains:
        live = bench.quantising.aware(view.model, scheme, view.steps, view.rate, view.seed, view.text)
        replay.watched(live, view.lang, "aware", lambda: _drawn(bench, live, rounded))
    else:
        _before(rounded, view)
        _compared(bench, [("PTQ", rounded)], view)
    measuring.on(bench, view)


def _before(rounded: Outcome, view: View) -> None:
    cost = measuring.signed(view.lang, rounded.effect.cost)
    st.markdown(text(view.lang, "quantisation.aware.before", format=rounded.scheme.format.upper(), cost=cost))


def _drawn(bench: Workbench, live: Live[AwareStep], rounded: Outcome) -> None:
    view = state.view(View)
    kinds, found = [("PTQ", rounded)], live.look()
    if found[-1].finished is None:
        st.progress(live.progress, text(view.lang, "replay.at", step=integer(view.lang, found[-1].step)))
    else:
        trained = bench.quantising.aware_outcome(view.model, found[-1], rounded.scheme, view.text)
        kinds.append(("QAT", trained))
        _after(rounded, trained, view)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _curve(found, rounded, view)
    with right:
        _compared(bench, kinds, view)


def _after(rounded: Outcome, trained: Outcome, view: View) -> None:
    st.markdown(
        text(
            view.lang,
            "quantisation.aware.after",
            format=rounded.scheme.format.upper(),
            n=integer(view.lang, view.steps),
            before=measuring.signed(view.lang, rounded.effect.cost),
            after=measuring.signed(view.lang, trained.effect.cost),
        )
    )


def _curve(found: tuple[AwareStep, ...], rounded: Outcome, view: View) -> None:
    """The loss of the rounded model on the way, between that of rounding afterwards and that of FP32."""
    lang = view.lang
    measured = [(one.step, one.measured) for one in found if one.measured is not None]
    steps, losses = zip(*measured, strict=True)
    lines = [
        (text(lang, "quantisation.line.ptq", format=rounded.scheme.format.upper()), rounded.effect.loss_after),
        (text(lang, "quantisation.line.fp32"), rounded.effect.loss_before),
    ]
    drawn = charts.training(
        steps, losses, lines, view.steps, text(lang, "replay.step"), text(lang, "quantisation.loss")
    )
    show(drawn, lang, alt=text(lang, "quantisation.aware.alt"))


def _compared(bench: Workbench, kinds: list[tuple[str, Outcome]], view: View) -> None:
    """FP32 and what became of it: size, loss, and what it writes."""
    lang, first = view.lang, kinds[0][1]
    rows = [("FP32", first.n_bytes_before, first.effect.loss_before, 0.0, 1.0, first.before)]
    rows += [
        (
            f"{name} {one.scheme.format.upper()}",
            one.n_bytes,
            one.effect.loss_after,
            one.effect.cost,
            one.effect.same_choice,
            one.quantised.checkpoint,
        )
        for name, one in kinds
    ]
    prompt = bench.first_prompt(view.model) if view.prompt is None else view.prompt
    shown = [
        (
            name,
            integer(lang, n_bytes),
            number(lang, loss, 4),
            measuring.signed(lang, cost),
            f"{number(lang, 100 * same, 1)} %",
            " · ".join(
                visible(one)
                for one in bench.quantising.texts(view.model, checkpoint, prompt, view.seed, view.temperature)[:3]
            ),
        )
        for name, n_bytes, loss, cost, same, checkpoint in rows
    ]
    columns = ("which", "bytes", "loss", "costs", "same", "writes")
    worked.table([text(lang, f"quantisation.{column}") for column in columns], shown, len(shown) - 1)
