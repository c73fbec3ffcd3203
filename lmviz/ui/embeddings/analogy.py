"""a is to b as c is to what? b − a + c, and the words that lie nearest to it (Mikolov et al. 2013a, section 4)."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from lmviz.embed.distances import nearest
from lmviz.embed.word2vec import VectorsSnapshot
from lmviz.embed.words import WordText
from lmviz.ui import arithmetic_html, matrices, state, widgets
from lmviz.ui.charts import alt_text, bars, show
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.matrices import Matrix
from lmviz.ui.text import Translator, code, visible

NEAREST = 5
_ADDRESS = "analogy"


def analogy(now: VectorsSnapshot, words: WordText, view: EmbeddingsView) -> None:
    """Three words to choose, the sum as a picture, what is nearest, and any number of the sum worked out."""
    t = view.t
    if len(words.words) < 4:
        return
    st.markdown(f"**{t('embeddings.analogy')}**")
    chosen = _chosen(words, view)
    _choices(words, chosen, t)
    ids = [words.words.index(word) for word in chosen]
    a, b, c = (now.vectors[id].astype(np.float64) for id in ids)
    total = b - a + c
    left, right = st.columns([3, 2], gap="medium")
    with left:
        rows = [chosen[1], f"− {chosen[0]}", f"+ {chosen[2]}", "="]
        grid = np.stack([b, -a, c, total])
        pinned = view.cell[1][-2:] if view.cell and view.cell[0] == _ADDRESS else None
        shown = Matrix(grid, "b − a + c", ("word", "d_embed"), rows=rows, result=True, pinned=pinned, address=_ADDRESS)
        matrices.show([shown], t, key=_ADDRESS, on_cell=lambda name, at: state.go(cell=(name, at)), height=190)
        if pinned and pinned[-1] < len(total):
            _column(a, b, c, pinned[-1], t)
        else:
            st.caption(t("embeddings.click"))
    with right:
        near = nearest(now.vectors, total, NEAREST, "cosine", without=tuple(ids))
        names, apart = [visible(words.words[one.id]) for one in near], [one.distance for one in near]
        details = {name: code(visible(word)) for name, word in zip("abc", chosen, strict=True)}
        st.markdown(t("embeddings.analogy.found", d=code(names[0]), **details))
        show(bars(names, apart, t), t, "embeddings.analogy", alt=alt_text(names, apart, t))


def _chosen(words: WordText, view: EmbeddingsView) -> tuple[str, ...]:
    """The words of the view; else those that the page opens on, or the first that there are."""
    first = view.t("embeddings.analogy.first").split()
    candidates = (view.analogy, tuple(first), words.words[:3])
    return next(found for found in candidates if len(found) == 3 and set(found) <= set(words.words))


def _choices(words: WordText, chosen: tuple[str, ...], t: Translator) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for place, word in enumerate(chosen):
            key = f"embeddings.analogy.{place}"
            st.session_state[key] = word
            widgets.selectbox(
                t(f"embeddings.analogy.{'abc'[place]}"),
                words.words,
                key=key,
                width=150,
                on_change=lambda: state.go(
                    analogy=tuple(st.session_state[f"embeddings.analogy.{i}"] for i in range(3)), cell=None
                ),
            )


def _column(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], col: int, t: Translator) -> None:
    numbers = {"a": float(a[col]), "b": float(b[col]), "c": float(c[col])}
    result = numbers["b"] - numbers["a"] + numbers["c"]
    line = arithmetic_html.equation(t, "{b} − {a} + {c}", result, 4, **numbers)
    arithmetic_html.steps([(f"[{col}]", line.html)])
