"""What a chat model really reads: the one text that the template writes, and its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.ui import pieces, state
from lmviz.ui.chat.view import LEARNED, TEMPLATE_LIMIT, TEMPLATES, View
from lmviz.ui.pieces import Piece
from lmviz.ui.text import code, integer, text, visible

if TYPE_CHECKING:
    from lmviz.model.tokenizer import Tokenizer
    from lmviz.tokens.chat import Chat
    from lmviz.tokens.template import Message, Template
    from lmviz.workbench import Workbench

HEIGHT = 430  # pixels


def choices(bench: Workbench, view: View) -> None:
    """Template, tokenizer, and whether the text ends where the assistant begins."""
    names = [LEARNED, *bench.models()]
    with st.container(horizontal=True, vertical_alignment="bottom", key="chat_choices"):
        st.selectbox(
            text(view.lang, "chat.template"),
            TEMPLATES,
            format_func=lambda name: text(view.lang, f"chat.template.{name}"),
            width=230,
            **state.bound("template"),
        )
        st.selectbox(
            text(view.lang, "chat.tokenizer"),
            names if view.tokenizer in names else [*names, view.tokenizer],
            format_func=lambda name: text(view.lang, "chat.tokenizer.learned") if name == LEARNED else name,
            width=230,
            help=text(view.lang, "chat.tokenizer_help"),
            **state.bound("tokenizer"),
        )
        st.toggle(text(view.lang, "chat.asks"), help=text(view.lang, "chat.asks_help"), **state.bound("asks"))


def what_is_read(bench: Workbench, view: View) -> None:
    from lmviz.tokens.template import Message

    turns = tuple(Message(role, content) for role, content in view.turns)
    template = _template(bench, view)
    tokenizer = _tokenizer(bench, view, template, turns)
    chat = bench.chat(tokenizer, turns, template, view.asks)
    counts = {"messages": len(turns), "characters": len(chat.text), "tokens": len(chat.tokens), "n": sum(chat.special)}
    st.markdown(text(view.lang, "chat.counts", **{name: integer(view.lang, n) for name, n in counts.items()}))
    pieces.show(_boxes(chat), view.lang, "chat.pieces", height=HEIGHT, empty=text(view.lang, "chat.empty"))
    for name, n in chat.spelled_out:
        st.caption(f":orange-badge[!] {text(view.lang, 'chat.spelled_out', token=code(visible(name)), n=n)}")
    with st.expander(text(view.lang, "chat.text"), icon=":material/notes:"):
        st.code(chat.text, language=None, wrap_lines=True)


def _template(bench: Workbench, view: View) -> Template:
    from lmviz.tokens.template import CHATML, Template

    if view.template == "written":
        return Template(_written(view))
    if view.template == "own":
        found = None if view.tokenizer == LEARNED else bench.chat_template(view.tokenizer)
        if found is not None:
            return found
        st.caption(f":orange-badge[!] {text(view.lang, 'chat.no_template')}")
    return Template(CHATML)


def _written(view: View) -> str:
    """The visitor's own template; ChatML to begin with."""
    from lmviz.tokens.template import CHATML

    st.session_state["chat.source"] = view.source or CHATML.replace("%}{", "%}\n{")
    st.text_area(
        text(view.lang, "chat.source"),
        key="chat.source",
        height=150,
        max_chars=TEMPLATE_LIMIT,
        on_change=lambda: state.go(source=st.session_state["chat.source"]),
    )
    written: str = st.session_state["chat.source"]
    return written


def _tokenizer(bench: Workbench, view: View, template: Template, turns: tuple[Message, ...]) -> Tokenizer:
    if view.tokenizer != LEARNED:
        return bench.tokenizer(view.tokenizer)
    return bench.chat_tokenizer("\n".join(turn.content for turn in turns))


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
