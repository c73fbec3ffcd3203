"""The messages of a chat: who says what, in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from lmviz.ui import state, widgets
from lmviz.ui.chat.view import GIVEN_LIMIT, LONGEST, MESSAGE_LIMIT, MOST_MESSAGES, ROLES, UNWRITTEN, ChatView, Turn

EXAMPLE = """{"tools": [{"type": "function", "function": {
  "name": "weather", "description": "…",
  "parameters": {"type": "object", "properties": {}}}}],
 "enable_thinking": false}"""


def editor(view: ChatView, below: Callable[[int], None]) -> None:
    """A card for each message; `below` draws what belongs under one."""
    for at, turn in enumerate(view.turns):
        _message(view, at, turn)
        below(at)


def controls(view: ChatView) -> None:
    """Another message, and the way back to the example."""
    with st.container(horizontal=True):
        st.button(
            view.t("chat.add"),
            key="chat.add",
            icon=":material/add:",
            disabled=len(view.turns) >= MOST_MESSAGES,
            on_click=_add,
        )
        st.button(
            view.t("chat.reset"),
            key="chat.reset",
            icon=":material/replay:",
            disabled=view.messages is None,
            on_click=lambda: state.go(messages=None, **UNWRITTEN),
        )


def _message(view: ChatView, at: int, turn: Turn) -> None:
    t = view.t
    role, content, more = (f"chat.{name}.{at}" for name in ("role", "content", "more"))
    st.session_state[role], st.session_state[content], st.session_state[more] = turn

    def changed() -> None:
        _change(_put(_turns(), at, tuple(st.session_state[key] for key in (role, content, more))))

    with st.container(border=True, key=f"chat_message_{at}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            widgets.selectbox(
                t("chat.role"),
                ROLES,
                key=role,
                label_visibility="collapsed",
                width=160,
                format_func=lambda name: t(f"chat.role.{name}"),
                on_change=changed,
            )
            st.space("stretch")
            if view.model is not None and turn[0] == "assistant" and view.answer != at:
                look = {"answer": at, "n": LONGEST, "at": -1}
                _button(view, at, "look", ":material/edit_note:", False, lambda: state.go(**look))
            _button(view, at, "up", ":material/arrow_upward:", at == 0, lambda: _change(_swapped(_turns(), at)))
            _button(view, at, "remove", ":material/delete:", False, lambda: _change(_without(_turns(), at)))
        st.text_area(
            t("chat.content"),
            key=content,
            label_visibility="collapsed",
            placeholder=t("chat.content"),
            height=widgets.px(68),
            max_chars=MESSAGE_LIMIT,
            on_change=changed,
        )
        if turn[2] or turn[0] == "tool" or (view.given and turn[0] == "assistant"):
            st.text_input(
                t("chat.more"),
                key=more,
                placeholder='{"tool_calls": [{"function": {"name": "…", "arguments": {}}}]}',
                max_chars=MESSAGE_LIMIT,
                on_change=changed,
            )


def template_inputs(view: ChatView) -> None:
    """Tools, and whatever else the template may read."""
    t = view.t
    with st.expander(t("chat.given"), icon=":material/build:", expanded=bool(view.given)):
        st.text_area(
            t("chat.given_label"),
            placeholder=EXAMPLE,
            height=widgets.px(150),
            max_chars=GIVEN_LIMIT,
            help=t("chat.given_help"),
            **state.bound("given"),
        )


def _button(view: ChatView, at: int, name: str, icon: str, disabled: bool, act: Any) -> None:
    st.button(
        icon,
        key=f"chat.{name}.{at}",
        help=view.t(f"chat.{name}"),
        type="tertiary",
        disabled=disabled,
        on_click=act,
    )


def _turns() -> tuple[Turn, ...]:
    """The messages as they are now: one that was being written is taken with the press that came after it."""
    return state.view(ChatView).turns


def _add() -> None:
    turns = _turns()
    answers = bool(turns) and turns[-1][0] == "user"
    _change((*turns, ("assistant" if answers else "user", "", "")))


def _change(turns: tuple[Turn, ...]) -> None:
    state.go(messages=turns, **UNWRITTEN)


def _put(turns: tuple[Turn, ...], at: int, turn: Turn) -> tuple[Turn, ...]:
    return (*turns[:at], turn, *turns[at + 1 :])


def _without(turns: tuple[Turn, ...], at: int) -> tuple[Turn, ...]:
    return (*turns[:at], *turns[at + 1 :])


def _swapped(turns: tuple[Turn, ...], at: int) -> tuple[Turn, ...]:
    """A message moves up by one."""
    return (*turns[: at - 1], turns[at], turns[at - 1], *turns[at + 1 :])
