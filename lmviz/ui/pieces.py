"""A text as pieces, each in a box of its own: on every page that shows tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lmviz.ui import drawn
from lmviz.ui.text import visible


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
    lang: str,
    key: str,
    on_piece: Callable[[int], None] | None = None,
    chosen: int | None = None,
    height: int = 0,
    roomy: bool = False,
    empty: str = "",
) -> None:
    """Draw pieces, in `height` pixels at most; a click on one calls `on_piece` with its key before the rerun."""

    def clicked(event: drawn.Event) -> None:
        if on_piece is not None and isinstance(event.get("key"), int):
            on_piece(event["key"])

    content = {
        "pieces": [_written(piece) for piece in pieces],
        "clicks": on_piece is not None,
        "chosen": chosen,
        "height": height,
        "roomy": roomy,
        "empty": empty,
    }
    drawn.show("tokenizer/pieces", content, lang, key, clicked)


def _written(piece: Piece) -> dict[str, Any]:
    shown: dict[str, Any] = {"text": visible(piece.text)}
    for name in ("below", "share", "hue", "key"):
        if (value := getattr(piece, name)) is not None:
            shown[name] = value
    for name in ("marks", "sign", "title", "breaks"):
        if value := getattr(piece, name):
            shown[name] = list(value) if name == "marks" else value
    return shown
