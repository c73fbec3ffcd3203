"""Characters, words and byte pairs on the same text: what each costs."""

from __future__ import annotations

import streamlit as st

from lmviz.services.services import Services
from lmviz.services.tokenizers import LEARNED
from lmviz.tokens.comparing import Cut, cuts
from lmviz.ui import arithmetic_html, pieces
from lmviz.ui.text import Translator
from lmviz.ui.tokenizer.cutting import boxes
from lmviz.ui.tokenizer.view import TokenizerView

SHOWN = 400  # pieces of each


def side_by_side(services: Services, view: TokenizerView) -> None:
    t = view.t
    kinds = ("characters", "bpe", "words")
    assert set(kinds) == set(LEARNED)
    made = cuts(view.cut, {kind: services.tokenizers.tokenizer(kind, view.source, view.merges) for kind in kinds})
    for cut, column in zip(made, st.columns(3, gap="medium"), strict=True):
        with column:
            st.markdown(f"## {t(f'tokenizer.name.{cut.kind}')}")
            st.markdown(_facts(t, cut))
            shown = boxes(cut.tokens, services.tokenizers.vocabulary(cut.tokenizer))[:SHOWN]
            pieces.show(shown, t, f"tokenizer.compare.{cut.kind}", height=330)
            if n_unknown := sum(cut.tokens.unknown):
                st.caption(f":orange-badge[?] {t('tokenizer.unknown', n=n_unknown)}")
            if cut.n_dropped:
                st.caption(f":orange-badge[−] {t('tokenizer.n_dropped', n=cut.n_dropped)}")
            if not cut.is_whole:
                st.caption(t("tokenizer.not_whole"))
    st.caption(t("tokenizer.compare_help"))


def _facts(t: Translator, cut: Cut) -> str:
    """Its numbers."""
    n = len(cut.tokens)
    line = arithmetic_html.equation(t, "{n} × {ln}", cut.nats, 2, n=n, ln=cut.ln_d_vocab)
    return t(
        "tokenizer.facts",
        n=t.integer(n),
        d_vocab=t.integer(cut.d_vocab),
        ln=line.numbers["ln"],
        line=line.bold,
        per=t.number(cut.characters_per_token, 1),
    )
