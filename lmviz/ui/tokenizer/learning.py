"""Byte-pair encoding learned from a text, merge by merge, forwards and backwards."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lmviz.errors import UserError
from lmviz.services.services import Services
from lmviz.tokens.learning import Learning
from lmviz.ui import arithmetic_html, drawing, replay, state, widgets
from lmviz.ui.course import bar
from lmviz.ui.depth import shows
from lmviz.ui.move_buttons import MOVES, move_buttons
from lmviz.ui.text import code, visible
from lmviz.ui.tokenizer.pictures_types import CutWord, CutWords, Pair, Pairs
from lmviz.ui.tokenizer.view import MOST_MERGES, TokenizerView

PAIRS = 12  # shown of all pairs
_LONGEST_SHOWN = 24  # characters of one of its words
_WORDS_SHOWN = 6  # words, of those that have a pair
WORD_LIMIT = 60  # characters
WORDS = 160  # shown of the text
LONGEST_WORD = 400  # tokens shown of one of them


def merge_by_merge(services: Services, view: TokenizerView) -> None:
    """A step redraws only this part."""
    if not view.source.strip():
        raise UserError("There is nothing to learn from: type a text.")
    live = services.tokenizers.learning(view.source, MOST_MERGES)
    replay.with_progress(live, view.t, "learning", lambda found: st.fragment(_state)(found[-1].learned()), whole=True)


def _state(learning: Learning) -> None:
    view = state.view(TokenizerView)
    t = view.t
    last = len(learning.merges)
    at = min(view.at, last)
    where = t("tokenizer.at", at=t.integer(at), last=t.integer(last))
    labels = {name: t(f"tokenizer.move.{name}") for name in MOVES}
    move_buttons("tokenizer.move", labels, at, last, where, lambda to: state.go(at=to, pair=None))
    left, right = st.columns([1, 1.9], gap="large")
    with left:
        st.markdown(_next_sentence(view, learning, at))
        content: Pairs = {"pairs": _pairs(learning, at), "asked": view.pair}
        drawing.show("tokenizer/pairs", content, t, "tokenizer.pairs", _asked)
    with right:
        st.markdown(_done_sentence(view, learning, at))
        drawing.show("tokenizer/words", _words(learning, at), t, "tokenizer.words")
        _new_word(view, learning, at)
        _where_from(view, learning, at)
    bar.follow()


def _shown(learning: Learning, id: int) -> str:
    return visible(learning.tokens[id].decode("utf-8", "backslashreplace"))


def _pairs(learning: Learning, at: int) -> list[Pair]:
    """The most frequent pairs; the first is the one that is merged next."""
    return [
        {"left": _shown(learning, left), "right": _shown(learning, right), "count": count}
        for (left, right), count in learning.pairs(at)[:PAIRS]
    ]


def _asked(event: drawing.Event) -> None:
    if isinstance(event.get("pair"), int) and 0 <= event["pair"] < PAIRS:
        state.go(pair=None if state.view(TokenizerView).pair == event["pair"] else event["pair"])


def _where_from(view: TokenizerView, learning: Learning, at: int) -> None:
    """The count of the pair that is asked for: for each word, how often it has the pair, times how often it stands in
    the text."""
    t = view.t
    pairs = learning.pairs(at)[:PAIRS]
    if view.pair is None or view.pair >= len(pairs):
        st.caption(t("tokenizer.pair.click"))
        return
    pair, count = pairs[view.pair]
    homes = learning.homes(pair, at)
    left, right = (code(_shown(learning, id)) for id in pair)
    st.markdown(t("tokenizer.pair.count", left=left, right=right))
    rows = [(_whole(learning, word), f"{times} × {frequency}") for word, times, frequency in homes[:_WORDS_SHOWN]]
    if rest := [times * frequency for _, times, frequency in homes[_WORDS_SHOWN:]]:
        rows.append((t("tokenizer.pair.rest", n=t.integer(len(rest))), str(sum(rest))))
    arithmetic_html.steps([*rows, ("=", f"<b>{t.integer(count)}</b>")])


def _whole(learning: Learning, word: int) -> str:
    shown = visible(learning.decode(learning.word(word, 0)).decode("utf-8", "backslashreplace"))
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"


def _words(learning: Learning, at: int) -> CutWords:
    """The beginning of the text as it is cut now; what the last merge made is marked."""
    made = learning.merges[at - 1].token if at else None
    words: list[CutWord] = [
        {"pieces": [{"text": _shown(learning, id), "new": id == made} for id in word[:LONGEST_WORD]]}
        for word in learning.text(at, WORDS)
    ]
    return {"text": words, "more": max(0, len(learning.order) - WORDS)}


def _new_word(view: TokenizerView, learning: Learning, at: int) -> None:
    """A word of the visitor's own, cut by what is learned so far: merge after merge, the oldest first."""
    t = view.t
    st.text_input(
        t("tokenizer.new_word"),
        max_chars=WORD_LIMIT,
        placeholder=t("tokenizer.new_word_example"),
        width=widgets.px(320),
        **state.bound("word"),
    )
    word = view.word or t("tokenizer.new_word_example")
    steps = learning.steps(word.encode("utf-8", "replace"), at)
    words: list[CutWord] = [
        {
            "pieces": [{"text": _shown(learning, id), "new": is_next} for id, is_next in _next_merge(ids, pair)],
            "then": pair is not None,
        }
        for ids, pair in steps
    ]
    content: CutWords = {"text": words, "more": 0}
    drawing.show("tokenizer/words", content, t, "tokenizer.new_word_cut")


def _next_merge(ids: Sequence[int], pair: tuple[int, int] | None) -> list[tuple[int, bool]]:
    """The tokens of a word, each with whether it is merged next."""
    merging: set[int] = set()
    for i in range(len(ids) - 1):
        if tuple(ids[i : i + 2]) == pair and i not in merging:
            merging |= {i, i + 1}
    return [(id, i in merging) for i, id in enumerate(ids)]


def _next_sentence(view: TokenizerView, learning: Learning, at: int) -> str:
    t = view.t
    pairs = learning.pairs(at)
    if not pairs:
        return t("tokenizer.learned_all")
    (left, right), count = pairs[0]
    n_ties = sum(1 for _, other in pairs if other == count)
    key = "tokenizer.winner_tied" if n_ties > 1 else "tokenizer.winner"
    return t(
        key,
        left=code(_shown(learning, left)),
        right=code(_shown(learning, right)),
        count=t.integer(count),
        ties=t.integer(n_ties),
        total=t.integer(len(pairs)),
    )


def _done_sentence(view: TokenizerView, learning: Learning, at: int) -> str:
    t = view.t
    facts = t(
        "tokenizer.learning_facts" if shows(view.depth, "formula") else "tokenizer.learning_length",
        n=t.integer(learning.lengths[at]),
        before=t.integer(learning.lengths[0]),
        d_vocab=t.integer(learning.d_vocab(at)),
        ln=t.number(learning.ln_d_vocab(at)),
    )
    if not at:
        return f"{t('tokenizer.bytes_first')}  \n{facts}"
    merge = learning.merges[at - 1]
    left, right = (code(_shown(learning, id)) for id in merge.pair)
    made = t(
        "tokenizer.merged",
        left=left,
        right=right,
        token=code(_shown(learning, merge.token)),
        id=merge.token,
        count=t.integer(merge.count),
    )
    return f"{made}  \n{facts}"
