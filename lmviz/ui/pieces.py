"""A text as pieces, each in a box of its own: on every page that shows tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lmviz.ui import drawing, widgets
from lmviz.ui.text import Translator, visible
from lmviz.ui.tokenizer.pictures_types import PieceBox, Pieces


@dataclass(frozen=True)
class Piece:
    """One box.

    Args:
        text: what is in it; blanks are made visible.
        below: a small word under the text: an id, a probability.
        marks: how it looks: given, new, later, coming, gone, special, unknown, lost, added.
        sign: a small sign on its corner, so that no mark is a colour alone.
        share: from 0 to 1, how strong the colour of a new piece is.
        hue: which of the six colours; None: no colour.
        breaks: the line ends after it.
        key: what a click reports.
    """

    text: str
    below: str | None = None
    marks: tuple[str, ...] = ()
    sign: str = ""
    share: float | None = None
    hue: int | None = None
    title: str = ""
    breaks: bool = False
    key: int | None = None


def show(
    pieces: Sequence[Piece],
    t: Translator,
    key: str,
    on_piece: Callable[[int], None] | None = None,
    chosen: int | None = None,
    height: int = 0,
    roomy: bool = False,
    empty: str = "",
) -> None:
    """Draw pieces, in `height` pixels at most; a click on one calls `on_piece` with its key before the rerun."""

    def clicked(event: drawing.Event) -> None:
        if on_piece is not None and isinstance(event.get("key"), int):
            on_piece(event["key"])

    content: Pieces = {
        "pieces": [_written(piece) for piece in pieces],
        "clicks": on_piece is not None,
        "chosen": chosen,
        "height": widgets.px(height),
        "roomy": roomy,
        "empty": empty,
    }
    drawing.show("tokenizer/pieces", content, t, key, clicked)


def _written(piece: Piece) -> PieceBox:
    shown: PieceBox = {"text": visible(piece.text)}
    if piece.below is not None:
        shown["below"] = piece.below
    if piece.share is not None:
        shown["share"] = piece.share
    if piece.hue is not None:
        shown["hue"] = piece.hue
    if piece.key is not None:
        shown["key"] = piece.key
    return shown | _marks(piece)


def _marks(piece: Piece) -> PieceBox:
    """What most pieces have not: nothing is sent of it."""
    marks: PieceBox = {"text": visible(piece.text)}
    if piece.marks:
        marks["marks"] = list(piece.marks)
    if piece.sign:
        marks["sign"] = piece.sign
    if piece.title:
        marks["title"] = piece.title
    if piece.breaks:
        marks["breaks"] = True
    return marks
