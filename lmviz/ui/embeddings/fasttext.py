"""FastText: a word is the sum of its pieces, so that a word never seen has a vector too."""

from __future__ import annotations

import streamlit as st

from lmviz.embed.distances import nearest
from lmviz.embed.fasttext import WordSum, gram_index, word_sum
from lmviz.embed.word2vec import VectorsSnapshot
from lmviz.embed.words import WordText
from lmviz.explain import by_hand
from lmviz.services.live import Live
from lmviz.services.services import Services
from lmviz.ui import arithmetic_html, matrices, pieces, replay, state, widgets
from lmviz.ui.embeddings import stories
from lmviz.ui.embeddings.view import LONGEST_GRAM, EmbeddingsView
from lmviz.ui.matrices import Matrix
from lmviz.ui.pieces import Piece
from lmviz.ui.text import code, visible

NEAREST = 6


def section(services: Services, view: EmbeddingsView) -> None:
    t = view.t
    shortest, longest = view.grams
    st.markdown(t("embeddings.fasttext.say", shortest=shortest, longest=longest))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            t("embeddings.fasttext.word"), max_chars=40, width=widgets.px(200), **state.bound("word", _word(view))
        )
        stories.choose_kind(view)
        _choose_grams(view)
        stories.choose_settings(view)
        stories.choose_story(view)
    words = services.embeddings.words(stories.story(view))
    live = services.embeddings.word_vectors(stories.story(view), stories.settings(view, view.grams))
    replay.while_moving(live, t, "fasttext", lambda: _show_steps(live, words))


def _choose_grams(view: EmbeddingsView) -> None:
    key = "embeddings.grams"
    st.session_state[key] = view.grams
    st.slider(
        view.t("embeddings.grams"),
        1,
        LONGEST_GRAM,
        width=widgets.px(150),
        key=key,
        help=view.t("embeddings.grams.help"),
        on_change=lambda: state.go(grams=tuple(st.session_state[key]), step=-1, cell=None),
    )


def _word(view: EmbeddingsView) -> str:
    return view.word or view.t("embeddings.fasttext.first")


def _show_steps(live: Live[VectorsSnapshot], words: WordText) -> None:
    view = state.view(EmbeddingsView)
    found = live.look()
    now = found[replay.steps(view.t, live, "fasttext", [one.step for one in found], view.step)]
    summed = word_sum(_word(view), gram_index(words.words, *view.grams)[0], now.table, *view.grams)
    _grams(summed, words, view)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _sum(summed, view)
    with right:
        _near(summed, now, words)
    _where_from(summed, view)


def _grams(summed: WordSum, words: WordText, view: EmbeddingsView) -> None:
    """The n-grams of the word: those that were learned, and those that no word of the text has."""
    t = view.t
    known = words.id(summed.word) is not None
    key = "embeddings.fasttext.known" if known else "embeddings.fasttext.unknown"
    n, n_all = len(summed.grams), len(summed.grams) + len(summed.unknown)
    if n:
        st.markdown(t(key, word=code(visible(summed.word)), n_grams=n, n_all=n_all))
    shown = [Piece(gram, hue=2) for gram in summed.grams] + [Piece(gram, marks=("gone",)) for gram in summed.unknown]
    pieces.show(shown, t, key="grams", height=110)


def _sum(summed: WordSum, view: EmbeddingsView) -> None:
    t = view.t
    if not summed.grams:
        st.info(t("embeddings.fasttext.nothing"))
        return
    given = [
        Matrix(
            summed.parts,
            t("embeddings.fasttext.parts"),
            ("gram", "d_embed"),
            rows=summed.grams,
            part="weight",
            pinned=_pinned(view, "parts"),
            address="parts",
        ),
        Matrix(
            summed.vector[None],
            t("embeddings.fasttext.sum"),
            ("word", "d_embed"),
            rows=[summed.word],
            sign="=",
            result=True,
            pinned=_pinned(view, "sum"),
            address="sum",
        ),
    ]
    matrices.show(given, t, key="fasttext", on_cell=lambda a, c: state.go(cell=(a, c)), height=400)


def _pinned(view: EmbeddingsView, address: str) -> tuple[int, ...] | None:
    return view.cell[1][-2:] if view.cell is not None and view.cell[0] == address else None


def _where_from(summed: WordSum, view: EmbeddingsView) -> None:
    """A number of the sum, or of one of its runs, as the sum of its column."""
    t, col = view.t, view.cell[1][-1] if view.cell and view.cell[1] and view.cell[0] in ("parts", "sum") else -1
    if not summed.grams:
        return
    if not 0 <= col < len(summed.vector):
        st.caption(t("embeddings.click"))
        return
    st.markdown(t("embeddings.fasttext.column", word=code(visible(summed.word)), col=col))
    arithmetic_html.show(by_hand.total(summed.parts[:, col]), t)


def _near(summed: WordSum, now: VectorsSnapshot, words: WordText) -> None:
    if not summed.grams:
        return
    near = nearest(now.vectors, summed.vector, NEAREST, "cosine")
    stories.show_near(summed.word, summed.vector, near, words, now)
