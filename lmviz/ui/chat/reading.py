"""What a chat model really reads: the one text that the template writes, and its tokens."""

from __future__ import annotations

from html import escape

import streamlit as st

from lmviz.model.tokenizer import Tokenizer
from lmviz.registry.kinds import read_reference
from lmviz.registry.reference import Reference
from lmviz.services.services import Services
from lmviz.services.tokenizers import CHATML_SPECIALS
from lmviz.tokens.chat import Chat
from lmviz.tokens.template import CHATML, Template, template_json
from lmviz.ui import pieces, shell, state, widgets
from lmviz.ui.chat.view import LEARNED, TEMPLATE_LIMIT, TEMPLATES, UNWRITTEN, ChatView, as_messages
from lmviz.ui.choices import listed, model_name
from lmviz.ui.pieces import Piece
from lmviz.ui.text import Translator, code, visible
from lmviz.ui.tokenizer import own
from lmviz.ui.tokenizer.own import FILE

OPEN = '<pre style="white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1rem; margin: 0">'
HEIGHT = 430  # pixels
_STARTING_POINT = CHATML.replace("%}{", "%}\n{")  # of a template of one's own


def choices(services: Services, view: ChatView) -> None:
    """Template, tokenizer, and whether the text ends where the assistant begins."""
    t = view.t
    with st.container(horizontal=True, vertical_alignment="bottom", key="chat_choices"):
        widgets.selectbox(
            t("chat.template"),
            TEMPLATES,
            format_func=lambda name: t(f"chat.template.{name}"),
            width=230,
            **state.bound("template", view.kind, **UNWRITTEN),
        )
        if view.model is None:
            names = [LEARNED, *services.models.sample_names(), FILE]
            widgets.selectbox(
                t("chat.tokenizer"),
                listed(names, str(view.tokenizer)),
                format_func=lambda name: _name(services, t, name),
                width=230,
                help=t("chat.tokenizer_help"),
                **state.bound("tokenizer"),
            )
        st.toggle(t("chat.asks"), help=t("chat.asks_help"), **state.bound("asks"))
    if view.model is None and view.tokenizer == FILE:
        own.upload(t, "chat.file")


def _name(services: Services, t: Translator, name: str) -> str:
    if name == FILE:
        return t("tokenizer.name.file")
    return t("chat.tokenizer.learned") if name == LEARNED else model_name(services, t, read_reference(name))


def what_is_read(services: Services, view: ChatView) -> None:
    t = view.t
    turns = as_messages(view.turns)
    found = _tokenizer(services, view)
    if found is None:
        return
    tokenizer, of_its_own = found
    if view.kind == "own" and of_its_own is None:
        shell.note(t(_without_template(view, tokenizer)))
    template = _template(view, of_its_own, asks=True)
    if not turns and not template.is_chatml:
        pieces.show([], t, "chat.pieces", empty=t("chat.empty"))
        return
    chat = services.tokenizers.chat(tokenizer, turns, template, view.asks, template_json(view.given))
    counts = {"characters": len(chat.text), "tokens": len(chat.tokens), "special": sum(chat.special)}
    written = {name: t.integer(count) for name, count in counts.items()}
    st.markdown(t("chat.counts", n=len(turns), **written))
    st.caption(t("chat.colours"))
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


def _tokenizer(services: Services, view: ChatView) -> tuple[Tokenizer, Template | None] | None:
    """Whose pieces are shown, and the template that lies beside it; None while the visitor's files are awaited."""
    if view.model is None and view.tokenizer == FILE:
        found = own.uploaded(services, view.t)
        return None if found is None else (found.tokenizer, found.template)
    whose = view.model or view.tokenizer
    if isinstance(whose, Reference):
        return services.tokenizers.tokenizer(whose), services.tokenizers.chat_template(whose)
    return services.tokenizers.chat_tokenizer("\n".join(content for _, content, _ in view.turns)), None


def template_of(services: Services, view: ChatView) -> Template:
    """By which the model that answers is written to."""
    assert view.model is not None
    return _template(view, services.tokenizers.chat_template(view.model))


def _template(view: ChatView, of_its_own: Template | None, asks: bool = False) -> Template:
    """The template that is wanted; ChatML for a tokenizer that brings none.

    Args:
        asks: the field for a template of one's own is drawn.
    """
    if view.kind == "written":
        return Template(_written(view) if asks else view.source or _STARTING_POINT)
    return of_its_own if view.kind == "own" and of_its_own is not None else Template(CHATML)


def _without_template(view: ChatView, tokenizer: Tokenizer) -> str:
    """What to expect of ChatML where there is no template."""
    if view.model is None:
        return "chat.no_template"
    knows = all(tokenizer.id(token) in tokenizer.special_ids for token in CHATML_SPECIALS)
    return "chat.knows_chatml" if knows else "chat.not_trained"


def _written(view: ChatView) -> str:
    """The visitor's own template; ChatML to begin with."""
    st.session_state["chat.source"] = view.source or _STARTING_POINT
    st.text_area(
        view.t("chat.source"),
        key="chat.source",
        height=widgets.px(150),
        max_chars=TEMPLATE_LIMIT,
        on_change=lambda: state.go(source=st.session_state["chat.source"], **UNWRITTEN),
    )
    written: str = st.session_state["chat.source"]
    return written


def _boxes(chat: Chat) -> list[Piece]:
    """One box per token: those that a message says are coloured, special ones are framed twice and starred."""
    return [
        Piece(
            piece,
            str(id),
            ("special",) if special else ("unknown",) if unknown else (),
            "★" if special else "?" if unknown else "",
            hue=at if said and not special else None,
            breaks=piece.endswith("\n"),
        )
        for at, (id, piece, special, unknown, said) in enumerate(
            zip(chat.tokens.ids, chat.tokens.pieces, chat.special, chat.tokens.unknown, chat.said, strict=True)
        )
    ]
