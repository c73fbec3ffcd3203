"""A whole model in each format: its size, its loss, its logits and what it writes."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from lmviz.explain import by_hand
from lmviz.services.quantisation import Outcome
from lmviz.services.services import Services
from lmviz.ui import arithmetic_html, matrices, own_text, state, widgets
from lmviz.ui.charts import show
from lmviz.ui.matrices import Matrix
from lmviz.ui.quantisation import charts, measuring, schemes
from lmviz.ui.quantisation.view import FORMATS, TEMPERATURES, TEXT_LIMIT, QuantisationView
from lmviz.ui.text import code, visible


def section(services: Services, view: QuantisationView) -> None:
    t = view.t
    st.markdown(t("quantisation.model.say"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        schemes.choose(view)
    if measuring.missing(services, view):
        return
    with st.spinner(t("quantisation.measuring")):
        outcomes = [services.quantisation.outcome(view.model, view.scheme_of(name), view.text) for name in FORMATS]
    chosen = outcomes[FORMATS.index(view.format)]
    _sentence(chosen, view)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _table(outcomes, view)
        measuring.on(services, view)
    with right:
        show(
            charts.sizes(
                [name.upper() for name in FORMATS],
                [outcome.n_bytes for outcome in outcomes],
                [outcome.effect.loss_after for outcome in outcomes],
                view.format.upper(),
                t("quantisation.size"),
                t("quantisation.loss"),
            ),
            t,
            "quantisation.sizes",
            alt=t("quantisation.sizes.alt"),
        )
        st.caption(t("quantisation.sizes.say"))
    prompt = _prompt(services, view)
    _logits(services, chosen, view, prompt)
    _texts(services, chosen, view, prompt)


def _sentence(chosen: Outcome, view: QuantisationView) -> None:
    """What the chosen format cost, in one line."""
    t, found = view.t, chosen.effect
    st.markdown(
        t(
            "quantisation.cost",
            format=view.format.upper(),
            share=t.percent(chosen.n_bytes / chosen.n_bytes_before),
            before=t.number(found.loss_before, 4),
            after=t.number(found.loss_after, 4),
            cost=measuring.signed(t, measuring.change(found.loss_before, found.loss_after)),
        )
    )
    if chosen.n_bytes > chosen.n_bytes_before:
        st.caption(t("quantisation.larger"))


def _table(outcomes: list[Outcome], view: QuantisationView) -> None:
    t = view.t
    columns = ("format", "size", "loss", "change", "same")
    rows = [
        (
            name.upper(),
            t.integer(one.n_bytes),
            t.number(one.effect.loss_after, 4),
            t.number(one.effect.mean_change, 4),
            t.percent(one.effect.same_choice),
        )
        for name, one in zip(FORMATS, outcomes, strict=True)
    ]
    arithmetic_html.table([t(f"quantisation.{name}") for name in columns], rows, FORMATS.index(view.format))


def _prompt(services: Services, view: QuantisationView) -> str:
    """What both models read, and how they write on."""
    t = view.t
    prompt = services.models.first_prompt(view.model) if view.prompt is None else view.prompt
    with st.container(horizontal=True, vertical_alignment="bottom"):
        own_text.field(
            services, t, view.model, "prompt", prompt, t("quantisation.prompt"), max_chars=TEXT_LIMIT, width=260
        )
        widgets.slider(
            t, t("quantisation.temperature"), *TEMPERATURES, step=0.1, width=170, **state.bound("temperature")
        )
        st.number_input(t("quantisation.seed"), 0, 9999, width=widgets.px(130), **state.bound("seed"))
    return prompt


def _logits(services: Services, chosen: Outcome, view: QuantisationView, prompt: str) -> None:
    """The scores of all next tokens, before and after, the likeliest first."""
    checkpoints = (chosen.before, chosen.quantised.checkpoint)
    before, after = (services.quantisation.next_logits(checkpoint, prompt) for checkpoint in checkpoints)
    best = np.argsort(-before, kind="stable")
    lines = np.stack([before[best], after[best], (after - before)[best]])
    logits = Matrix(
        lines,
        "logits",
        ("model", "d_vocab"),
        rows=["FP32", view.format.upper(), view.t("quantisation.difference")],
        cols=[chosen.before.tokenizer.piece(int(id)) for id in best],
        result=True,
        pinned=view.logit,
    )
    matrices.show([logits], view.t, key="logits", on_cell=lambda _, at: state.go(logit=at[-2:]), height=190)
    _worked_out(services, chosen, view, prompt, best)


def _worked_out(
    services: Services, chosen: Outcome, view: QuantisationView, prompt: str, best: NDArray[np.intp]
) -> None:
    """Both scores of the token that was clicked, and their difference."""
    t = view.t
    if view.logit is None or view.logit[1] >= len(best):
        st.caption(t("embeddings.click"))
        return
    id = int(best[view.logit[1]])
    before, after = (
        services.quantisation.logit(checkpoint, prompt, id)
        for checkpoint in (chosen.before, chosen.quantised.checkpoint)
    )
    st.markdown(t("quantisation.logit", token=code(visible(chosen.before.tokenizer.piece(id)))))
    change = by_hand.total([after.value, -before.value])
    lines = [("FP32", before), (view.format.upper(), after), (t("quantisation.difference"), change)]
    arithmetic_html.lines(lines, t)


def _texts(services: Services, chosen: Outcome, view: QuantisationView, prompt: str) -> None:
    """The same prompt, the same random numbers: what each model writes."""
    t = view.t
    before, after = (
        services.quantisation.texts(view.model, checkpoint, prompt, view.seed, view.temperature)
        for checkpoint in (chosen.before, chosen.quantised.checkpoint)
    )
    rows = [
        (visible(old), visible(new), t("quantisation.same_text" if old == new else "quantisation.other_text"))
        for old, new in zip(before, after, strict=True)
    ]
    arithmetic_html.table(["FP32", view.format.upper(), ""], rows)
