"""Whose a run is, as far as a browser can tell: so that nobody stops, renames or deletes another's by accident."""

from __future__ import annotations

import re
from uuid import uuid4

import streamlit as st

from lmviz.train.store.run_table import TrainingRun
from lmviz.ui import drawing, state
from lmviz.ui.text import Translator, plain
from lmviz.ui.training.pictures_types import Owner

_TOKEN = re.compile(r"[0-9a-f]{32}")
_TOKENS = "owner.tokens"


def ask(t: Translator) -> None:
    """Let the browser say who it is; one that does not know yet keeps the number that this session has drawn."""
    with st.container(key="owner"):  # of which nothing is seen
        known = tokens()
        content: Owner = {"fresh": known[-1], "known": list(known)}
        drawing.show("training/owner", content, t, "owner_of_runs", _keep_token)


def tokens() -> tuple[str, ...]:
    """The numbers by which this visitor's runs are known; the last one is given to new runs."""
    known: tuple[str, ...] = state.remember(_TOKENS, ())
    if not known:
        known = (uuid4().hex,)
        state.keep(_TOKENS, known)
    return known


def _keep_token(event: drawing.Event) -> None:
    token = event.get("owner")
    if isinstance(token, str) and _TOKEN.fullmatch(token):
        state.keep(_TOKENS, tuple(dict.fromkeys((*tokens(), token))))


def is_mine(run: TrainingRun) -> bool:
    """Whether this browser started it, or nobody knows who did."""
    return not run.owner or run.owner in tokens()


def has_confirmed(run: TrainingRun) -> bool:
    """Whether it is this visitor's, or they said that they mean it all the same."""
    return is_mine(run) or bool(st.session_state.get(_key(run), False))


def _key(run: TrainingRun) -> str:
    return f"theirs {run.id}"


def may_change(run: TrainingRun, t: Translator) -> bool:
    """Whether this visitor may stop, rename or delete a run; of somebody else's, only after saying that it is meant."""
    if is_mine(run):
        return True
    with st.popover(t("train.theirs"), icon=":material/person:", key="theirs"):
        st.markdown(t("train.theirs.say", name=plain(run.name)))
        return st.checkbox(t("train.theirs.sure"), key=_key(run))
