"""What Python sends to the browser of one tensor. `lmviz/ui/browser/panel.d.ts` is made from this file.

Lists are JSON's; a number that JSON lacks is a word.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

Real = float | Literal["NaN", "Infinity", "-Infinity"]  # JSON has no NaN and no infinity
ColourScale = Literal["share", "signed", "name"]  # from 0 to 1; centred on zero; a colour for each name, such as an id


class Complex(TypedDict):
    """A complex number in its two parts."""

    re: Real
    im: Real


AnyNumber = Real | Complex


class Overview(TypedDict):
    """A coarse look at a whole slice: every so-manyth cell, as it is."""

    cells: str  # float32 in base64
    window: list[int]  # rows and columns of the sample
    every: list[int]


class Window(TypedDict):
    """The part of a tensor that is drawn, and what its axes say."""

    address: str  # what a click reports
    name: str
    role: str
    axes: list[str]
    shape: list[int]
    dtype: str
    lead: list[int]  # the index on every axis but the last two
    size: list[int]  # rows and columns of the whole slice
    start: list[int]  # the window's first row and column
    window: list[int]  # rows and columns of the window
    cells: str  # float32 in base64, row by row
    integers: bool
    row_axis: str
    col_axis: str
    row_labels: list[str]
    col_labels: list[str]
    scale: ColourScale
    peak: float  # the end of the colour scale


class Along(TypedDict):
    """What goes with one axis: `start` + `by` × i at its index i; or, from the index `start` on, one of `each`."""

    start: int
    by: int
    each: NotRequired[list[int | None]]  # None: nothing was read there


class IndexAt(TypedDict):
    """An index on one axis: a number, and what the row and the column of a cell add to it."""

    start: int
    row: NotRequired[Along]
    col: NotRequired[Along]


class Origin(TypedDict):
    """Cells of a tensor beside it that a cell was made from: an index for each axis; None is the whole axis."""

    address: str
    at: list[IndexAt | None]


class TensorPanel(Window):
    """One tensor of a picture, with the marks on it."""

    sign: str  # what stands before it: "@", "+", "="
    result: bool  # whether it is what the others make; it gets the room first
    turned: bool  # drawn with its rows to the right
    part: str  # the role that its colour stands for
    mark: str  # "A", "B", "A − B"; empty where nothing is compared
    note: str  # a sentence above it
    overview: Overview | None
    pinned: list[int] | None  # row and column in the whole slice
    focus: int | None  # the row of the whole slice that is outlined
    by_hand: bool  # whether the visitor has moved its window
    heads: int  # how many it has; 0: the picture has no choice of a head
    heads_off: list[int] | None  # None: they cannot be switched
    grad: bool  # whether gradients are shown
    no_grad: bool  # whether they are asked for, and there are none
    origins: list[Origin]
    changed: str | None  # float32 in base64: 1 where an edit has changed a cell


class Matrices(TypedDict):
    """Tensors side by side on a page of widgets."""

    panels: list[TensorPanel]
    lang: str
    digits: int
    parts: list[str]  # what is shown at the depth that the reader has chosen
    height: int  # pixels
    words: dict[str, str]
    together: bool  # they are of one shape, and show the same window


# -- what is clicked in a picture ------------------------------------------------------------------------------------


class OnPin(TypedDict):
    type: Literal["pin"]
    address: str
    cell: list[int]


class OnUnpin(TypedDict):
    type: Literal["unpin"]


class OnHead(TypedDict):
    type: Literal["head"]
    head: int


class OnHeadOff(TypedDict):
    type: Literal["head_off"]
    address: str
    head: int


class OnWindow(TypedDict):
    type: Literal["window"]
    address: str
    row: int
    col: int


PanelEvent = OnPin | OnUnpin | OnHead | OnHeadOff | OnWindow
