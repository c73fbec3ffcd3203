"""What word2vec and FastText share: the text that vectors are learned from, how, and what lies near a word then."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from numpy.typing import ArrayLike

from lmviz.embed.distances import Neighbour
from lmviz.embed.texts import TEXTS
from lmviz.embed.word2vec import VectorsSnapshot, Word2VecSettings
from lmviz.embed.words import WordText
from lmviz.ui import state, widgets
from lmviz.ui.embeddings import apart
from lmviz.ui.embeddings.view import KINDS, TEXT_LIMIT, EmbeddingsView
from lmviz.ui.text import DEFAULT, code, visible


def story(view: EmbeddingsView) -> str:
    """The text to learn from: typed, or the one that comes with lmviz in the reader's language."""
    return view.story or TEXTS.get(view.lang, TEXTS[DEFAULT])


def choose_story(view: EmbeddingsView) -> None:
    with st.popover(view.t("embeddings.text"), icon=":material/edit_note:"):
        st.text_area(
            view.t("embeddings.story"),
            max_chars=TEXT_LIMIT,
            height=widgets.px(260),
            **state.bound("story", story(view), step=-1),
        )


def settings(view: EmbeddingsView, grams: tuple[int, int] | None = None) -> Word2VecSettings:
    """How vectors are learned; with n-grams, as FastText does."""
    return Word2VecSettings(
        kind=view.kind,
        grams=grams,
        window=view.window,
        d_embed=view.d_embed,
        n_negatives=view.negatives,
        steps=view.steps,
        seed=view.seed,
    )


def choose_kind(view: EmbeddingsView) -> None:
    """From a word its neighbours, or from its neighbours a word."""
    widgets.segmented_control(
        view.t("embeddings.kind"),
        KINDS,
        format_func=lambda kind: view.t(f"embeddings.{kind}"),
        required=True,
        **state.bound("kind", step=-1),
    )


def choose_settings(view: EmbeddingsView) -> None:
    """Window, width, negatives, steps, seed."""
    t = view.t
    st.slider(t("embeddings.window"), 1, 5, width=widgets.px(130), **state.bound("window", step=-1))
    with st.popover(t("embeddings.more"), icon=":material/tune:"):
        st.slider(t("embeddings.d_embed"), 2, 300, **state.bound("d_embed", step=-1))
        st.slider(
            t("embeddings.negatives"),
            0,
            20,
            help=t("embeddings.negatives.help"),
            **state.bound("negatives", step=-1),
        )
        st.slider(t("embeddings.steps"), 50, 1000, step=50, **state.bound("steps", step=-1))
        st.number_input(t("embeddings.seed"), 0, 9999, **state.bound("seed", step=-1))


def show_near(word: str, vector: ArrayLike, near: Sequence[Neighbour], words: WordText, now: VectorsSnapshot) -> None:
    """The words nearest to a word after a step, the nearest first."""
    view = state.view(EmbeddingsView)
    step = view.t.integer(now.step)
    st.markdown(view.t("embeddings.word2vec.near", word=code(visible(word)), step=step))
    others = [apart.Other(one.id, words.words[one.id], one.distance, now.vectors[one.id]) for one in near]
    apart.listed(word, vector, others, "cosine", view.t, view.other)
