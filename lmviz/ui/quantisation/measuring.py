"""On which text models are compared, and how a cost is written."""

from __future__ import annotations

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.reference import Reference
from lmviz.services.services import Services
from lmviz.ui import state, widgets
from lmviz.ui.quantisation.view import TEXT_LIMIT, QuantisationView
from lmviz.ui.text import Translator

DIGITS = 4  # of a loss


def on(services: Services, view: QuantisationView, model: Reference | None = None, trains: bool = False) -> None:
    """What the numbers were measured on, and a door to another text."""
    t, found = view.t, services.quantisation.measured(model or view.model, view.text)
    trains_on_it = trains and not services.quantisation.has_texts(model or view.model)
    kind = "own_trained" if trains_on_it else "own" if found.own else "held_out" if found.held_out else "trained"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(t(f"quantisation.measured.{kind}", n=t.integer(found.windows.n_targets)), width="content")
        choose(view)


def choose(view: QuantisationView) -> None:
    """Another text to measure on."""
    with st.popover(view.t("quantisation.own_text"), icon=":material/edit_note:"):
        _box(view, "quantisation.own_text.help")


def missing(services: Services, view: QuantisationView) -> bool:
    """Whether a text has to be typed, or another one, before anything can be measured: then there is a box for it."""
    if not view.text and not services.quantisation.has_texts(view.model):
        st.info(view.t("quantisation.own_text.missing"))
        _box(view, "quantisation.own_text.type")
        return True
    try:
        services.quantisation.measured(view.model, view.text)
    except UserError as error:
        if not view.text:
            raise
        st.error(view.t.error(error))
        _box(view, "quantisation.own_text.help")
        return True
    return False


def _box(view: QuantisationView, label: str) -> None:
    st.text_area(view.t(label), max_chars=TEXT_LIMIT, height=widgets.px(200), **state.bound("text", trains=False))


def signed(t: Translator, cost: float) -> str:
    """A difference with its sign."""
    written = t.number(cost, DIGITS)
    return f"+{written}" if cost > 0 else written


def change(before: float, after: float) -> float:
    """What the reader finds who subtracts two losses as they are written; the true difference of two written alike."""
    return round(round(after, DIGITS) - round(before, DIGITS), DIGITS) or after - before
