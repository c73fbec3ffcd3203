"""A vocabulary taken apart: what kinds of tokens there are, how many of each, and which."""

from __future__ import annotations

import streamlit as st

from lmviz.model.tokenizer import Tokenizer
from lmviz.services.services import Services
from lmviz.tokens.analysis import KINDS, Analysis, variants
from lmviz.ui import drawing, pieces, state, widgets
from lmviz.ui.pieces import Piece
from lmviz.ui.text import visible
from lmviz.ui.tokenizer import choices
from lmviz.ui.tokenizer.cutting import hexadecimal
from lmviz.ui.tokenizer.pictures_types import Kind, Kinds, Variant, Variants
from lmviz.ui.tokenizer.view import CASES, TokenizerView

ROWS = 500  # of the list at once
LONGEST = 24
WORD_LIMIT = 60


def taken_apart(services: Services, view: TokenizerView) -> None:
    found = choices.chosen(services, view)
    if found is None:
        return
    tokenizer, vocabulary = found
    analysis = services.tokenizers.analysis(vocabulary)
    left, right = st.columns([1, 1.5], gap="large")
    with left:
        _kinds(view, analysis)
        _word(view, tokenizer)
    with right:
        _list(view, analysis)


def _kinds(view: TokenizerView, analysis: Analysis) -> None:
    """How many of each kind; a click chooses one."""
    t = view.t
    total = len(analysis.texts)
    st.markdown(t("tokenizer.d_vocab", n=t.integer(total)))
    rows: list[Kind] = [
        {"name": kind, "title": t(f"tokenizer.kind.{kind}"), "count": count}
        for kind, count in analysis.counts().items()
        if count
    ]

    def choose(event: drawing.Event) -> None:
        kind = str(event.get("name"))
        if any(row["name"] == kind for row in rows):
            state.go(kind="" if state.view(TokenizerView).kind == kind else kind)

    content: Kinds = {"rows": rows, "chosen": view.kind, "total": total}
    drawing.show("tokenizer/kinds", content, t, "tokenizer.kinds", choose)


def _list(view: TokenizerView, analysis: Analysis) -> None:
    """The tokens of the chosen kind, case and spelling."""
    t = view.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        widgets.selectbox(
            t("tokenizer.case"),
            CASES,
            format_func=lambda case: t(f"tokenizer.case.{case or 'any'}"),
            width=230,
            **state.bound("case"),
        )
        st.text_input(t("tokenizer.find"), max_chars=40, icon=":material/search:", **state.bound("find"))
    ids = analysis.ids(view.kind or None, view.case or None, view.find)
    kind = t(f"tokenizer.kind.{view.kind}") if view.kind else t("tokenizer.kind.any")
    st.markdown(t("tokenizer.found", kind=kind, n=t.integer(len(ids))))
    if not len(ids):
        return
    st.markdown(f"**{t('tokenizer.longest')}**")
    texts = ids if view.kind else ids[analysis.kinds[ids] >= KINDS.index("blank")]  # what stands for text
    longest = [Piece(analysis.texts[id], str(id)) for id in analysis.longest(texts, LONGEST).tolist()]
    pieces.show(longest, t, "tokenizer.longest", height=150)
    if view.case == "upper":
        _capitals(view, analysis)
    id_title, piece_title, bytes_title = (t(f"tokenizer.table.{name}") for name in ("id", "piece", "bytes"))
    shown = ids[:ROWS].tolist()
    st.dataframe(
        {
            id_title: shown,
            piece_title: [visible(analysis.texts[id]) for id in shown],
            bytes_title: [hexadecimal(analysis.vocabulary.bytes(id)) for id in shown],
        },
        hide_index=True,
        height=widgets.px(300),
        key=widgets.table_key("tokenizer.list"),
    )
    if len(ids) > ROWS:
        st.caption(t("tokenizer.first_rows", n=t.integer(ROWS)))


def _capitals(view: TokenizerView, analysis: Analysis) -> None:
    """Tokens all in capitals, by their number of letters."""
    found = analysis.capitals_by_length(view.kind or None)
    if found:
        counts = ", ".join(f"{length} → {view.t.integer(len(ids))}" for length, ids in list(found.items())[:12])
        st.markdown(view.t("tokenizer.capitals", counts=counts))


def _word(view: TokenizerView, tokenizer: Tokenizer) -> None:
    """One word in small and capital letters, after a space, with signs around it."""
    t = view.t
    st.markdown(f"**{t('tokenizer.word')}**")
    st.text_input(
        t("tokenizer.word"),
        placeholder=t("tokenizer.word_example"),
        label_visibility="collapsed",
        max_chars=WORD_LIMIT,
        **state.bound("word"),
    )
    word = view.word or t("tokenizer.word_example")
    rows: list[Variant] = [
        {
            "text": visible(variant.text),
            "pieces": [
                {"text": visible(piece), "id": id}
                for piece, id in zip(variant.tokens.pieces, variant.tokens.ids, strict=True)
            ],
            "same": variant.keeps_ids,
        }
        for variant in variants(tokenizer, word)
    ]
    content: Variants = {"rows": rows}
    drawing.show("tokenizer/variants", content, t, "tokenizer.variants")
