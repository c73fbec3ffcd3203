"""A text cut into pieces: their ids, where they stand, and the bytes behind each."""

from __future__ import annotations

import streamlit as st

from lmviz.model.tokenizer import Tokens
from lmviz.services.services import Services
from lmviz.tokens.vocabulary import Vocabulary
from lmviz.ui import pieces, state, widgets
from lmviz.ui.depth import shows
from lmviz.ui.pieces import Piece
from lmviz.ui.text import code, visible
from lmviz.ui.tokenizer import choices
from lmviz.ui.tokenizer.view import TokenizerView


def pieces_of_text(services: Services, view: TokenizerView) -> None:
    t = view.t
    found = choices.chosen(services, view)
    if found is None:
        return
    tokenizer, vocabulary = found
    tokens = tokenizer.encode(view.cut)
    counts = {"tokens": len(tokens), "characters": len(view.cut), "d_vocab": tokenizer.d_vocab}
    st.markdown(t("tokenizer.counts", **{k: t.integer(n) for k, n in counts.items()}))
    pieces.show(
        boxes(tokens, vocabulary),
        t,
        "tokenizer.pieces",
        lambda at: state.go(piece=None if state.view(TokenizerView).piece == at else at),
        view.piece,
        height=300,
        roomy=True,
        empty=t("tokenizer.no_pieces"),
    )
    dropped = "".join(part for _, part in tokens.dropped)
    if dropped:
        st.warning(t("tokenizer.dropped", parts=code(visible(dropped))))
    if any(tokens.unknown):
        st.warning(t("tokenizer.unknown", n=sum(tokens.unknown)))
    if view.piece is not None and view.piece < len(tokens):
        _about(view, tokens, vocabulary, view.piece)
    elif len(tokens):
        st.caption(t("tokenizer.hint"))
    _all(view, tokens, vocabulary)


def boxes(tokens: Tokens, vocabulary: Vocabulary) -> list[Piece]:
    """One box per token: coloured in turn, its id below."""
    found = []
    for at, (id, piece, unknown) in enumerate(zip(tokens.ids, tokens.pieces, tokens.unknown, strict=True)):
        special = id in vocabulary.special
        marks = (*(("special",) if special else ()), *(("unknown",) if unknown else ()))
        sign = "?" if unknown else "★" if special else ""
        found.append(Piece(piece, str(id), marks, sign, hue=at, breaks=piece.endswith("\n"), key=at))
    return found


def _about(view: TokenizerView, tokens: Tokens, vocabulary: Vocabulary, at: int) -> None:
    start, end = tokens.offsets[at]
    behind = vocabulary.bytes(tokens.ids[at])
    where = "" if end - start > 1 else ".single" if end > start else ".none"
    st.markdown(
        view.t(
            f"tokenizer.about{where if shows(view.depth, 'ids') else '.story'}",
            piece=code(visible(tokens.pieces[at])),
            at=at,
            id=tokens.ids[at],
            start=start,
            end=end - 1,
            n=len(behind),
            bytes=hexadecimal(behind),
        )
    )


def hexadecimal(behind: bytes) -> str:
    return " ".join(f"{byte:02x}" for byte in behind)


def _all(view: TokenizerView, tokens: Tokens, vocabulary: Vocabulary) -> None:
    with st.expander(view.t("tokenizer.table"), icon=":material/table_rows:"):
        names = ("pos", "piece", "id", "offsets", "bytes")
        pos, piece, id, offsets, behind = (view.t(f"tokenizer.table.{name}") for name in names)
        st.dataframe(
            {
                pos: list(range(len(tokens))),
                piece: [visible(one) for one in tokens.pieces],
                id: list(tokens.ids),
                offsets: [f"{start}–{end}" for start, end in tokens.offsets],
                behind: [hexadecimal(vocabulary.bytes(one)) for one in tokens.ids],
            },
            hide_index=True,
            key=widgets.table_key("tokenizer.all"),
            height=widgets.px(360),
        )
