"""Choices among options, whose value is the option and never its label.

Streamlit's browser part knows an option by its label only. A label that says a state ("▶ run"), or is written in a
language, changes while the page is open; the browser may then send one that is on no list any more, and Streamlit takes
it for the value itself. And of two options with one label, only the last can be chosen. So every choice in `ui` is made
here: labels are told apart, each is remembered with its option, and what stands for no option changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import state
from lmviz.ui.text import Translator

Format = Callable[[Any], str]
_LABELS = "lmviz.labels"
_MOST_LABELS = 20_000  # of one widget; the oldest are forgotten


def px(pixels: int) -> int:
    """A width or a height as it is in front of a room, where all is larger."""
    return round(pixels * state.scale())


@contextmanager
def placeholder() -> Iterator[None]:
    """A place for what stands on a page for a while; also `@placeholder()`, for all that a function draws.

    It is there also while it is empty, when nothing of it is seen: what is drawn below keeps its number, by which a
    press that is on its way names it.
    """
    with st.container():
        yield


def table_key(key: str) -> str:
    """The key of a table, which the browser draws anew when all becomes larger: it asks for that only once."""
    scale = state.scale()
    return key if scale == 1 else f"{key} {scale:.2f}"


def or_its_error(t: Translator, made: Callable[[], bytes]) -> Callable[[], bytes]:
    """What a download button gives. What cannot be made is said in the file: no page is there to say it."""

    def content() -> bytes:
        try:
            return made()
        except UserError as error:
            return t.error(error).encode()

    return content


def selectbox(label: str, options: Iterable[Any], *, key: str, format_func: Format = str, **look: Any) -> Any:
    return _one(st.selectbox, label, options, key, format_func, look)


def radio(label: str, options: Iterable[Any], *, key: str, format_func: Format = str, **look: Any) -> Any:
    return _one(st.radio, label, options, key, format_func, look)


def segmented_control(label: str, options: Iterable[Any], *, key: str, format_func: Format = str, **look: Any) -> Any:
    return _one(st.segmented_control, label, options, key, format_func, look)


def pills(label: str, options: Iterable[Any], *, key: str, format_func: Format = str, **look: Any) -> Any:
    return _one(st.pills, label, options, key, format_func, look)


def select_slider(label: str, options: Iterable[Any], *, key: str, format_func: Format = str, **look: Any) -> Any:
    return _one(st.select_slider, label, options, key, format_func, look)


def slider(t: Translator, label: str, low: float, high: float, step: float, *, key: str, **look: Any) -> float:
    """A number with decimals, as the language writes it: Streamlit's own slider writes a point in each."""
    n = round((high - low) / step)
    options = {round(low + i * step, 9) for i in range(n + 1)} | {st.session_state.get(key, high)}
    found: float = select_slider(label, sorted(options), key=key, format_func=t.exact, **look)
    return found


def multiselect(
    label: str,
    options: Iterable[Any],
    *,
    key: str,
    format_func: Format = str,
    on_change: Callable[[], object] | None = None,
    **look: Any,
) -> list[Any]:
    """Some of the options."""
    shown = _difference_of_positions(options, format_func)
    known = _remembered(key, shown)
    before = tuple(_chosen(known, one) for one in st.session_state.get(key, ()))
    before = tuple(one for one in before if one in shown)
    if key in st.session_state:
        st.session_state[key] = list(before)

    def changed() -> None:
        sent = [_chosen(known, one) for one in st.session_state[key]]
        st.session_state[key] = list(dict.fromkeys(one for one in sent if one in shown))
        if on_change is not None and tuple(st.session_state[key]) != before:
            on_change()

    found: list[Any] = st.multiselect(
        label,
        list(shown),
        key=key,
        format_func=lambda one: shown.get(one, str(one)),
        **_callback(on_change, changed),
        **look,
    )
    return found


def value(key: str) -> Any:
    """The option that a choice holds, for a form that is sent: its choices have no callback that could tell."""
    return _chosen(st.session_state.get(_LABELS, {}).get(key, {}), st.session_state[key])


def _one(
    widget: Callable[..., Any], label: str, options: Iterable[Any], key: str, format_func: Format, look: dict[str, Any]
) -> Any:
    """One of the options."""
    shown = _difference_of_positions(options, format_func)
    known = _remembered(key, shown)
    is_open = bool(look.get("accept_new_options"))  # what was typed is a value of its own
    if key in st.session_state:
        held = _chosen(known, st.session_state[key])
        if held in shown or is_open or held is None:
            st.session_state[key] = held
        else:
            del st.session_state[key]
    before = st.session_state.get(key)
    on_change = look.pop("on_change", None)
    if isinstance(look.get("width"), int):
        look["width"] = px(look["width"])

    def changed() -> None:
        sent = _chosen(known, st.session_state[key])
        st.session_state[key] = sent if sent in shown or sent is None or is_open else before
        if on_change is not None and st.session_state[key] != before:
            on_change()

    return widget(
        label,
        list(shown),
        key=key,
        format_func=lambda one: shown[one] if one in shown else format_func(one) if is_open else str(one),
        **_callback(on_change, changed),
        **look,
    )


def _callback(on_change: Callable[[], object] | None, changed: Callable[[], None]) -> dict[str, Any]:
    """Only a choice that has a callback gets one: in a form there may be none."""
    return {} if on_change is None else {"on_change": state.unbroken(changed)}


def _difference_of_positions(options: Iterable[Any], format_func: Format) -> dict[Any, str]:
    """The label of each option; options with one label are numbered: a, a (2)."""
    labels: dict[Any, str] = {}
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for option in options:
        label = format_func(option)
        while label in taken:
            first = format_func(option)
            counts[first] = counts.get(first, 1) + 1
            label = f"{first} ({counts[first]})"
        taken.add(label)
        labels[option] = label
    return labels


def _remembered(key: str, shown: dict[Any, str]) -> dict[str, Any]:
    """The option that each label of this widget stands for, or stood for."""
    known: dict[str, Any] = st.session_state.setdefault(_LABELS, {}).setdefault(key, {})
    for option, label in shown.items():
        known.pop(label, None)
        known[label] = option
    for label in list(known)[: max(0, len(known) - _MOST_LABELS)]:
        del known[label]
    return known


def _chosen(known: dict[str, Any], sent: Any) -> Any:
    """The option that was meant: what was sent, or what it is the label of."""
    if not isinstance(sent, str) or sent not in known or sent in known.values():
        return sent
    return known[sent]
