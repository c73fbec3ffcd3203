"""The text that a model reads, and the one of its tokens that is followed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from lmviz.registry.recording import Recording
from lmviz.services.services import Services
from lmviz.ui import own_text, state, widgets
from lmviz.ui.embeddings.view import TEXT_LIMIT, EmbeddingsView
from lmviz.ui.text import plain, visible

_MOST_BUTTONS = 40


def prompt(services: Services, view: EmbeddingsView, open_ended: bool = False) -> str:
    """The text to read: typed, or the model's own first one; to answer to, one of its own, which leaves most open."""
    name = "opening" if open_ended else "prompt"
    shown: str | None = getattr(view, name)
    if shown is None:
        shown = services.embeddings.opening(view.model) if open_ended else services.models.first_prompt(view.model)
    anew: dict[str, Any] = {"token": -1, "cell": None, "second": 0}
    st.text_input(
        view.t("embeddings.prompt"),
        max_chars=TEXT_LIMIT,
        width=widgets.px(320),
        **state.bound(name, shown, known=own_text.known(services, view.model), **anew),
    )
    own_text.hint(services, view.t, view.model, shown, lambda text: state.go(**{name: text}, **anew))
    return shown


def followed(run: Recording, view: EmbeddingsView) -> int:
    """The position that is followed, chosen among the tokens."""
    n = len(run.tokens)
    pos = min(view.token, n - 1) % n
    choose: dict[str, Any] = {
        "options": range(n),
        **state.bound("token", pos, cell=None),
    }
    if n <= _MOST_BUTTONS:
        widgets.segmented_control(
            view.t("embeddings.token"),
            format_func=lambda i: plain(visible(run.tokens.pieces[i])),
            required=True,
            **choose,
        )
    else:
        widgets.selectbox(
            view.t("embeddings.token"),
            format_func=lambda i: visible(run.tokens.pieces[i]),
            width=160,
            **choose,
        )
    return pos


def pin(address: str, cell: tuple[int, ...]) -> None:
    """A number that is clicked is worked out; the token in whose row it stands is followed."""
    state.go(cell=(address, cell), **({} if address == "weight" else {"token": cell[-2]}))


def asked(view: EmbeddingsView, address: str, pos: int, width: int) -> EmbeddingsView:
    """The view with a number that is worked out: the one that was clicked, or one of the followed token, by its column:
    a cell is small under a thumb."""
    key, cell = "embeddings.column", view.cell or (address, (pos, 0))
    st.session_state[key] = min(cell[1][-1], width - 1) if cell[0] == address and cell[1] else 0
    st.number_input(
        view.t("embeddings.column"),
        0,
        width - 1,
        key=key,
        width=widgets.px(130),
        on_change=lambda: state.go(cell=(address, (pos, st.session_state[key]))),
    )
    return replace(view, cell=cell)
