"""What a visitor is looking at. The only reader and writer of st.session_state and st.query_params.

The canonical state is one `View` per browser session. The address bar mirrors it, so that a link, a reload or the back
button brings back exactly that view; widgets mirror it too, and change it through `update`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import streamlit as st

from lmviz.ui.text import DEFAULT, LANGUAGES

GRAINS = ("stage", "line", "op")
_VIEW, _WRITTEN, _NOTES = "lmviz.view", "lmviz.query", "lmviz.notes"

Edit = tuple[str, tuple[int, ...], float]  # address, cell, value; a cell of one number is a head that is switched off


@dataclass(frozen=True)
class View:
    """One visitor's place, in plain types. Defaults are left out of the address bar."""

    lang: str = DEFAULT
    model: str = "small-ever"
    prompt: str | None = None  # None: the model's own first prompt
    step: str = ""  # the address of a step; empty: the tokenizer
    by: str = "stage"
    line: int = -1  # by line: which of the lines that end with that step, from the innermost out
    focus: int = -1  # position of the focus token; negative: from the end
    head: int = 0
    cell: tuple[str, tuple[int, ...]] | None = None  # the pinned cell: the address of its tensor, and its index
    trail: tuple[tuple[str, tuple[int, ...]], ...] = ()  # the cells from which one walked back to the pinned one
    target: str = ""
    temperature: float = 1.0
    grad: bool = False
    digits: int = 2
    edits: tuple[Edit, ...] = ()
    stops: tuple[str, ...] = ()  # breakpoints
    watch: tuple[tuple[str, tuple[int, ...]], ...] = ()
    b_model: str = ""  # the other run that this one is compared with: where it differs
    b_prompt: str = ""
    b_plain: bool = False  # without the edits
    present: bool = False

    @property
    def compares(self) -> bool:
        return bool(self.b_model or self.b_prompt or self.b_plain)

    def query(self) -> dict[str, str]:
        """The view as the address bar shows it."""
        written = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                written[field.name] = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        return written

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> tuple[View, tuple[str, ...]]:
        """The view that an address bar shows, and the names of the parts that made no sense and were left out."""
        found: dict[str, Any] = {}
        wrong = []
        for name, read in _READERS.items():
            if name in query:
                try:
                    found[name] = read(query[name])
                except (ValueError, TypeError, KeyError, IndexError, RecursionError):
                    wrong.append(name)
        return cls(**found), tuple(wrong)


def _choice(options: tuple[str, ...]) -> Any:
    def read(text: str) -> str:
        return options[options.index(text)]

    return read


def _whole(low: int, high: int) -> Any:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _temperature(text: str) -> float:
    value = float(text)
    if not 0.01 <= value <= 10:
        raise ValueError(text)
    return value


def _cell(found: Any) -> tuple[str, tuple[int, ...]]:
    address, index = found
    if not isinstance(address, str) or not all(isinstance(i, int) and i >= 0 for i in index):
        raise ValueError(address)
    return address, tuple(index)


def _edit(found: Any) -> Edit:
    address, index, value = found
    cell = _cell((address, index))
    return cell[0], cell[1], float(value)


_READERS: dict[str, Any] = {
    "lang": _choice(tuple(LANGUAGES)),
    "model": str,
    "prompt": str,
    "step": str,
    "by": _choice(GRAINS),
    "line": _whole(-1, 1000),
    "focus": _whole(-1, 100_000),
    "head": _whole(0, 10_000),
    "cell": lambda text: _cell(json.loads(text)),
    "trail": lambda text: tuple(_cell(one) for one in json.loads(text)[:50]),
    "target": str,
    "temperature": _temperature,
    "grad": lambda text: bool(json.loads(text)),
    "digits": lambda text: {"2": 2, "4": 4}[text],
    "edits": lambda text: tuple(_edit(one) for one in json.loads(text)[:50]),
    "stops": lambda text: tuple(str(one) for one in json.loads(text)[:20]),
    "watch": lambda text: tuple(_cell(one) for one in json.loads(text)[:8]),
    "b_model": str,
    "b_prompt": str,
    "b_plain": lambda text: bool(json.loads(text)),
    "present": lambda text: bool(json.loads(text)),
}


def view() -> View:
    """The present view. An address bar that something else has changed (a link, the back button) wins."""
    bar = st.query_params.to_dict()
    if _VIEW not in st.session_state or bar != st.session_state.get(_WRITTEN):
        known = st.session_state.get(_VIEW)
        if bar or known is None:
            st.session_state[_VIEW], st.session_state[_NOTES] = View.parse(bar)
        write()
    found: View = st.session_state[_VIEW]
    return found


def update(**changes: Any) -> View:
    """Change the view; the address bar follows with the next `write`."""
    st.session_state[_VIEW] = replace(st.session_state.get(_VIEW, View()), **changes)
    found: View = st.session_state[_VIEW]
    return found


def replace_view(new: View) -> None:
    st.session_state[_VIEW] = new


def take(key: str, default: Any) -> Any:
    """Something remembered for one rerun only."""
    return st.session_state.pop(f"lmviz.{key}", default)


def write() -> None:
    """Let the address bar show the view."""
    query = st.session_state[_VIEW].query()
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
    st.session_state[_WRITTEN] = query


def notes() -> tuple[str, ...]:
    """Parts of a link that made no sense, said once."""
    found: tuple[str, ...] = st.session_state.pop(_NOTES, ())
    return found


def remember(key: str, default: Any) -> Any:
    """Something that outlives a rerun but is in no link: breakpoints, watches."""
    return st.session_state.setdefault(f"lmviz.{key}", default)


def keep(key: str, value: Any) -> None:
    st.session_state[f"lmviz.{key}"] = value
