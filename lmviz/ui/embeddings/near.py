"""Neighbours of a token, and the plane on which the tokens spread out most."""

from __future__ import annotations

import streamlit as st

from lmviz.embed.distances import Neighbour
from lmviz.services.embeddings import TokenMap
from lmviz.services.services import Services
from lmviz.ui import state, widgets
from lmviz.ui.charts import show
from lmviz.ui.embeddings import apart, charts
from lmviz.ui.embeddings.view import METRICS, EmbeddingsView
from lmviz.ui.text import code, visible


def section(services: Services, view: EmbeddingsView) -> None:
    t = view.t
    st.markdown(t("embeddings.near.say"))
    found = services.embeddings.token_map(view.model)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        id = _token(found, view)
        widgets.segmented_control(
            t("embeddings.metric"),
            METRICS,
            format_func=lambda name: t(f"embeddings.metric.{name}"),
            required=True,
            **state.bound("metric"),
        )
    near = services.embeddings.neighbours(view.model, id, view.metric)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _map(found, view, id, near)
    with right:
        piece = code(visible(found.pieces[id]))
        st.markdown(t(f"embeddings.near.list.{view.metric}", piece=piece))
        pieces, vectors = services.embeddings.pieces(view.model), services.embeddings.vectors(view.model)
        others = [apart.Other(one.id, pieces[one.id], one.distance, vectors[one.id]) for one in near]
        apart.listed(found.pieces[id], vectors[id], others, view.metric, t, view.other)


def _token(found: TokenMap, view: EmbeddingsView) -> int:
    id = min(view.id, len(found.pieces) - 1)
    widgets.selectbox(
        view.t("embeddings.near.token"),
        range(len(found.pieces)),
        format_func=lambda i: visible(found.pieces[i]),
        width=180,
        **state.bound("id", id),
    )
    return id


def _map(found: TokenMap, view: EmbeddingsView, id: int, near: tuple[Neighbour, ...]) -> None:
    t, on_map = view.t, len(found.pieces)
    roles = ["other"] * on_map
    for one in near:
        if one.id < on_map:
            roles[one.id] = "near"
    roles[id] = "chosen"
    names = {role: t(f"embeddings.map.{role}") for role in ("chosen", "near", "other")}
    axes = [t("embeddings.map.axis", n=i + 1, share=t.percent(share)) for i, share in enumerate(found.map.kept)]
    pieces = [visible(piece) for piece in found.pieces]
    kept = t("embeddings.map.kept", share=t.percent(sum(found.map.kept)))
    plane = charts.plane(found.map.points, pieces, [names[role] for role in roles], list(names.values()), axes)
    show(plane, t, "embeddings.near", alt=kept)
    st.caption(kept)
    if on_map < found.d_vocab:
        st.caption(t("embeddings.map.first", n=t.integer(on_map), all=t.integer(found.d_vocab)))
