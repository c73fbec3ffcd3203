"""Activations in 8 bits too: their ranges, measured on a calibration text, and what that costs."""

from __future__ import annotations

import streamlit as st

from lmviz.services.quantisation import Calibrated
from lmviz.services.services import Services
from lmviz.train.effect import Effect
from lmviz.ui import arithmetic_html, state, widgets
from lmviz.ui.charts import show
from lmviz.ui.quantisation import charts, measuring, schemes
from lmviz.ui.quantisation.view import INTEGERS, TEXT_LIMIT, QuantisationView

_CODES = 2**8  # of what goes into a layer, in eight bits


def section(services: Services, view: QuantisationView) -> None:
    t = view.t
    st.markdown(t("quantisation.calibration.say"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        widgets.slider(
            t,
            t("quantisation.outer"),
            0.05,
            1.0,
            step=0.05,
            width=190,
            help=t("quantisation.outer.help"),
            **state.bound("outer"),
        )
        with st.popover(t("quantisation.calibration.text"), icon=":material/edit_note:"):
            st.text_area(
                t("quantisation.calibration.help"),
                max_chars=TEXT_LIMIT,
                height=widgets.px(200),
                **state.bound("calibration"),
            )
        schemes.choose(view, INTEGERS, keep=False)
    schemes.note(view)
    if measuring.missing(services, view):
        return
    scheme = view.scheme_of(_format(view))
    with st.spinner(t("quantisation.measuring")):
        found = services.quantisation.calibrated(view.model, scheme, view.calibration, view.outer, view.text)
        weights = services.quantisation.outcome(view.model, scheme, view.text)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        st.markdown(t("quantisation.ranges", n=found.n_texts, layers=len(found.ranges)))
        _ranges(found, view)
    with right:
        _costs(found, weights.effect, view)
        measuring.on(services, view)


def _format(view: QuantisationView) -> str:
    return view.format if view.format in INTEGERS else INTEGERS[0]


def _ranges(found: Calibrated, view: QuantisationView) -> None:
    t = view.t
    names, lows, highs = zip(*((name, one.low, one.high) for name, one in found.ranges.items()), strict=True)
    show(
        charts.ranges(names, lows, highs, view.outer, t("quantisation.activation")),
        t,
        "quantisation.ranges",
        alt=t("quantisation.ranges.alt"),
    )
    widest = max(found.ranges.values(), key=lambda one: one.high - one.low)
    step = (max(widest.high, 0) - min(widest.low, 0)) * view.outer / (_CODES - 1)
    st.caption(
        t(
            "quantisation.ranges.step",
            n=t.integer(widest.n),
            codes=t.integer(_CODES),
            step=t.number(step, 4),
        )
    )


def _costs(found: Calibrated, weights: Effect, view: QuantisationView) -> None:
    """Loss with weights, activations, or both in few bits."""
    t, name = view.t, _format(view).upper()
    kinds = {
        "FP32": (weights.loss_before, 0.0, 1.0),
        t("quantisation.only_activations"): _numbers(found.activations),
        t("quantisation.only_weights", format=name): _numbers(weights),
        t("quantisation.both", format=name): _numbers(found.both),
    }
    rows = [
        (kind, t.number(loss, 4), measuring.signed(t, cost), t.percent(same))
        for kind, (loss, cost, same) in kinds.items()
    ]
    columns = ("in_few_bits", "loss", "costs", "same")
    arithmetic_html.table([t(f"quantisation.{column}") for column in columns], rows, 3)


def _numbers(effect: Effect) -> tuple[float, float, float]:
    return effect.loss_after, effect.cost, effect.same_choice
