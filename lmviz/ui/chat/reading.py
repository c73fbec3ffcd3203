"""What a chat model really reads: the one text that the template writes, and its tokens."""

from __future__ import annotations

from html import escape

import streamlit as st

from lmviz.registry.kinds import read_reference
from lmviz.registry.reference import Reference
from lmviz.services.services import Services
from lmviz.tokens.chat import Chat
from lmviz.tokens.template import CHATML, Message, Template, json_given
from lmviz.ui import pieces, state, widgets
from lmviz.ui.chat.view import LEARNED, TEMPLATE_LIMIT, TEMPLATES, ChatView
from lmviz.ui.choices import listed, model_name
from lmviz.ui.pieces import Piece
from lmviz.ui.text import Translator, code, visible
from lmviz.ui.tokenizer import own
from lmviz.ui.tokenizer.own import FILE

OPEN = '<pre style="white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1rem; margin: 0">'
HEIGHT = 430  # pixels


def choices(services: Services, view: ChatView) -> None:
    """Template, tokenizer, and whether the text ends where the assistant begins."""
    t = view.t
    names = [LEARNED, *services.models.sample_names(), FILE]
    with st.container(horizontal=True, vertical_alignment="bottom", key="chat_choices"):
        widgets.selectbox(
            t("chat.template"),
            TEMPLATES,
            format_func=lambda name: t(f"chat.template.{name}"),
            width=230,
            **state.bound("template"),
        )
        widgets.selectbox(
            t("chat.tokenizer"),
            listed(names, str(view.tokenizer)),
            format_func=lambda name: _name(services, t, name),
            width=230,
            help=t("chat.tokenizer_help"),
            **state.bound("tokenizer"),
        )
        st.toggle(t("chat.asks"), help=t("chat.asks_help"), **state.bound("asks"))
    if view.tokenizer == FILE:
        own.upload(t, "chat.file")


def _name(services: Services, t: Translator, name: str) -> str:
    if name == FILE:
        return t("tokenizer.name.file")
    return t("chat.tokenizer.learned") if name == LEARNED else model_name(services, t, read_reference(name))


def what_is_read(services: Services, view: ChatView) -> None:
    t = view.t
    turns = tuple(Message(role, content, json_given(more)) for role, content, more in view.turns)
    if view.tokenizer == FILE:
        found = own.uploaded(services, t)
        if found is None:
            return
        tokenizer, of_its_own = found.tokenizer, found.template
    elif not isinstance(view.tokenizer, Reference):
        tokenizer, of_its_own = services.tokenizers.chat_tokenizer("\n".join(turn.content for turn in turns)), None
    else:
        tokenizer, of_its_own = (
            services.tokenizers.tokenizer(view.tokenizer),
            services.tokenizers.chat_template(view.tokenizer),
        )
    template = _template(view, of_its_own)
    chat = services.tokenizers.chat(tokenizer, turns, template, view.asks, json_given(view.given))
    counts = {"characters": len(chat.text), "tokens": len(chat.tokens), "special": sum(chat.special)}
    written = {name: t.integer(count) for name, count in counts.items()}
    st.markdown(t("chat.counts", n=len(turns), **written))
    pieces.show(_boxes(chat), t, "chat.pieces", height=HEIGHT, empty=t("chat.empty"))
    n_dropped = sum(len(part) for _, part in chat.tokens.dropped)
    for name, n in (("n_dropped", n_dropped), ("unknown", sum(chat.tokens.unknown))):
        if n:
            st.caption(f":orange-badge[−] {t(f'tokenizer.{name}', n=n)}")
    for name, n in chat.spelled_out:
        st.caption(f":orange-badge[!] {t('chat.spelled_out', token=code(visible(name)), n=n)}")
    for name in chat.smuggled:
        st.caption(f":orange-badge[!] {t('chat.smuggled', token=code(visible(name)))}")
    with st.expander(t("chat.text"), icon=":material/notes:"):
        st.html(f"{OPEN}{escape(chat.text)}</pre>")


def _template(view: ChatView, of_its_own: Template | None) -> Template:
    """The template that is wanted; ChatML, and a word on it, for a tokenizer that brings none."""
    if view.template == "written":
        return Template(_written(view))
    if view.template == "own":
        if of_its_own is not None:
            return of_its_own
        st.caption(f":orange-badge[!] {view.t('chat.no_template')}")
    return Template(CHATML)


def _written(view: ChatView) -> str:
    """The visitor's own template; ChatML to begin with."""
    st.session_state["chat.source"] = view.source or CHATML.replace("%}{", "%}\n{")
    st.text_area(
        view.t("chat.source"),
        key="chat.source",
        height=150,
        max_chars=TEMPLATE_LIMIT,
        on_change=lambda: state.go(source=st.session_state["chat.source"]),
    )
    written: str = st.session_state["chat.source"]
    return written


def _boxes(chat: Chat) -> list[Piece]:
    """One box per token; special ones are framed twice and starred."""
    return [
        Piece(
            piece,
            str(id),
            ("special",) if special else ("unknown",) if unknown else (),
            "★" if special else "?" if unknown else "",
            hue=None if special else at,
            breaks=piece.endswith("\n"),
        )
        for at, (id, piece, special, unknown) in enumerate(
            zip(chat.tokens.ids, chat.tokens.pieces, chat.special, chat.tokens.unknown, strict=True)
        )
    ]
