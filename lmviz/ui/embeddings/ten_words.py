"""The course's `nn.Embedding(10, 3)`: random numbers, and where a small training moves them."""

from __future__ import annotations

import numpy as np
import streamlit as st

from lmviz.embed.distances import distances
from lmviz.embed.pca import pca
from lmviz.embed.ten_words import TEXTS, WordsSnapshot, next_words, vocabulary
from lmviz.services.live import Live
from lmviz.services.services import Services
from lmviz.trace.step import fits
from lmviz.ui import matrices, replay, state, update_sum, widgets
from lmviz.ui.charts import curve, show
from lmviz.ui.embeddings import apart, charts
from lmviz.ui.embeddings.view import TEXT_LIMIT, EmbeddingsView
from lmviz.ui.matrices import Matrix
from lmviz.ui.text import DEFAULT, Translator, code, visible

NAMED = 40  # words on the map


def section(services: Services, view: EmbeddingsView) -> None:
    t = view.t
    learned = view.words or TEXTS.get(view.lang, TEXTS[DEFAULT])
    words = vocabulary(learned)
    st.markdown(t("embeddings.ten_words.say", n=len(words)))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(t("embeddings.seed"), 0, 9999, width=widgets.px(130), **state.bound("seed"))
        with st.popover(t("embeddings.text"), icon=":material/edit_note:"):
            st.text_area(
                t("embeddings.ten_words.text"),
                max_chars=TEXT_LIMIT,
                height=widgets.px(150),
                **state.bound("words", learned),
            )
    live = services.embeddings.ten_words(learned, view.seed)
    replay.while_moving(live, t, "ten_words", lambda: _show_steps(services, live, words, learned))


def _show_steps(services: Services, live: Live[WordsSnapshot], words: tuple[str, ...], learned: str) -> None:
    view = state.view(EmbeddingsView)
    found = live.look()
    now = found[replay.steps(view.t, live, "ten_words", [one.step for one in found], view.step)]
    _closest(found[0], now, words, learned, view.t)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        _tables(found[0], now, words, view)
        _where_from(services, found, now, view)
    with right:
        _movement(found, now, words, view.t)


def _tables(before: WordsSnapshot, now: WordsSnapshot, words: tuple[str, ...], view: EmbeddingsView) -> None:
    """The random numbers, and those of now, on one scale."""
    t = view.t
    peak = float(max(np.abs(before.embedding).max(), np.abs(now.embedding).max()))
    tables = {"before": before, "now": now}
    given = [
        Matrix(
            one.embedding,
            t(f"embeddings.ten_words.{name}", step=one.step),
            ("id", "d_embed"),
            rows=words,
            part="weight" if name == "before" else "activation",
            peak=peak,
            pinned=view.cell[1][-2:] if view.cell and view.cell[0] == name else None,
            address=name,
        )
        for name, one in tables.items()
    ]
    matrices.show(given, t, key="ten_words", on_cell=lambda a, c: state.go(cell=(a, c)), height=410)


def _where_from(services: Services, found: tuple[WordsSnapshot, ...], now: WordsSnapshot, view: EmbeddingsView) -> None:
    """A random number comes from nowhere else; a learned one from the last step of training."""
    t, (address, cell) = view.t, view.cell or ("", ())
    cell = cell[-2:]
    if not fits(cell, now.embedding.shape):
        st.caption(t("embeddings.click"))
        return
    before = next((one for one in found if one.step == now.step - 1), None)
    if address == "before" or now.step == 0:
        value = t.number(float(found[0].embedding[cell]), 4)
        st.markdown(t("embeddings.ten_words.drawn", value=value, seed=view.seed))
    elif address == "now" and before is not None:
        st.markdown(t("embeddings.ten_words.moved", step=now.step))
        update_sum.show(services.embeddings.word_update(before, cell), t, "word_update", f"{before.step} {cell}")


def _movement(found: tuple[WordsSnapshot, ...], now: WordsSnapshot, words: tuple[str, ...], t: Translator) -> None:
    """The loss, and the way of each word on the plane on which the last vectors spread out most."""
    steps, losses = [one.step for one in found], [one.loss for one in found]
    show(
        curve(steps, losses, now.step, t("replay.step"), t("embeddings.loss"), height=180),
        t,
        "embeddings.ten_words.loss",
    )
    if len(words) < 3:
        return
    plane = pca(found[-1].embedding)
    ways = np.stack([plane.place(one.embedding) for one in found if one.step <= now.step])  # [step, word, 2]
    shown = slice(0, NAMED)
    show(charts.ways(ways[:, shown], words[shown], height=300), t, "embeddings.ten_words.ways")
    kept = t.percent(sum(plane.shares(now.embedding)))
    st.caption(t("embeddings.ten_words.map", share=kept))


def _closest(before: WordsSnapshot, now: WordsSnapshot, words: tuple[str, ...], learned: str, t: Translator) -> None:
    """The two words that are closest now, among those that training moves, and what follows each of them."""
    followers: dict[int, list[str]] = {}
    for id, following in next_words(learned):
        followers.setdefault(id, []).append(words[following])
    moved = sorted(followers)
    if len(moved) < 2:
        return
    vectors = now.embedding[moved]
    between = distances(vectors, vectors) + 3 * np.eye(len(moved))
    a, b = (moved[i] for i in np.unravel_index(np.nanargmin(between), between.shape))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            t(
                "embeddings.ten_words.closest",
                a=code(visible(words[a])),
                b=code(visible(words[b])),
                now=t.number(float(distances(now.embedding[a], now.embedding[b])[0, 0]), 3),
                before=t.number(float(distances(before.embedding[a], before.embedding[b])[0, 0]), 3),
                after_a=_listed(followers[a]),
                after_b=_listed(followers[b]),
            ),
            width="content",
        )
        with st.popover(t("embeddings.apart.how"), icon=":material/calculate:"):
            apart.between((words[a], now.embedding[a]), (words[b], now.embedding[b]), "cosine", t)


def _listed(words: list[str]) -> str:
    return ", ".join(code(visible(word)) for word in list(dict.fromkeys(words))[:6])
