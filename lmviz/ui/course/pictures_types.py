"""What the course lets the browser keep. `browser/pictures.d.ts` is made from this file."""

from __future__ import annotations

from typing import TypedDict


class Kept(TypedDict):
    """What is done, as a link writes it, and how often the course was begun anew; -1: not known yet."""

    since: int
    done: str
    at: str  # the chapter that is on the way and its task, "attention.2"; else a section of the course; empty: none
    look: str  # where what has just been done is seen, by a selector; empty: nothing is to come into sight


class Followed(TypedDict):
    """Where the window that shows the notes is: a chapter and its task, "attention.2"; empty: nowhere yet."""

    at: str
    minutes: int  # that the chapter takes
