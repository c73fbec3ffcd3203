"""The tools of the step-through: compare, breakpoints, settings, the list of all tensors, the model's card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.recording import LedgerRow, Recording
from lmviz.registry.reference import Reference
from lmviz.services.services import Services
from lmviz.stages.breakpoints import Breakpoint
from lmviz.ui import model_field, own_text, state, widgets
from lmviz.ui.choices import listed
from lmviz.ui.step_through import predict, stops
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator, code, foreign

_STOP_KINDS = ("stage", "address", "nan", "above", "entropy")


def compare(services: Services, view: StepThroughView) -> None:
    """What is different about B."""
    t = view.t
    st.caption(t("compare.help"))
    st.text_input(
        t("compare.prompt"),
        disabled=not (view.b_model or view.model).reads,
        **state.bound("b_prompt", known=own_text.known(services, view.b_model or view.model)),
    )
    widgets.selectbox(
        t("compare.model"),
        listed(["", *services.models.sample_names()], str(view.b_model or "")),
        format_func=lambda written: written or t("compare.same_model"),
        **state.bound("b_model"),
    )
    st.toggle(
        t("compare.plain"),
        disabled=not view.edits and not view.b_plain,
        **state.bound("b_plain"),
    )
    if view.compares:
        st.button(
            t("compare.off"),
            key="b_off",
            on_click=lambda: state.go(b_prompt="", b_model=None, b_plain=False),
        )


def breakpoints(view: StepThroughView) -> None:
    """The breakpoints that are set, and a form for another."""
    t = view.t
    st.caption(t("stops.help"))
    for stop in view.stops:
        name = code(stops.label(stop, t))
        st.button(
            f"● {name} ×",
            key=f"stop {stop}",
            help=t("stops.remove", stop=name),
            on_click=lambda stop=stop: state.go(stops=tuple(s for s in state.view(StepThroughView).stops if s != stop)),
        )
    kind = widgets.selectbox(
        t("stops.kind"),
        _STOP_KINDS,
        key="stop_kind",
        format_func=lambda name: t(f"stops.kind.{name}"),
    )
    argument = ""
    if kind == "stage":
        from lmviz.stages.stage import KINDS

        argument = widgets.selectbox(
            t("stops.argument.stage"),
            KINDS[1:],
            key="stop_stage",
            format_func=lambda name: t(f"stage.{name}.title"),
        )
    elif kind != "nan":
        what = "address" if kind == "address" else "limit"
        argument = st.text_input(t(f"stops.argument.{what}"), key="stop_argument")
    if st.button(t("stops.add"), key="stop_add", type="primary"):
        _add_stop(view, f"{kind} {argument}".strip())


def _add_stop(view: StepThroughView, written: str) -> None:
    try:
        stop = str(Breakpoint.parse(written.replace(",", ".")))
    except UserError as error:
        st.error(view.t.error(error))
        return
    state.go(stops=tuple(dict.fromkeys((*view.stops, stop))))
    st.rerun()


def settings(view: StepThroughView) -> None:
    """How many digits."""
    t = view.t
    st.session_state["digits"] = view.digits
    widgets.segmented_control(
        t("settings.digits"),
        [2, 4],
        key="digits",
        required=True,
        on_change=lambda: state.go(digits=st.session_state["digits"]),
    )


def ledger(run: Recording, view: StepThroughView) -> None:
    """Every tensor of the run in order: address, axes, shape, type, range, size. A row is a door to its step."""
    t = view.t
    with st.expander(t("tools.ledger"), icon=":material/list:", on_change="rerun", key="ledger_open") as shown:
        if not shown.open:
            return
        if predict.is_asked():
            st.caption(t("exercise.first"))
            return
        st.caption(t("ledger.help"))
        rows = run.ledger()
        chosen = st.dataframe(
            _written(_columns(rows, t), t),
            key=widgets.table_key("ledger"),
            on_select="rerun",
            selection_mode="single-row",
            hide_index=True,
            height=widgets.px(360),
        )
        picked = chosen["selection"]["rows"]
        before, now = state.remember("ledger", None), picked[0] if picked else None
        state.keep("ledger", now)
        if now is not None and now != before:
            state.go(step=rows[now].step, by="op")
            st.rerun()


def _columns(rows: Sequence[LedgerRow], t: Translator) -> dict[str, list[Any]]:
    return {
        t("ledger.address"): [row.address for row in rows],
        t("ledger.axes"): [" × ".join(axis or "·" for axis in row.axes) for row in rows],
        t("ledger.shape"): [" × ".join(map(str, row.shape)) for row in rows],
        t("ledger.dtype"): [row.dtype for row in rows],
        t("ledger.min"): [row.low for row in rows],
        t("ledger.mean"): [row.mean for row in rows],
        t("ledger.max"): [row.high for row in rows],
        t("ledger.bytes"): [row.n_bytes for row in rows],
    }


def _written(columns: dict[str, list[Any]], t: Translator) -> Any:
    """A table whose numbers read as the page's language writes them, and sort as numbers."""
    real = [name for name, values in columns.items() if any(isinstance(value, float) for value in values)]
    whole = [name for name, values in columns.items() if all(isinstance(value, int) for value in values)]
    import pandas as pd  # a third of a second, which the first page need not wait for

    style = pd.DataFrame(columns).style.format(lambda value: t.number(value, 4), subset=real)
    return style.format(lambda value: t.integer(value), subset=whole)


def card(services: Services, run: Recording, view: StepThroughView) -> None:
    """The model's card, in the reader's language if it has one."""
    with st.expander(view.t("card.title"), icon=":material/description:", on_change="rerun", key="card_open") as shown:
        if not shown.open:  # what is not seen costs every step of the walk a few milliseconds in the browser
            return
        st.caption(f"{code(str(run.request.model))} · {view.t.integer(run.n_parameters)}")
        card_text = "" if run.own else services.models.card(run.checkpoint, view.lang).text
        st.markdown(foreign(card_text) or "–")


def open_model(services: Services, model: Reference) -> None:
    """Another model, if it opens: what belonged to the old one's run is let go; step and settings stay as they fit."""
    if model_field.opens(services)(model):
        state.go(model=model, prompt=None, focus=-1, head=0, cell=None, trail=(), edits=(), watch=(), target="")
