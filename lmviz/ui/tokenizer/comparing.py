"""Characters, words and byte pairs on the same text: what each costs."""

from __future__ import annotations

import streamlit as st

from lmviz.services.services import Services
from lmviz.services.tokenizers import LEARNED
from lmviz.tokens.comparing import Cut, cuts
from lmviz.ui import pieces, worked
from lmviz.ui.text import Language, integer, number, text
from lmviz.ui.tokenizer.cutting import boxes
from lmviz.ui.tokenizer.view import View

SHOWN = 400  # pieces of each


def side_by_side(services: Services, view: View) -> None:
    kinds = ("characters", "bpe", "words")
    assert set(kinds) == set(LEARNED)
    made = cuts(view.cut, {kind: services.tokenizers.tokenizer(kind, view.source, view.merges) for kind in kinds})
    for cut, column in zip(made, st.columns(3, gap="medium"), strict=True):
        with column:
            st.markdown(f"##### {text(view.lang, f'tokenizer.name.{cut.kind}')}")
            st.markdown(_facts(view.lang, cut))
            shown = boxes(cut.tokens, services.tokenizers.vocabulary(cut.tokenizer))[:SHOWN]
            pieces.show(shown, view.lang, f"tokenizer.compare.{cut.kind}", height=330)
            if n_unknown := sum(cut.tokens.unknown):
                st.caption(f":orange-badge[?] {text(view.lang, 'tokenizer.unknown', n=n_unknown)}")
            if cut.n_dropped:
                st.caption(f":orange-badge[−] {text(view.lang, 'tokenizer.n_dropped', n=cut.n_dropped)}")
            if not cut.is_whole:
                st.caption(text(view.lang, "tokenizer.not_whole"))
    st.caption(text(view.lang, "tokenizer.compare_help"))


def _facts(lang: Language, cut: Cut) -> str:
    """Its numbers."""
    n = len(cut.tokens)
    line = worked.equation(lang, "{n} × {ln}", cut.nats, 2, n=n, ln=cut.ln_d_vocab)
    return text(
        lang,
        "tokenizer.facts",
        n=integer(lang, n),
        d_vocab=integer(lang, cut.d_vocab),
        ln=line.numbers["ln"],
        line=line.bold,
        per=number(lang, cut.characters_per_token, 1),
    )
