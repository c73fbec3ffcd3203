"""All that a page without a server knows of a recording. `browser/walk.d.ts` is made from this file.

Numbers lie one behind the other in one block of bytes; whatever names some of them does so by their place in `arrays`.
A *place* is counted through the stages, the lines and the operations of a trace: see `first_of`.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from lmviz.ui.panel_types import ColourScale, Origin
from lmviz.ui.step_through.scene_types import (
    Call,
    Check,
    Grain,
    Lit,
    LossTable,
    Move,
    NextTokens,
    Scene,
    SourceLine,
    StageStop,
    Token,
    TokenSheet,
)
from lmviz.ui.step_through.whole_types import Whole

NumberKind = Literal["f4", "f8", "i4", "u1", "d4"]  # little-endian; d4: int32, each as its difference to the one before
Stored = tuple[NumberKind, int, int]  # kind, first byte, how many numbers
CellPath = tuple[str, list[int]]


# -- tensors ---------------------------------------------------------------------------------------------------------


class KeptPart(TypedDict):
    """What is kept of a tensor that is too large: the same window of each slice that can be chosen."""

    start: list[int]  # row and column
    size: list[int]
    leads: dict[str, int]  # by the index on the leading axes, "0,3": its place in `arrays`


class KeptTensor(TypedDict):
    address: str
    name: str
    role: str
    buffer: bool  # whether it is a tensor of the model that is no parameter
    axes: list[str]
    shape: list[int]
    dtype: str
    integers: bool
    note: str  # the key of what is said below it; empty: nothing
    scale: ColourScale
    heads: int  # how many it has; 0: none
    lead: list[list[int]]  # for each head that can be chosen, the index on every axis but the last two
    array: int | None  # None: not all of it is kept
    part: KeptPart | None
    unmasked: str  # the address of what it was before it was masked
    two: list[int] | None  # of complex numbers: their real and their imaginary parts; `array` has their sizes


# -- arithmetic ------------------------------------------------------------------------------------------------------


class TermForm(TypedDict):
    """A sum whose terms read alike: the operands of term i stand `strides` × i behind those of the first."""

    n: int
    pieces: list[FormPiece]
    strides: list[int]  # of each operand of a term, in their order


class FormPiece(TypedDict):
    """Text; a number; an operand, which is the next of the places; or the sum of the terms."""

    text: NotRequired[str]
    number: NotRequired[bool]
    name: NotRequired[str]  # of what the source calls the number
    tensor: NotRequired[int]  # of an operand
    terms: NotRequired[bool]


class Form(TypedDict):
    """How a line of arithmetic is written, for all cells of a tensor that are written alike."""

    pieces: list[FormPiece]
    alike: TermForm | None
    terms: list[list[FormPiece]]  # where they are few, or not alike
    known: bool
    by_torch: bool
    has_value: bool  # whether what it comes to is among the numbers, the last: the browser cannot work it out
    follow: int  # which operand's arithmetic is written below; -1: none


class FormCells(TypedDict):
    """The cells that have a form, each with the places of its operands, and its numbers."""

    form: int
    cells: int | None  # their places in the tensor; None: all
    n_cells: int
    operands: int | None  # [operand, cell]; None: there are none
    numbers: int | None  # [number, cell]


class Moved(TypedDict):
    """Where the numbers of a tensor stood before a call that only moves them: the tensor, and a place for each cell."""

    tensor: int
    places: int  # -1: not in that tensor


# -- places ----------------------------------------------------------------------------------------------------------


class KeptPanel(TypedDict):
    tensor: int
    name: str
    sign: str
    result: bool
    turned: bool
    part: str
    origins: list[int]  # for each head, or for all, what its cells were made from: its place in `origins`


class Listed(TypedDict):
    """The lines of a function."""

    file: str
    function: str
    first: int
    lines: list[SourceLine]
    why: str


class KeptSource(TypedDict):
    listing: int
    lit: Lit | None
    stack: list[Call]


class KeptPlace(TypedDict):
    step: str  # its address; empty: before the model runs
    index: int  # of that step; -1
    line: int  # which of the lines that end with that step
    first: int
    last: int
    stage: int
    moves: dict[Move, int]  # where each leads
    grains: list[int]  # the same place by stage, by line and by operation
    source: KeptSource | None
    panels: list[KeptPanel]
    together: bool  # whether they are drawn on one scale
    table: Literal["tokens", "bars", "loss"] | None  # what is drawn in the place of tensors
    ends: str  # the line that ends here, for breakpoints: "gpt2.py:85"


class Said(TypedDict):
    """Words of a place; long texts by their place in `texts`."""

    title: str
    under: str
    text: str
    story: list[str]  # text and hint for who reads the story, where they are others
    more: int
    formula: int
    settings: str
    opened: str
    error: str
    hint: str


class Spoken(TypedDict):
    """What is written in one language, with powers of ten or without."""

    numbers: str  # the language, as numbers are written in it
    said: list[Said]
    by_place: list[list[int]]  # of each place: one of `said`, or one for each token and head
    checks: list[list[Check]]  # of each stage


class OwnLanguage(TypedDict):
    """What is said in one language, however its numbers are written."""

    map: list[StageStop]
    at: dict[Grain, str]
    stages: list[str]  # as the search names them
    depths: dict[str, str]
    sums: dict[str, str]  # what the call of an address is for
    words: dict[str, str]
    whole: Whole
    title: str
    why: dict[str, str]  # of listings without lines, by their number
    left_out: list[str]  # sentences
    command: str  # said before the command that opens the app


class EditedCells(TypedDict):
    """Where somebody had put other numbers: an index on each axis; None stands for all."""

    address: str
    at: list[int | None]


class Start(TypedDict):
    """Where the page opens."""

    lang: str
    depth: str
    place: int
    focus: int
    head: int
    cell: CellPath | None
    trail: list[CellPath]
    digits: int
    map: str


class Walk(TypedDict):
    arrays: list[Stored]
    run: str
    command: str
    n_heads: int
    first_of: dict[Grain, int]  # the first place of each grain
    counts: dict[Grain, int]
    places: list[KeptPlace]
    listings: list[Listed]
    tensors: list[KeptTensor]
    by_address: dict[str, int]  # which tensor an address names
    users: dict[str, list[int]]  # of what no step has made: the steps that read it
    steps: dict[str, int]  # of an address: its step
    origins: list[list[Origin]]
    forms: list[Form]
    arithmetic: dict[str, list[FormCells]]
    moved: dict[str, list[Moved]]
    tokens: list[Token]
    pieces: dict[str, str]  # of the vocabulary, as far as they are shown
    parts: dict[str, list[str]]  # what is shown at each depth
    texts: list[str]
    spoken: dict[str, Spoken]  # by how numbers are written: "en", "en-x-plain"
    languages: dict[str, OwnLanguage]
    sheet: TokenSheet
    bars: list[NextTokens]  # of each token
    loss: LossTable | None
    edited: list[EditedCells]
    start: Start


class Opening(TypedDict):
    """What the page needs before the rest is unpacked."""

    scene: Scene
    title: str
