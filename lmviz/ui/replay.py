"""What moves by itself: a small training as it goes on and again afterwards, and places shown one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.services.live import Live
from lmviz.ui import state, widgets
from lmviz.ui.text import Translator

REDRAW_SECONDS = 0.3  # seconds between two pictures
PATIENCE = 0.4  # seconds before there is a bar
_PICTURES = 40  # of a whole replay
SHARE = 0.1  # of a core, that looking may take: where it takes longer, it is done less often


def while_moving(live: Live[Any], t: Translator, name: str, draw: Callable[[], None]) -> None:
    """Call `draw` again and again for as long as something moves; once, if nothing does.

    A UserError that the training raised is told in its place.
    """

    def moves() -> bool:
        return not live.is_done or bool(state.remember(f"plays {name}", False))

    timed = moves()

    def drawn() -> None:
        try:
            draw()
        except UserError as error:
            st.error(t.error(error))
        if timed and not moves():
            st.rerun()  # the whole page once more, without a clock

    st.fragment(drawn, run_every=REDRAW_SECONDS if timed else None)()


def with_progress(live: Live[Any], t: Translator, name: str, draw: Callable[[Any], None], whole: bool = False) -> None:
    """Call `draw` with what there is of something, again and again until it is all there, and a bar above it.

    What is quick is drawn once, without a bar. A click on what is drawn meanwhile draws the whole page anew.

    Args:
        whole: draw it only when it is all there, or as much of it as there is when somebody has had enough.
    """
    if state.remember(f"enough {name}", None) is live:
        draw(live.pause())
        return
    live.wait(PATIENCE)
    if live.is_done:
        draw(live.look())
        return
    place = state.present()

    def drawn() -> None:
        if state.present() != place or state.remember(f"enough {name}", None) is live:
            st.rerun()
        st.progress(live.progress, t("replay.learning" if whole else "replay.making"))
        found = live.look()
        if whole:
            enough = t("replay.enough")
            st.button(enough, icon=":material/stop:", on_click=state.keep, args=(f"enough {name}", live))
        else:
            draw(found)

    while_moving(live, t, name, drawn)


def steps(t: Translator, live: Live[Any], name: str, known: Sequence[int], chosen: int) -> int:
    """Which of the known steps is looked at, as an index: the chosen one, the newest, or the next of a replay."""
    last = len(known) - 1
    at = known.index(chosen) if chosen in known else last
    plays = f"plays {name}"
    if state.remember(plays, False):
        at = min(last, at + max(1, len(known) // _PICTURES))
        state.keep(plays, at < last)
        state.go(step=known[at] if at < last else -1)
    if not live.is_done:
        st.progress(live.progress, t("replay.at", step=t.integer(known[last])))
    elif last:
        with st.container(horizontal=True, vertical_alignment="center"):
            _play(t, plays, known, at)
            widgets.select_slider(
                t("replay.step"),
                known,
                format_func=lambda step: t.integer(step),
                label_visibility="collapsed",
                **state.bound("step", known[at]),
            )
    return at


def _play(t: Translator, plays: str, known: Sequence[int], at: int) -> None:
    def pressed() -> None:
        state.keep(plays, not state.remember(plays, False))
        if at == len(known) - 1:
            state.go(step=known[0])

    moves = state.remember(plays, False)
    if st.button(
        t("replay.pause" if moves else "replay.play"),
        icon=":material/pause:" if moves else ":material/play_arrow:",
        key=f"play {plays}",
        on_click=pressed,
    ):
        st.rerun()


def pace(name: str, seconds: float) -> float:
    """Seconds between two looks at what goes on elsewhere: so many, or more, where a look takes long."""
    cost: float = state.remember(f"{name}.cost", 0.0)
    return max(seconds, cost / SHARE)


@contextmanager
def look(name: str) -> Iterator[None]:
    """One look, whose time counts for the pace."""
    began = time.perf_counter()
    yield
    before: float = state.remember(f"{name}.cost", 0.0)
    state.keep(f"{name}.cost", 0.8 * before + 0.2 * (time.perf_counter() - began))


def interval(name: str, seconds: float) -> float | None:
    """How often the fragment that shows the places called `name` draws itself again."""
    return seconds if state.remember(name, False) else None


def next_place(name: str, places: Sequence[int], at: int) -> int:
    """The place to show: `at`; while they play, the first at first, then the one after `at`, until there is none."""
    if not state.remember(name, False):
        return at
    if state.take(f"{name}.first", False):
        return places[0]
    later = [other for other in places if other > at]
    if not later:
        state.keep(name, False)
        st.rerun()
    return later[0]


def play_button(name: str, start: str, stop: str, icon: str = "play_arrow") -> None:
    """The button that starts and stops the replay; `start` and `stop` are what it says."""
    plays = bool(state.remember(name, False))
    st.button(
        stop if plays else start,
        icon=":material/pause:" if plays else f":material/{icon}:",
        key=f"play {name}",
        on_click=_start_or_stop,
        args=(name, not plays),
    )
    if plays != state.remember(f"{name}.was", False):
        state.keep(f"{name}.was", plays)
        st.rerun()  # the whole page, so that the beat starts or stops


def _start_or_stop(name: str, plays: bool) -> None:
    state.keep(name, plays)
    state.keep(f"{name}.first", plays)
