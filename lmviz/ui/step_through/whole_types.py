"""The whole model in one picture: what Python sends of a recording, once, and what the browser says of the picture."""

from __future__ import annotations

from typing import Literal, TypedDict


class WholePart(TypedDict):
    """A stage. Numbers are base64: float32 where they are read, int8 of `peak` where they only give a colour."""

    stage: int
    kind: str
    label: str
    block: int | None
    is_stream: bool  # whether it makes the residual stream, and not what is added to it
    lengths: str | None  # of each lane's vector
    grades: str | None  # int8, [lane, n]: -127 to 127 for -peak to peak, -128 for what is not finite
    peak: float
    shares: str | None  # float32, [head, lane, lane]


class WholeBlock(TypedDict):
    """A block, or neighbours drawn as one, with their first and last stage."""

    name: str
    first: int
    last: int


class WholeLane(TypedDict):
    text: str
    first: int  # positions
    last: int


class WholeChance(TypedDict):
    text: str
    share: float


class WholeChances(TypedDict):
    """The likeliest next tokens behind a lane, and how likely all others are."""

    top: list[WholeChance]
    others: int
    rest: float


class WholeTimes(TypedDict):
    """The checkpoints of a run, and the one that is shown."""

    steps: list[int]
    at: int


class Whole(TypedDict):
    lang: str
    run: str  # tells one recording from another
    name: str  # of the recording: its model and its text
    map: str  # whose attention is shown where it is open; empty: it is shut
    heads: list[int]  # the first axis of the shares; -1 is the mean
    n_heads: int
    lanes: list[WholeLane]
    blocks: list[WholeBlock]
    most_blocks: int  # drawn as one
    parts: list[WholePart]
    chances: list[WholeChances]  # of each lane, or of the last alone; empty where nothing is told
    times: WholeTimes | None  # None: the model is no run's
    walked: bool  # whether a debugger beside it walks through it; else all of it is shown at once
    words: dict[str, str]


class OnTime(TypedDict):
    type: Literal["time"]
    step: int


class OnMap(TypedDict):
    type: Literal["map"]
    map: str
