"""A log that someone pasted: what was taken for what, to be corrected, and what the doctor says of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from lmviz.debug.doctor.log import Log
from lmviz.debug.logs.reader import MOST_CHARACTERS
from lmviz.debug.logs.roles import ROLES as ALL
from lmviz.debug.logs.roles import Role
from lmviz.debug.logs.taken import Taken
from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.errors import UserError
from lmviz.services.services import Services
from lmviz.ui import state, widgets
from lmviz.ui.debugging.view import View
from lmviz.ui.debugging.words import said
from lmviz.ui.text import Language, code, error_text, integer, shortened, text

LOG, ROLES = "debug.log", "debug.log.roles"
MOST_SHOWN = 40  # names


def section(services: Services, view: View) -> Log | None:
    """The box for the log, and below it what was read; None if nothing can be judged."""
    lang = view.lang
    st.markdown(text(lang, "doctor.log_help"))
    st.session_state.setdefault(LOG, state.remember(LOG, ""))
    st.text_area(
        text(lang, "doctor.log"),
        height=230,
        max_chars=MOST_CHARACTERS,
        placeholder="step 100: loss 2.31, val loss 2.40",
        key=LOG,
        on_change=lambda: put(st.session_state[LOG]),
    )
    st.number_input(text(lang, "doctor.d_vocab"), 0, 10_000_000, **state.bound("d_vocab"))
    st.button(
        text(lang, "doctor.example"), icon=":material/content_paste:", key="log.example",
        on_click=lambda: _example(services),
    )  # fmt: skip
    return _read(services, view) if st.session_state[LOG].strip() else None


def put(log: str) -> None:
    """Another log, of which nothing has been chosen yet."""
    state.keep(LOG, log)
    state.keep(ROLES, {})


def _example(services: Services) -> None:
    """The log of a real training whose learning rate is too high, run here and now."""
    history = services.pitfalls.result(PITFALLS["rate_too_high"].sick).history
    st.session_state[LOG] = "\n".join(f"step {step}: loss {loss:.4f}" for step, loss in history.losses)
    put(st.session_state[LOG])


def _read(services: Services, view: View) -> Log | None:
    lang, log = view.lang, st.session_state[LOG]
    roles: dict[str, Role] = state.remember(ROLES, {})
    try:
        found = services.doctor.columns(log, roles)
    except UserError as error:
        st.warning(error_text(lang, error))
        return None
    try:
        read = services.doctor.log(log, view.d_vocab or None, roles)
    except UserError as error:
        st.warning(error_text(lang, error))
        _table(lang, found, is_open=True)
        return None
    _told(lang, read)
    guessed = [one for one in found if one.guessed and one.role]
    if guessed:
        names = ", ".join(
            text(lang, "doctor.log.as", name=_name(lang, one), role=_role(lang, one.role)) for one in guessed
        )
        st.info(text(lang, "doctor.log.guessed", names=names), icon=":material/help:")
    _table(lang, found, is_open=bool(guessed))
    return read


def _told(lang: Language, log: Log) -> None:
    """How much was read, where, and what was not."""
    n = {"n": integer(lang, log.n_read), "skipped": integer(lang, log.n_skipped)}
    said_of = [text(lang, "doctor.read", **n), text(lang, f"doctor.log.axis.{log.axis}")]
    if log.n_unmeasured:
        said_of.append(text(lang, "doctor.log.unmeasured", n=integer(lang, log.n_unmeasured)))
    if log.n_anew:
        said_of.append(text(lang, "doctor.log.anew", n=integer(lang, log.n_anew)))
    if log.n_same:
        said_of.append(text(lang, "doctor.log.same", n=integer(lang, log.n_same)))
    if log.n_left_out:
        said_of.append(text(lang, "doctor.log.left_out", n=integer(lang, log.n_left_out)))
    st.caption(" ".join(said_of))
    for line, example in log.skipped[:1]:
        st.caption(text(lang, "doctor.log.skipped", line=integer(lang, line), words=code(shortened(example, 120))))


def _table(lang: Language, found: Sequence[Taken], is_open: bool) -> None:
    """Every name in the log with its numbers and its role, which can be changed."""
    shown = sorted((one for one in found if one.n), key=lambda one: (not one.role, -one.n, one.column))
    if not shown:
        return
    with st.expander(text(lang, "doctor.log.table"), icon=":material/table:", expanded=is_open):
        st.caption(text(lang, "doctor.log.table_help"))
        for one in shown[:MOST_SHOWN]:
            _row(lang, one)
        if len(shown) > MOST_SHOWN:
            st.caption(text(lang, "doctor.log.more", n=integer(lang, len(shown) - MOST_SHOWN)))


def _row(lang: Language, one: Taken) -> None:
    key = f"log.role.{one.label}"
    st.session_state[key] = one.role
    numbers = {"n": integer(lang, one.n), "first": said(lang, one.first), "last": said(lang, one.last)}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{_name(lang, one)} :small[{text(lang, 'doctor.log.numbers', **numbers)}]", width=200)
        widgets.selectbox(
            text(lang, "doctor.log.role", name=shortened(one.label)),
            ALL,
            key=key,
            format_func=lambda role: _role(lang, role),
            on_change=lambda: _choose(one.label, st.session_state[key]),
            label_visibility="collapsed",
            width=190,
        )


def _name(lang: Language, one: Taken) -> str:
    """How the log calls it; of a number without a name, where it stands."""
    if (place := re.fullmatch(r"(column |#)(\d+)", one.label)) is None:
        return code(shortened(one.label))
    return text(lang, "doctor.log.column" if place[1] == "column " else "doctor.log.place", n=place[2])


def _choose(label: str, role: Role) -> None:
    state.keep(ROLES, {**state.remember(ROLES, {}), label: role})


def _role(lang: Language, role: Role) -> str:
    return text(lang, f"doctor.role.{role or 'nothing'}")
