"""What a visitor is looking at. The only reader and writer of st.session_state and st.query_params.

The canonical state is one `Place` per page and browser session: a frozen dataclass of plain values. The address bar
mirrors the present page's, so that a link, a reload or the back button brings back exactly that view. Widgets mirror it
too, and change it through `update`:

    @dataclass(frozen=True)
    class ExampleView(Place):
        model: str = part("names", str)

    view = state.view(ExampleView)
    widgets.selectbox(view.t("top.model"), models, **state.bound("model"))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic
from typing import Any, TypeVar

import streamlit as st

from lmviz.lessons.progress import Progress
from lmviz.ui.depth import CODE, DEPTHS, Depth, shows
from lmviz.ui.place import Place
from lmviz.ui.text import LANGUAGES, Language, Translator, spoken

_PLACES, _KIND, _LANG, _WRITTEN, _NOTES = "lmviz.places", "lmviz.kind", "lmviz.lang", "lmviz.query", "lmviz.notes"
_UNKNOWN = "lmviz.unknown"
_DEPTH, _PRESENT, _SCALE = "lmviz.depth", "lmviz.present", "lmviz.scale"
_REPLACED, _MOVED, _COURSE = "lmviz.replaced", "lmviz.moved", "lmviz.course"
_ON_ITS_WAY = 5.0  # seconds within which a message may still carry the address bar from before
_JUST_NOW = 1.0  # seconds within which nobody chooses again what a widget has just been moved away from
_ROOM = 1.6  # how much larger all is for a room, as long as its window has not told
LARGEST = 12.0  # the same, at most

P = TypeVar("P", bound=Place)


def here(kind: type[P]) -> P:
    """The present place, for a page that begins. It starts again at the entry point if it was run without that.

    As long as nobody has called st.navigation since the server started, Streamlit takes every script in pages/ for a
    page of its own, and a link to one of them runs it bare.
    """
    from streamlit.runtime.pages_manager import PagesManager

    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
    return view(kind)


def language() -> Language:
    """The reader's language, on any page."""
    bar = st.query_params.to_dict()
    if bar and _is_followed(bar):
        return Language(bar["lang"]) if bar.get("lang") in LANGUAGES else _of_browser()
    found: Language | None = st.session_state.get(_LANG)
    return found or _of_browser()


def _of_browser() -> Language:
    """The language that the reader's browser asks for, as far as there are words in it."""
    accepted = st.context.headers.get("Accept-Language") or ""
    return spoken([st.context.locale or "", *(one.partition(";")[0] for one in accepted.split(","))])


def translator() -> Translator:
    """Words and numbers in the reader's language, on any page."""
    return Translator(language(), plain=not shows(depth(), "powers"))


def depth() -> Depth:
    """How deep the reader looks, on any page. A link that says nothing of it opens all that there is."""
    bar = st.query_params.to_dict()
    if bar and _is_followed(bar):
        return next((one for one in DEPTHS if one == bar.get("depth")), CODE)
    return chosen_depth() or CODE


def says_depth() -> bool:
    """Whether the address bar says how deep one looks."""
    return "depth" in st.query_params


def chosen_depth() -> Depth | None:
    """The depth that this reader has chosen, or that a link has said; None as long as nobody has."""
    found: Depth | None = st.session_state.get(_DEPTH)
    return found


def choose_depth(chosen: Depth) -> None:
    """What the switch does."""
    st.session_state[_DEPTH] = chosen
    go(depth=chosen)


def presenting() -> bool:
    """Whether the reader presents, on any page: all is large, for a room."""
    bar = st.query_params.to_dict()
    if bar and _is_followed(bar):
        return bar.get("present") == "true"
    return bool(st.session_state.get(_PRESENT, False))


def choose_presenting(chosen: bool) -> None:
    """What the button and the key do."""
    st.session_state[_PRESENT] = chosen
    go(present=chosen)


def scale() -> float:
    """How much larger all is than on a desk: as the reader's window has told, while they present."""
    found: float = st.session_state.get(_SCALE, _ROOM)
    return found if presenting() else 1.0


def keep_scale(told: float) -> None:
    """What the window tells; it follows its height."""
    st.session_state[_SCALE] = min(LARGEST, max(1.0, told))


def course() -> Progress:
    """How far the visitor has come in the course, on any page."""
    found: Progress = st.session_state.get(_COURSE, Progress())
    return found


def keep_course(progress: Progress) -> None:
    """Another place in the course; the address bar shows it."""
    st.session_state[_COURSE] = progress
    write()


def _followed_course(query: Mapping[str, str]) -> Progress:
    """What a link says of the course, joined with what is known; a link that says nothing of it changes nothing."""
    try:
        linked = Progress.parse(query["course"])
    except (KeyError, ValueError):
        return course()
    return linked.joined(course())


def view(kind: type[P]) -> P:
    """The present place on a page. An address bar that something else has changed (a link, the back button) wins."""
    bar, lang, deep, shown = st.query_params.to_dict(), language(), depth(), presenting()
    places = st.session_state.setdefault(_PLACES, {})
    known = places.get(kind)
    elsewhere = st.session_state.get(_KIND) is not kind
    st.session_state[_KIND] = kind
    followed = _is_followed(bar)
    if known is None or elsewhere or followed:
        if bar or known is None:
            places[kind], st.session_state[_NOTES] = kind.parse(bar)
            st.session_state[_UNKNOWN] = kind.unknown(bar)
            st.session_state[_COURSE] = _followed_course(bar)
        places[kind] = replace(places[kind], lang=lang, depth=deep, present=shown)
        is_link = followed and known is not None and not elsewhere
        write(tell=is_link and not getattr(_context(), "is_history_navigation", False))
    elif bar != st.session_state[_WRITTEN]:
        write()
    found: P = places[kind]
    return found


