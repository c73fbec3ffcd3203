"""Word2vec: vectors of words learned from their neighbours, live, with the pairs that are learned."""

from __future__ import annotations

import streamlit as st

from lmviz.embed.distances import neighbours
from lmviz.embed.pca import pca
from lmviz.embed.word2vec import VectorsSnapshot
from lmviz.embed.words import Example, WordText
from lmviz.services.live import Live
from lmviz.services.services import Services
from lmviz.ui import pieces, replay, state, widgets
from lmviz.ui.charts import curve, show
from lmviz.ui.embeddings import charts, stories
from lmviz.ui.embeddings.analogy import analogy
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.pieces import Piece
from lmviz.ui.text import Translator, code, visible

NEAREST = 5
_SHOWN_EXAMPLES = 4


def section(services: Services, view: EmbeddingsView) -> None:
    t = view.t
    st.markdown(t(f"embeddings.{view.kind}.say"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        stories.choose_kind(view)
        stories.choose_settings(view)
        stories.choose_story(view)
        words = services.embeddings.words(stories.story(view))
        _choose_word(words, view)
    _pairs(words, view)
    live = services.embeddings.word_vectors(stories.story(view), stories.settings(view))
    replay.while_moving(live, t, "word2vec", lambda: _show_steps(live, words))


def _choose_word(words: WordText, view: EmbeddingsView) -> None:
    widgets.selectbox(view.t("embeddings.word"), words.words, width=170, **state.bound("word", _word(words, view)))


def _word(words: WordText, view: EmbeddingsView) -> str:
    """The chosen word; else the one in the text that the page opens on, or the most frequent."""
    first = view.t("embeddings.word.first")
    return next(word for word in (view.word, first, words.words[0]) if word in words.words)


def _pairs(words: WordText, view: EmbeddingsView) -> None:
    """One place in the text, and what is learned there: the word in the middle, its neighbours, the pairs."""
    places = [(s, p) for s, sentence in enumerate(words.sentences) for p in range(len(sentence))]
    at = min(view.example, len(places) - 1)
    s, p = places[at]
    sentence = words.sentences[s]
    around = [i for i in range(max(0, p - view.window), min(len(sentence), p + view.window + 1)) if i != p]
    shown = [
        Piece(
            words.words[id],
            marks=("special",) if i == p else ("added",) if i in around else ("later",),
            key=places.index((s, i)),
        )
        for i, id in enumerate(sentence)
    ]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("◀", key="example back", disabled=not at, on_click=lambda: state.go(example=at - 1))
        st.button("▶", key="example on", disabled=at == len(places) - 1, on_click=lambda: state.go(example=at + 1))
        with st.container(width="stretch"):
            pieces.show(shown, view.t, key="pairs", on_piece=lambda i: state.go(example=i), chosen=at)
    middle, others = code(visible(words.words[sentence[p]])), [code(visible(words.words[sentence[i]])) for i in around]
    if view.kind == "cbow":
        learned = f"{' + '.join(others)} → **{middle}**" if others else "–"
    else:
        learned = " · ".join(f"**{middle}** → {word}" for word in others) or "–"
    st.markdown(view.t("embeddings.pairs", pairs=learned))


def _show_steps(live: Live[VectorsSnapshot], words: WordText) -> None:
    view = state.view(EmbeddingsView)
    t, found = view.t, live.look()
    now = found[replay.steps(t, live, "word2vec", [one.step for one in found], view.step)]
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _map(found[-1], now, words, view)
    with right:
        steps, losses = [one.step for one in found], [one.loss for one in found]
        show(
            curve(steps, losses, now.step, t("replay.step"), t("embeddings.loss"), height=190),
            t,
            "embeddings.word2vec.loss",
        )
        _near(now, words, view)
    _step_examples(now, words, t)
    analogy(now, words, view)


def _map(last: VectorsSnapshot, now: VectorsSnapshot, words: WordText, view: EmbeddingsView) -> None:
    """All words on the plane on which the last vectors spread out most."""
    t = view.t
    chosen = words.words.index(_word(words, view))
    near = {one.id for one in neighbours(now.vectors, chosen, NEAREST, "cosine")}
    names = {role: t(f"embeddings.map.{role}") for role in ("chosen", "near", "other")}
    roles = [names["chosen" if id == chosen else "near" if id in near else "other"] for id in range(len(words.words))]
    plane = pca(last.vectors)
    axes = [
        t("embeddings.map.axis", n=i + 1, share=t.percent(share)) for i, share in enumerate(plane.shares(now.vectors))
    ]
    chart = charts.plane(plane.place(now.vectors), words.words, roles, list(names.values()), axes, height=450)
    show(chart, t, "embeddings.word2vec.map")


def _near(now: VectorsSnapshot, words: WordText, view: EmbeddingsView) -> None:
    word = _word(words, view)
    id = words.words.index(word)
    stories.show_near(word, now.vectors[id], neighbours(now.vectors, id, NEAREST, "cosine"), words, now)


def _step_examples(now: VectorsSnapshot, words: WordText, t: Translator) -> None:
    """Some of the examples that the last step before this picture learned from."""
    if not now.examples:
        return
    shown = [
        _example(example, now.negatives[i] if now.negatives else (), words, t)
        for i, example in enumerate(now.examples[:_SHOWN_EXAMPLES])
    ]
    learned = " · ".join(shown)
    st.caption(t("embeddings.step_examples", step=now.step, n=len(now.examples), examples=learned))


def _example(example: Example, negatives: tuple[int, ...], words: WordText, t: Translator) -> str:
    inputs = " + ".join(words.words[id] for id in example.inputs)
    against = ", ".join(words.words[id] for id in negatives)
    learned = code(f"{inputs} → {words.words[example.target]}")
    return learned if not against else t("embeddings.against", example=learned, words=against)
