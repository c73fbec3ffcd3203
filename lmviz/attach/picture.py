"""`lmviz.picture()`: a tensor of a recording as a picture in a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lmviz.errors import UserError, check_given
from lmviz.trace.step import Cell, Value
from lmviz.ui.picture_file import Label, drawn, saved
from lmviz.ui.pictures import TEXT_AXES
from lmviz.ui.text import Translator, language_of
from lmviz.whole_file import check_place, save_whole


def picture(
    value: Value,
    path: str | os.PathLike[str],
    *,
    lead: Cell = (),
    labels: Sequence[str] = (),
    title: str = "",
    lang: str = "en",
) -> Path:
    """Draw two axes of a tensor to a file; the end of its name says how, `.svg` or `.png`.

    This is the only picture that a script can draw. The whole model, charts and all else is drawn by a browser, which
    saves it: `trace.to_html("walk.html")`, open that page, and *Save pictures*, or the whole model's own buttons.

    Args:
        value: of a trace: `trace["blocks.0.attn.pattern"].outputs[0]`.
        lead: the index on every axis but the last two: the text, the head; default: the first.
        labels: what stands beside the rows and columns that run over the text: its tokens.
        title: default: the tensor's name, axes and index.
        lang: the language of its words and numbers, "en" or "fr".

    Returns:
        The path.

    Raises:
        UserError: it is no tensor, there are no such cells, there is no such language, the name has another end, or
            the file cannot be written.
    """
    if not isinstance(value, Value):
        raise UserError(
            "A script can draw one tensor, a Value, as trace[address].outputs[0]; got {kind}. For the picture of the "
            "whole model, save the walk with trace.to_html, open that page and save the picture there.",
            kind=type(value).__name__,
        )
    check_given("picture", "path", path, str, os.PathLike)
    check_given("picture", "lead", lead, tuple, list)
    written = Path(path)
    check_place(written)
    t = Translator(language_of(lang))
    chart = drawn(value, tuple(lead) or (0,) * (len(value.shape) - 2), _labels(labels), title, t=t)
    content = saved(chart, written.suffix.removeprefix(".").lower())
    save_whole(written, lambda place: place.write_bytes(content))
    return written


def _labels(tokens: Sequence[str]) -> Label:
    def label(axis: str, index: int) -> str:
        return tokens[index] if axis in TEXT_AXES and index < len(tokens) else str(index)

    return label
