"""A log that someone pasted: what was taken for what, to be corrected, and what the doctor says of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from lmviz.debug.doctor.log import Log
from lmviz.debug.logs.column_roles import ColumnRole
from lmviz.debug.logs.reader import MOST_CHARACTERS
from lmviz.debug.logs.roles import ROLES as ALL
from lmviz.debug.logs.roles import Role
from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.errors import UserError
from lmviz.services.services import Services
from lmviz.ui import state, widgets
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.debugging.words import value_text
from lmviz.ui.text import Translator, code, shortened

LOG, ROLES = "debug.log", "debug.log.roles"
_MOST_SHOWN = 40  # names


def section(services: Services, view: DebuggingView) -> Log | None:
    """The box for the log, and below it what was read; None if nothing can be judged."""
    t = view.t
    st.markdown(t("doctor.log_help"))
    st.session_state.setdefault(LOG, state.remember(LOG, ""))
    st.text_area(
        t("doctor.log"),
        height=widgets.px(230),
        max_chars=MOST_CHARACTERS,
        placeholder="step 100: loss 2.31, val loss 2.40",
        key=LOG,
        on_change=lambda: put(st.session_state[LOG]),
    )
    st.number_input(t("doctor.d_vocab"), 0, 10_000_000, **state.bound("d_vocab"))
    st.button(
        t("doctor.example"), icon=":material/content_paste:", key="log.example",
        on_click=lambda: _example(services),
    )  # fmt: skip
    return _read(services, view) if st.session_state[LOG].strip() else None


def put(log: str) -> None:
    """Another log, of which nothing has been chosen yet."""
    state.keep(LOG, log)
    state.keep(ROLES, {})


def _example(services: Services) -> None:
    """The log of a real training whose learning rate is too high, run here and now."""
    history = services.pitfalls.result(PITFALLS["rate_too_high"].faulty).history
    st.session_state[LOG] = "\n".join(f"step {step}: loss {loss:.4f}" for step, loss in history.losses)
    put(st.session_state[LOG])


def _read(services: Services, view: DebuggingView) -> Log | None:
    t, log = view.t, st.session_state[LOG]
    roles: dict[str, Role] = state.remember(ROLES, {})
    try:
        found = services.doctor.columns(log, roles)
    except UserError as error:
        st.warning(t.error(error))
        return None
    try:
        read = services.doctor.log(log, view.d_vocab or None, roles)
    except UserError as error:
        st.warning(t.error(error))
        _table(t, found, is_open=True)
        return None
    _show_summary(t, read)
    guessed = [one for one in found if one.guessed and one.role]
    if guessed:
        names = ", ".join(t("doctor.log.as", name=_name(t, one), role=_role(t, one.role)) for one in guessed)
        st.info(t("doctor.log.guessed", names=names), icon=":material/help:")
    _table(t, found, is_open=bool(guessed))
    return read


def _show_summary(t: Translator, log: Log) -> None:
    """How much was read, where, and what was not."""
    n = {"n": t.integer(log.n_read), "skipped": t.integer(log.n_skipped)}
    said_of = [t("doctor.read", **n), t(f"doctor.log.axis.{log.axis}")]
    if log.n_unmeasured:
        said_of.append(t("doctor.log.unmeasured", n=t.integer(log.n_unmeasured)))
    if log.n_anew:
        said_of.append(t("doctor.log.anew", n=t.integer(log.n_anew)))
    if log.n_same:
        said_of.append(t("doctor.log.same", n=t.integer(log.n_same)))
    if log.n_left_out:
        said_of.append(t("doctor.log.left_out", n=t.integer(log.n_left_out)))
    st.caption(" ".join(said_of))
    for line, example in log.skipped[:1]:
        st.caption(t("doctor.log.skipped", line=t.integer(line), words=code(shortened(example, 120))))


def _table(t: Translator, found: Sequence[ColumnRole], is_open: bool) -> None:
    """Every name in the log with its numbers and its role, which can be changed."""
    shown = sorted((one for one in found if one.n), key=lambda one: (not one.role, -one.n, one.column))
    if not shown:
        return
    with st.expander(t("doctor.log.table"), icon=":material/table:", expanded=is_open):
        st.caption(t("doctor.log.table_help"))
        for one in shown[:_MOST_SHOWN]:
            _row(t, one)
        if len(shown) > _MOST_SHOWN:
            st.caption(t("doctor.log.more", n=t.integer(len(shown) - _MOST_SHOWN)))


def _row(t: Translator, one: ColumnRole) -> None:
    key = f"log.role.{one.label}"
    st.session_state[key] = one.role
    numbers = {"n": t.integer(one.n), "first": value_text(t, one.first), "last": value_text(t, one.last)}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{_name(t, one)} :small[{t('doctor.log.numbers', **numbers)}]", width=widgets.px(200))
        widgets.selectbox(
            t("doctor.log.role", name=shortened(one.label)),
            ALL,
            key=key,
            format_func=lambda role: _role(t, role),
            on_change=lambda: _choose(one.label, st.session_state[key]),
            label_visibility="collapsed",
            width=190,
        )


def _name(t: Translator, one: ColumnRole) -> str:
    """How the log calls it; of a number without a name, where it stands."""
    if (place := re.fullmatch(r"(column |#)(\d+)", one.label)) is None:
        return code(shortened(one.label))
    return t("doctor.log.column" if place[1] == "column " else "doctor.log.place", n=place[2])


def _choose(label: str, role: Role) -> None:
    state.keep(ROLES, {**state.remember(ROLES, {}), label: role})


def _role(t: Translator, role: Role) -> str:
    return t(f"doctor.role.{role or 'nothing'}")
