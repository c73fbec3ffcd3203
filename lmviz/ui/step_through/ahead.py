"""Places that one comes to next: the browser holds them, and draws a move before it is answered."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Location, Move
from lmviz.ui import state
from lmviz.ui.step_through import predict
from lmviz.ui.step_through.tensors import Windows
from lmviz.ui.step_through.view import StepThroughView

FAR = 4  # places that lie ahead, where one goes on as before
NEW = 2  # of them that are sent with one answer: each takes time that somebody waits

_HELD, _FRAME = "ahead.held", "ahead.frame"
_MOST, _LONGEST = 200, 30  # names of places that are believed, and their characters


def told(event: Mapping[str, Any]) -> None:
    """What the browser says with each event: which places it holds, of which frame, and where one is going."""
    held = event.get("held")
    frame, places = (held.get("frame"), held.get("places")) if isinstance(held, dict) else ("", [])
    if not isinstance(frame, str) or not isinstance(places, list):
        return
    names = frozenset(one for one in places[:_MOST] if isinstance(one, str) and len(one) <= _LONGEST)
    state.keep(_HELD, (frame, names, "back" if event.get("move") == "back" else "over"))


def frame_of(
    view: StepThroughView,
    run: Recording,
    other: Recording | None,
    windows: Windows,
    times: Sequence[Recording],
) -> str:
    """The name of what all places have in common: another one, as soon as anything of it is another.

    Empty while something is to be predicted: no place may tell then what another hides.
    """
    if predict.is_open(view):
        return ""
    recordings = [None if one is None else weakref.ref(one) for one in (run, other, *times)]
    common = replace(view, step="", by="stage", line=-1), dict(windows), recordings, predict.of_the_course()
    name, before = state.remember(_FRAME, ("", None))
    if before != common:
        state.keep(_FRAME, (name := secrets.token_hex(4), common))
    return str(name)


def to_send(run: Recording, location: Location, frame: str) -> list[Location]:
    """The places to send along that the browser lacks: those next to this one, then further where one is going."""
    of, held, onward = state.take(_HELD, ("", frozenset(), "over"))
    if not frame:
        return []
    return _lacking(run, location, held if of == frame else frozenset(), onward)[:NEW]


def _lacking(run: Recording, location: Location, held: Collection[str], onward: Move) -> list[Location]:
    back: Move = "back" if onward == "over" else "over"
    there, behind = _way(run, location, onward), _way(run, location, back)
    return [place for place in (*islice(there, 1), *islice(behind, 1), *there) if place.name not in held]


def _way(run: Recording, location: Location, move: Move) -> Iterator[Location]:
    for _ in range(FAR):
        there = run.navigator.move(location, move)
        if there == location:
            return
        yield (location := there)
