"""How far one vector is from others: bars, and the distance of the one that is asked for, worked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from numpy.typing import ArrayLike

from lmviz.explain import by_hand
from lmviz.ui import arithmetic_html, state, widgets
from lmviz.ui.charts import alt_text, bars, show
from lmviz.ui.text import Translator, code, plain, visible


@dataclass(frozen=True)
class Other:
    """A vector near the one in question."""

    id: int
    name: str
    distance: float
    vector: Any  # [d]


def listed(
    word: str, vector: ArrayLike, others: Sequence[Other], metric: str, t: Translator, asked: int | None
) -> None:
    """The nearest first, a bar each; below, the arithmetic of the one whose id is asked for."""
    names, apart = [visible(one.name) for one in others], [one.distance for one in others]
    show(bars(names, apart, t), t, "embeddings.apart", alt=alt_text(names, apart, t))
    found, bound = {one.id: one for one in others}, state.bound("other")
    if asked not in found:
        st.session_state[bound["key"]] = None
    name = t("embeddings.apart.ask")
    widgets.pills(name, list(found), format_func=lambda id: plain(visible(found[id].name)), **bound)
    if asked in found:
        between((word, vector), (found[asked].name, found[asked].vector), metric, t)


def between(a: tuple[str, ArrayLike], b: tuple[str, ArrayLike], metric: str, t: Translator) -> None:
    """The distance between two named vectors, line by line."""
    names = {"a": visible(a[0]), "b": visible(b[0])}
    st.markdown(t(f"embeddings.apart.{metric}", **{key: code(name) for key, name in names.items()}))
    lines = by_hand.distance(a[1], b[1], metric)
    arithmetic_html.lines([(t(f"embeddings.apart.line.{name}", **names), why) for name, why in lines], t, digits=3)