def _is_followed(bar: dict[str, str]) -> bool:
    """Whether the reader has moved the address bar.

    What the browser sends before it knows of a new address still has the old one: parts of a page that draw themselves
    anew, and the second of two quick presses.
    """
    if bar == st.session_state.get(_WRITTEN):
        return False
    context = _context()
    if getattr(context, "is_history_navigation", False):  # back, or forward
        return True
    if getattr(context, "fragment_ids_this_run", None):  # no link runs a mere part of a page
        return False
    replaced, when = st.session_state.get(_REPLACED, (None, 0.0))
    return bool(bar != replaced or monotonic() - when >= _ON_ITS_WAY)


def _context() -> Any:
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    return get_script_run_ctx(suppress_warning=True)


def unbroken(act: Callable[[], object]) -> Callable[[], None]:
    """A callback that runs to its end.

    Streamlit breaks one off as soon as it touches the session while another event waits: a press would be lost, or half
    done, because a picture had something to tell at the same time. The event that waits comes next anyway.
    """

    def run() -> None:
        session = getattr(_context(), "session_state", None)
        breaks_off = getattr(session, "_yield_callback", None)
        if breaks_off is None:
            act()
            return
        object.__setattr__(session, "_yield_callback", lambda: None)
        try:
            act()
        finally:
            object.__setattr__(session, "_yield_callback", breaks_off)

    return run


def present() -> Place:
    """The present place, of whatever page."""
    found: Place = st.session_state[_PLACES][st.session_state[_KIND]]
    return found


def update(**changes: Any) -> Any:
    """Change the present place; the address bar follows with the next `write`."""
    kind = st.session_state[_KIND]
    replace_view(replace(st.session_state[_PLACES][kind], **changes))
    return st.session_state[_PLACES][kind]


def replace_view(new: Place) -> None:
    """Another place on the present page, or the place where another page will open."""
    st.session_state[_PLACES][type(new)] = new


def go(**changes: Any) -> None:
    """Change the present place and the address bar with it: what the callback of a widget does."""

    def gone() -> None:
        update(**changes)
        write()

    unbroken(gone)()


def bound(
    name: str,
    /,
    shown: Any = None,
    only_if: Callable[[Any], bool] | None = None,
    known: Callable[[Any], Any] | None = None,
    **and_then: Any,
) -> dict[str, Any]:
    """`key` and `on_change` for a widget that mirrors one part of the present place; `and_then` changes others too.

    `shown` is what the widget shows, where it is not the part itself: a default that is known only now, for example.
    What is chosen counts `only_if` that says so; else the widget goes back to what it was. What counts is what is
    `known` of it, if that is not all.
    What a widget showed before it was moved from here is no choice if it comes at once: every message of the browser
    tells what all widgets show, also one that left before the browser was told.
    """
    kind = st.session_state[_KIND]
    key, how = f"{kind.__module__}.{name}", kind.__dataclass_fields__[name].metadata
    value = getattr(st.session_state[_PLACES][kind], name) if shown is None else shown
    value = how["write"](value) if how["as_text"] else value
    moved: dict[str, tuple[Any, float]] = st.session_state.setdefault(_MOVED, {})
    if key in st.session_state and st.session_state[key] != value:
        moved[key] = st.session_state[key], monotonic()
    st.session_state[key] = value

    def changed() -> None:
        sent, (before, when) = st.session_state[key], moved.get(key, (None, -math.inf))
        if sent != before or monotonic() - when >= _JUST_NOW:
            chosen = how["read"](sent) if how["as_text"] else sent
            chosen = chosen if known is None else known(chosen)
            if only_if is None or only_if(chosen):
                go(**{name: chosen}, **and_then)

    return {"key": key, "on_change": unbroken(changed)}


def write(tell: bool = False) -> None:
    """Let the address bar show the present place.

    A link to the page that one is on changes nothing in the browser's bar, so the browser must be told (`tell`) even
    where the link says just what the bar should: what it sends next would still have the address from before.
    """
    places, kind = st.session_state[_PLACES], st.session_state[_KIND]
    if places[kind].course != course():  # which follows the visitor from page to page
        places[kind] = replace(places[kind], course=course())
    place = places[kind]
    query = address(place)
    if (bar := st.query_params.to_dict()) != query:
        st.session_state[_REPLACED] = bar, monotonic()
    st.session_state[_WRITTEN], st.session_state[_LANG] = query, place.lang
    if place.depth != CODE or chosen_depth():
        st.session_state[_DEPTH] = place.depth
    st.session_state[_PRESENT] = place.present
    if bar != query or tell:  # at the end: it may be broken off
        st.query_params.from_dict(query)


def address(place: Place) -> dict[str, str]:
    """A place as the address bar of this reader shows it: the language that the browser asks for need not be said."""
    query = {name: text for name, text in place.query().items() if name != "lang"}
    return query if place.lang == _of_browser() else {"lang": place.lang} | query


def notes() -> tuple[str, ...]:
    """Parts of a link that made no sense, said once."""
    found: tuple[str, ...] = st.session_state.pop(_NOTES, ())
    return found


def unknown() -> tuple[str, ...]:
    """What a link named that no page of that kind has, said once."""
    found: tuple[str, ...] = st.session_state.pop(_UNKNOWN, ())
    return found


def take(key: str, default: Any) -> Any:
    """Something remembered for one rerun only."""
    return st.session_state.pop(f"lmviz.{key}", default)


def remember(key: str, default: Any) -> Any:
    """Something that outlives a rerun but is in no link."""
    return st.session_state.setdefault(f"lmviz.{key}", default)


def keep(key: str, value: Any) -> None:
    st.session_state[f"lmviz.{key}"] = value
