"""The scene: all that Python sends to the browser of one place, and all that the browser says in return.

`lmviz/ui/step_through/browser/scene.d.ts` is made from this file, so that both sides are checked against one text.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from lmviz.ui.arithmetic_types import Line
from lmviz.ui.panel_types import AnyNumber, PanelEvent, Real, TensorPanel

Grain = Literal["stage", "line", "op"]
Move = Literal[
    "over", "back", "into", "out", "first", "last", "next_stage", "previous_stage", "next_block", "previous_block"
]
ButtonMove = Literal["over", "back", "into", "out", "first", "last"]  # those that the bar has a button for
CellAt = tuple[str, list[int]]  # an address and a cell of it


# -- around the picture ----------------------------------------------------------------------------------------------


class StageStop(TypedDict):
    """A stop on the map."""

    index: int
    block: str | None
    kind: str  # the stage, in every language
    label: str
    shape: str
    here: bool


class Token(TypedDict):
    text: str
    id: int
    here: bool
    unknown: bool


class EditChip(TypedDict):
    """What was changed by hand."""

    text: str
    title: str


class Watched(TypedDict):
    address: str
    cell: list[int]
    value: Real | None  # None: this run has no such cell


class Check(TypedDict):
    """Something that must hold, with what was measured."""

    label: str
    measured: str
    holds: bool


class Bar(TypedDict):
    """The bar at the bottom: where one is, and which moves lead somewhere."""

    grain: Grain
    index: int
    count: int  # of all places of this grain
    at: str
    moves: dict[ButtonMove, str]  # the name of the place that it leads to; empty: nowhere
    breakpoints: int
    grad: bool
    can_grad: bool
    stopped: str  # the breakpoint at which a run has just stopped
    changed: str  # that one steps by something else than before, where nobody has chosen it


# -- the source and the words ----------------------------------------------------------------------------------------


Call = TypedDict("Call", {"module": str, "class": str, "last": int})  # one that was running, and its last step


class SourceLine(TypedDict):
    text: str
    marks: list[tuple[int, int, str]]  # start, end, class of what has a colour


class Lit(TypedDict):
    """The expression that is lit."""

    lines: list[int]  # first and last
    columns: list[int]  # where it starts in the first, and ends in the last


class Source(TypedDict):
    """A listing; one that is hidden has no lines, and says why."""

    file: str
    function: str
    first: int  # the number of the first line
    lines: list[SourceLine]
    lit: Lit | None
    stops: list[int]  # numbers of lines with a breakpoint
    stack: list[Call]
    why: str


class Words(TypedDict):
    """Title, sentences and formula of a place; what a place has not is empty."""

    title: str
    under: str  # the stage that a step is in
    text: str
    more: str  # Markdown
    formula: str  # SVG, and MathML for who has it read out
    hint: str
    settings: str
    opened: str
    error: str


# -- the inspector ---------------------------------------------------------------------------------------------------


class Visited(TypedDict):
    """A cell on the way to the pinned one."""

    cell: list[int]
    name: str


class Change(TypedDict):
    """What another run has in the same cell, and the arithmetic of the difference."""

    other: str
    line: str


class Arithmetic(TypedDict):
    """A number written out, and whether that comes to what torch has."""

    lines: list[Line]
    recomputed: AnyNumber | None  # None: nothing was recomputed
    agrees: bool | None
    by_torch: bool


class Inspection(Arithmetic):
    """What is said about the pinned cell."""

    address: str
    name: str
    cell: list[int]
    shape: list[int]
    axes: list[str]
    value: AnyNumber
    whole: bool
    gradient: bool
    role: str
    trail: list[Visited]
    other: AnyNumber | None
    change: Change | None
    edited: bool
    fixed: bool  # whether no other number can be put in its place


# -- the picture -----------------------------------------------------------------------------------------------------


class TensorPicture(TypedDict):
    kind: Literal["tensors"]
    panels: list[TensorPanel]
    hides: NotRequired[bool]  # whether what comes out waits for an answer


class TokenRow(TypedDict):
    text: str
    id: int
    span: list[int] | None  # where it stands in the text; None: it is not in it
    unknown: bool


class TokenSheet(TypedDict):
    """A text and its pieces; and those of the run that it is compared with."""

    kind: Literal["tokens"]
    text: str | None  # None: nobody knows it, as of ids that a program has made
    rows: list[TokenRow]
    other: TokenSheet | None


class NextToken(TypedDict):
    text: str
    id: int
    logit: Real
    scaled: Real
    p: Real
    b: Real | None  # the probability in the run that this one is compared with
    cells: list[CellAt]  # of the logit, the scaled logit and the probability
    target: bool


class NextTokens(TypedDict):
    """The likeliest next tokens."""

    kind: Literal["bars"]
    rows: list[NextToken]
    rest: Real  # the probability of all others
    others: int
    last: bool
    temperature: float | None  # None: it cannot be chosen
    target: str | None  # what comes next, as it was typed; None: nothing can be


class OtherLoss(TypedDict):
    """The loss at the same position of another run."""

    input: str
    target: str | None
    nll: Real


class LossRow(TypedDict):
    input: str
    target: str | None  # None: the position does not count
    p: Real
    nll: Real
    cell: CellAt
    b: OtherLoss | None


class LossTable(TypedDict):
    """The loss by position, and its mean."""

    kind: Literal["loss"]
    rows: list[LossRow]
    mean: Real
    b_mean: Real | None
    cell: CellAt
    n_texts: int
    target: str | None


Picture = TensorPicture | TokenSheet | NextTokens | LossTable


# -- the scene -------------------------------------------------------------------------------------------------------


class FoundPlace(TypedDict):
    address: str
    stage: str  # where it is, in words


class Search(TypedDict):
    """What is found for a text that somebody types to go somewhere."""

    text: str
    places: list[FoundPlace]
    n_more: int  # that are not listed


class Place(TypedDict):
    """All that is shown at one place."""

    lang: str
    run: str  # tells one run in one language from another
    digits: int
    present: bool
    parts: list[str]  # what is shown at the depth that the reader has chosen
    map: list[StageStop]
    tokens: list[Token]
    edits: list[EditChip]
    source: Source | None
    picture: Picture
    say: Words
    inspector: Inspection | None
    watch: list[Watched]
    strip: list[Check]
    bar: Bar


Changes = Annotated[dict[str, object], "Partial<Place>"]  # what a place shows otherwise than another


class Scene(Place):
    """A place, with others that the browser can draw before it is told."""

    ahead: list[Changes]
    frame: str  # the name of what all places have in common; empty: none may be kept
    seq: int  # how many events had been answered, each move by itself
    compared: str  # what it is compared with; empty: nothing
    search: Search | None  # None: nobody searches
    words: dict[str, str]


# -- what the browser says -------------------------------------------------------------------------------------------


class OnMove(TypedDict):
    type: Literal["move"]
    move: Move
    times: int
    play: NotRequired[bool]


class OnGrain(TypedDict):
    type: Literal["grain"]
    grain: Grain


class OnIndex(TypedDict):
    type: Literal["stage", "trail", "undo"]
    index: int


class OnCall(TypedDict):
    type: Literal["call"]
    last: int


class OnStop(TypedDict):
    type: Literal["stop"]
    stop: str


class OnFocus(TypedDict):
    type: Literal["focus"]
    pos: int


class OnCell(TypedDict):
    type: Literal["walk", "watch"]
    address: str
    cell: list[int]
    gradient: NotRequired[bool]


class OnEdit(TypedDict):
    type: Literal["edit"]
    address: str
    cell: list[int]
    value: float


class OnGradient(TypedDict):
    type: Literal["grad"]
    grad: bool


class OnToken(TypedDict):
    type: Literal["append"]
    id: int


class OnTemperature(TypedDict):
    type: Literal["temperature"]
    temperature: float


class OnTarget(TypedDict):
    type: Literal["target"]
    target: str


class OnSearch(TypedDict):
    type: Literal["search"]
    text: str | None  # None: the search is over


class OnGo(TypedDict):
    type: Literal["go"]
    address: str


class OnButton(TypedDict):
    type: Literal["run", "reset", "compare_off", "end"]


Event = (
    PanelEvent
    | OnMove
    | OnGrain
    | OnIndex
    | OnCall
    | OnStop
    | OnFocus
    | OnCell
    | OnEdit
    | OnGradient
    | OnToken
    | OnTemperature
    | OnTarget
    | OnSearch
    | OnGo
    | OnButton
)
