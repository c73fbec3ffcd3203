"""Which tokenizer, which text, and, where it is learned, from what."""

from __future__ import annotations

import streamlit as st

from lmviz.errors import UserError
from lmviz.model.tokenizer import Tokenizer
from lmviz.registry.kinds import read_reference
from lmviz.services.services import Services
from lmviz.services.tokenizers import GPT2, LEARNED
from lmviz.tokens.vocabulary import Vocabulary
from lmviz.ui import state, widgets
from lmviz.ui.choices import listed, model_name
from lmviz.ui.text import Translator
from lmviz.ui.tokenizer import own
from lmviz.ui.tokenizer.own import FILE
from lmviz.ui.tokenizer.view import CORPUS_LIMIT, MOST_MERGES, TEXT_LIMIT, TokenizerView

_NEEDS_TEXT = ("pieces", "compare", "trip")
_NEEDS_CORPUS = ("compare", "learn")


def tokenizer_and_text(services: Services, view: TokenizerView) -> None:
    """The row of choices: only what the chosen way of looking needs."""
    t = view.t
    with st.container(horizontal=True, vertical_alignment="bottom", key="tokenizer_choices"):
        if view.tab not in _NEEDS_CORPUS:
            names = [*LEARNED, GPT2, *services.models.sample_names(), FILE]
            widgets.selectbox(
                t("tokenizer.tokenizer"),
                listed(names, str(view.tokenizer)),
                format_func=lambda name: _name(services, t, name),
                width=250,
                **state.bound("tokenizer", piece=None),
            )
        if view.tab in _NEEDS_TEXT:
            _field(view, "text", view.cut, TEXT_LIMIT)
        learned = view.tab in _NEEDS_CORPUS or view.tokenizer in LEARNED
        if learned and view.tab != "learn":
            with st.popover(t("tokenizer.learned_from"), icon=":material/menu_book:"):
                _corpus(view)
        elif learned:
            _field(view, "corpus", view.source, CORPUS_LIMIT)
    if view.tokenizer == FILE and view.tab not in _NEEDS_CORPUS:
        own.upload(t, "tokenizer.file")


def _name(services: Services, t: Translator, name: str) -> str:
    is_a_word = name in (*LEARNED, GPT2, FILE)
    return t(f"tokenizer.name.{name}") if is_a_word else model_name(services, t, read_reference(name))


def _field(view: TokenizerView, name: str, now: str, limit: int) -> None:
    key = f"tokenizer.{name}"
    st.session_state[key] = now
    st.text_area(
        view.t(key),
        key=key,
        height=widgets.px(68),
        max_chars=limit,
        on_change=lambda: state.go(**{name: st.session_state[key], "piece": None}),
    )


def _corpus(view: TokenizerView) -> None:
    _field(view, "corpus", view.source, CORPUS_LIMIT)
    st.number_input(
        view.t("tokenizer.merges"),
        min_value=0,
        max_value=MOST_MERGES,
        help=view.t("tokenizer.merges_help"),
        **state.bound("merges"),
    )


def chosen(services: Services, view: TokenizerView) -> tuple[Tokenizer, Vocabulary] | None:
    """The tokenizer that the view names; None while its file is still to come."""
    if view.tokenizer == FILE:
        found = own.uploaded(services, view.t)
        return None if found is None else (found.tokenizer, found.vocabulary)
    if view.tokenizer == "bpe" and not view.source.strip():
        raise UserError("There is nothing to learn from: type a text.")
    tokenizer = services.tokenizers.tokenizer(view.tokenizer, view.source, view.merges)
    return tokenizer, services.tokenizers.vocabulary(tokenizer)
