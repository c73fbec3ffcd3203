"""Tensors side by side, drawn as the step-through draws them: for pages that are made of widgets.

matrices.show(
    [
        Matrix(one_hot, "one_hot", ("pos", "id"), cols=pieces, part="input"),
        Matrix(table, "tok_embed", ("id", "d_model"), rows=pieces, sign="@", part="weight"),
        Matrix(row, "x", ("pos", "d_model"), sign="=", result=True),
    ],
    lang,
    key="lookup",
    on_cell=lambda address, cell: state.go(cell=cell),
)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from lmviz.trace.step import Array
from lmviz.ui import compared, depth, state, widgets
from lmviz.ui.panel_types import Matrices, TensorPanel
from lmviz.ui.pictures import WINDOW, Slice, domain, overview, panel, window_of
from lmviz.ui.scripts import bundle
from lmviz.ui.text import Translator, visible

BROWSER = Path(__file__).parent / "browser"
_FRAME = """<div class="lm"><div class="pictures"></div><div class="tip" hidden></div>
<div class="live" aria-live="polite"></div></div>"""

OnCell = Callable[[str, tuple[int, ...]], None]


@lru_cache(maxsize=1)
def look() -> str:
    """The styles of tensors, which every picture of ours shares."""
    return (BROWSER / "tensor.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Matrix:
    """One tensor to draw.

    Args:
        array: [rows, cols] or [cols], of any numeric type.
        axes: the names of its axes, as in a shape comment.
        rows, cols: what stands at each index; numbers if nothing is given. Blanks in them are made visible.
        sign: what stands before it: "@", "+", "=".
        part: the role that its colour stands for: weight, input, activation, q, k, v, pattern.
        result: whether it is what the others make; it gets the room first.
        peak: the end of its colour scale, if it is shared with others; `share` gives one from 0 to 1.
        focus: a row to outline; `pinned` a cell; `changed` marks cells with a corner, [rows, cols] of booleans.
    """

    array: Array
    name: str
    axes: tuple[str, ...]
    rows: Sequence[str] = ()
    cols: Sequence[str] = ()
    sign: str = ""
    part: str = "activation"
    result: bool = False
    peak: float | None = None
    share: bool = False
    focus: int | None = None
    pinned: tuple[int, ...] | None = None
    changed: Array | None = None
    address: str = ""  # what a click reports; the name, if empty
    turned: bool = False  # drawn with its rows to the right
    mark: str = ""  # what is said beside the name: "A", "B", "A − B"

    @property
    def role(self) -> str:
        return self.part

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> str:
        return str(self.array.dtype)


@lru_cache(maxsize=1)
def _component() -> Any:
    return st.components.v2.component("lmviz.matrices", html=_FRAME, css=look(), js=bundle(BROWSER / "matrices.js"))


@lru_cache
def _words(t: Translator) -> dict[str, str]:
    return t.texts("picture.")


def show(
    given: Sequence[Matrix],
    t: Translator,
    key: str,
    on_cell: OnCell | None = None,
    height: int = 300,
    digits: int = 2,
    together: bool = False,
) -> None:
    """Draw tensors in `height` pixels. A click on a cell calls `on_cell(address, cell)` before the rerun.

    Large tensors show a window each; `together`, if they are of one shape, they all show the same one.
    """
    windows: dict[str, tuple[int, int]] = state.remember(f"windows {key}", {})

    def changed() -> None:
        event: Any = getattr(st.session_state.get(key), "event", None)
        try:
            address, place = str(event["address"]), event.get("cell") or (event["row"], event["col"])
            cell = tuple(int(i) for i in place)
        except (TypeError, KeyError, ValueError):
            return
        if event["type"] == "window":
            windows["" if together else address] = (max(0, cell[0]), max(0, cell[1]))
        elif on_cell is not None:
            on_cell(address, cell)

    panels = [_panel(one, windows.get("" if together else one.address or one.name)) for one in given]
    data: Matrices = {
        "panels": panels,
        "lang": t.numbers,
        "digits": digits,
        "parts": depth.parts(state.depth()),
        "height": widgets.px(height),
        "words": _words(t),
        "together": together,
    }
    _component()(data=[data], key=key, on_event_change=state.unbroken(changed), height="content")


def three(
    both: Sequence[Array],
    names: Sequence[str],
    axes: tuple[str, ...],
    labels: tuple[Sequence[str], Sequence[str]] = ((), ()),
    part: str = "activation",
    peak: float = 0.0,
    apart: float = 0.0,
    share: bool = False,
    pinned: tuple[int, ...] | None = None,
) -> list[Matrix]:
    """A and B, [rows, cols] each, on one colour scale, and A − B on a scale of its own.

    Args:
        names: how the three are called, one for each or one for all.
        labels: what stands at the rows and at the columns.
        peak, apart: where the colour scale of both ends at least, and that of their difference.
        share: whether both are shares, from 0 to 1.
    """
    sides = compared.three(*both)
    of_both, of_difference = compared.ends([side.cells for side in sides])
    called = list(names) if len(names) == len(sides) else [*names] * len(sides)
    marks = ["" if len(names) == len(sides) else side.mark for side in sides]
    return [
        Matrix(
            side.cells.astype(np.float32),
            name,
            axes,
            *labels,
            sign=side.sign,
            part=part,
            result=side.result,
            peak=max(apart, of_difference) if side.result else max(peak, of_both),
            share=share and not side.result,
            pinned=pinned,
            mark=mark,
            address=mark,
        )
        for side, name, mark in zip(sides, called, marks, strict=True)
    ]


def _panel(one: Matrix, moved: tuple[int, int] | None) -> TensorPanel:
    """`moved` is where the visitor has moved the window."""
    start = moved or (0, 0)
    grid = one.array if one.array.ndim == 2 else one.array.reshape(1, -1)
    place = Slice((), min(start[0], max(0, grid.shape[0] - 1)), min(start[1], max(0, grid.shape[1] - 1)))
    window = grid[place.row :, place.col :][:WINDOW, :WINDOW]
    peak = domain([window]) if one.peak is None else one.peak
    shown = window_of(one, grid, place, _numbered, ("share", 1.0) if one.share else ("signed", peak))
    shown["address"] = one.address or one.name
    if one.rows:
        shown["row_labels"] = _labelled(one.rows, place.row, window.shape[0])
    if one.cols:
        shown["col_labels"] = _labelled(one.cols, place.col, window.shape[1])
    marks = None if one.changed is None else np.atleast_2d(one.changed)[place.row :, place.col :][:WINDOW, :WINDOW]
    return panel(
        shown,
        sign=one.sign,
        result=one.result,
        turned=one.turned,
        part=one.part,
        mark=one.mark,
        overview=overview(grid, place),
        pinned=None if one.pinned is None else list((0, *one.pinned)[-2:]),
        focus=one.focus,
        changed=marks,
        by_hand=moved is not None,
    )


def _numbered(axis: str, index: int) -> str:
    return str(index)


def _labelled(labels: Sequence[str], first: int, count: int) -> list[str]:
    return [visible(label) for label in labels[first : first + count]]
