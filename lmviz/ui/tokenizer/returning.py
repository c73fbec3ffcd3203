"""A text to ids and back: what came through, what was lost, and what came out in its place."""

from __future__ import annotations

import streamlit as st

from lmviz.services.services import Services
from lmviz.tokens.round_trip import Span, round_trip
from lmviz.ui import pieces
from lmviz.ui.pieces import Piece
from lmviz.ui.tokenizer import choices
from lmviz.ui.tokenizer.view import TokenizerView


def there_and_back(services: Services, view: TokenizerView) -> None:
    t = view.t
    found = choices.chosen(services, view)
    if found is None:
        return
    tokenizer, _ = found
    tokens = tokenizer.encode(view.cut)
    spans = round_trip(tokenizer, view.cut)
    n_changed = sum(not span.is_kept for span in spans)
    if n_changed:
        st.warning(t("tokenizer.changed", n=n_changed), icon=":material/call_split:")
    else:
        st.success(t("tokenizer.unchanged"), icon=":material/check:")
    st.markdown(f"**{t('tokenizer.trip.text')}**")
    pieces.show(_before(spans), t, "tokenizer.trip.before", roomy=True, height=140)
    st.markdown(f"**{t('tokenizer.trip.ids', n=len(tokens))}**")
    st.code(" ".join(map(str, tokens.ids)) or "–", language=None, wrap_lines=True)
    st.markdown(f"**{t('tokenizer.trip.back')}**")
    pieces.show(_after(spans), t, "tokenizer.trip.after", roomy=True, height=140)


def _before(spans: tuple[Span, ...]) -> list[Piece]:
    return [
        Piece(span.before) if span.is_kept else Piece(span.before, marks=("lost",), sign="−")
        for span in spans
        if span.before
    ]


def _after(spans: tuple[Span, ...]) -> list[Piece]:
    return [
        Piece(span.after) if span.is_kept else Piece(span.after, marks=("added",), sign="+")
        for span in spans
        if span.after
    ]
