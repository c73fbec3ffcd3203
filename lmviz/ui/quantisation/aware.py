"""Quantisation-aware training against rounding afterwards, at the same size: live, or as the training page did it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lmviz.quantise.scheme import Scheme
from lmviz.services.live import Live
from lmviz.services.quantisation import AwareStep, Rival
from lmviz.services.services import Services
from lmviz.ui import replay, shell, state, widgets
from lmviz.ui.charts import show
from lmviz.ui.quantisation import charts, measuring, rivals_table, schemes, trained
from lmviz.ui.quantisation.view import INTEGERS, RATES, QuantisationView


def section(services: Services, view: QuantisationView) -> None:
    st.markdown(view.t("quantisation.aware.say"))
    runs = {run.id: run for run in services.quantisation.runs()}
    if runs or view.run:
        trained.choose(runs, view)
    if view.run:
        trained.section(services, runs.get(view.run), view)
    else:
        _here(services, view)


def _here(services: Services, view: QuantisationView) -> None:
    t = view.t
    scheme = view.scheme_of(view.format if view.format in INTEGERS else INTEGERS[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _choices(view)
        shell.link(t("quantisation.aware.there"), trained.plan(view, scheme), "training")
    schemes.note(view)
    if measuring.missing(services, view):
        return
    if view.trains:
        live = services.quantisation.aware(view.model, scheme, view.steps, view.rate, view.seed, view.text)
        replay.while_moving(live, t, "aware", lambda: _drawn(services, live, scheme))
    else:
        with st.spinner(t("quantisation.measuring")):
            rivals = services.quantisation.rivals(view.model, scheme, None, view.text)
        _before(rivals, scheme, view)
        rivals_table.show(services, rivals, scheme, view, view.model)
    measuring.on(services, view, trains=True)


def _choices(view: QuantisationView) -> None:
    t = view.t
    schemes.choose(view, INTEGERS, keep=False, trains=False)
    st.slider(t("quantisation.steps"), 20, 300, step=20, width=widgets.px(150), **state.bound("steps", trains=False))
    widgets.select_slider(
        t("quantisation.rate"),
        RATES,
        format_func=lambda rate: t.exact(rate),
        width=150,
        **state.bound("rate", trains=False),
    )
    st.button(
        t("quantisation.train"),
        type="primary",
        icon=":material/play_arrow:",
        disabled=view.trains,
        on_click=lambda: state.go(trains=True),
    )


def _before(rivals: Sequence[Rival], scheme: Scheme, view: QuantisationView) -> None:
    fp32, rounded = rivals
    cost = measuring.signed(view.t, measuring.change(fp32.loss, rounded.loss))
    st.markdown(view.t("quantisation.aware.before", format=scheme.format.upper(), cost=cost))


def _drawn(services: Services, live: Live[AwareStep], scheme: Scheme) -> None:
    view, found = state.view(QuantisationView), live.look()
    rivals = services.quantisation.rivals(view.model, scheme, found[-1], view.text)
    if found[-1].finished is None:
        st.progress(live.progress, view.t("replay.at", step=view.t.integer(found[-1].step)))
    else:
        rivals_table.after(rivals, scheme, view.steps, view)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _curves(found, rivals, scheme, view)
    with right:
        rivals_table.show(services, rivals, scheme, view, view.model)


def _curves(found: tuple[AwareStep, ...], rivals: Sequence[Rival], scheme: Scheme, view: QuantisationView) -> None:
    """The loss in few bits on the way, of the training that knows of the rounding and of the one that does not."""
    t, name = view.t, scheme.format.upper()
    shown = [one for one in found if one.measured is not None and one.measured_other is not None]
    drawn = charts.training(
        [one.step for one in shown],
        {
            t("quantisation.line.qat", format=name): [one.measured or 0.0 for one in shown],
            t("quantisation.line.other", format=name): [one.measured_other or 0.0 for one in shown],
        },
        (t("quantisation.line.fp32"), rivals[0].loss),
        view.steps,
        t("replay.step"),
        t("quantisation.loss"),
    )
    show(drawn, t, "quantisation.aware", alt=t("quantisation.aware.alt"))
