"""Tensors as a browser needs them to draw: a window of cells, labels, a colour scale. Arrays in, plain data out."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lmviz.trace.step import Array, Cell, Value
from lmviz.ui.panel_types import AnyNumber, ColourScale, Complex, Origin, Overview, Real, TensorPanel, Window

TEXT_AXES = ("pos", "query", "key")  # axes that run over the text
WINDOW = 64  # cells at most, each way, that leave the server for one picture


@dataclass(frozen=True, slots=True)
class Slice:
    """The two axes of a tensor that a picture shows, and where the others stand."""

    lead: Cell  # the index on every axis but the last two
    row: int  # the first row of the window, and the first column
    col: int

    def cell(self, row: int, col: int, n_axes: int) -> Cell:
        """The tensor's cell at a row and a column of the whole slice."""
        return (*self.lead, row, col)[-n_axes:] if n_axes else ()


def matrix(array: Array, lead: Cell) -> Array:
    """The last two axes of an array, [rows, cols], at an index on the others; fewer axes make a single row.

    Of an array without a cell: a slice without one.
    """
    if array.ndim == 0:
        return array.reshape(1, 1)
    if array.ndim == 1:
        return array.reshape(1, -1)
    if 0 in array.shape[:-2]:
        return np.zeros((0, array.shape[-1]), dtype=array.dtype)
    found: Array = array[lead] if lead else array
    return found


def lead_of(shape: Sequence[int], axes: Sequence[str], head: int, row: int = 0, n_heads: int = 0) -> Cell:
    """Where a picture stands on the leading axes: the chosen head and text, and the first of everything else.

    Of keys that several of `n_heads` heads share, the one that the chosen head reads.
    """

    def place(name: str, size: int) -> int:
        key_head = head * size // n_heads if n_heads else 0
        return max(0, min({"head": head, "kv_head": key_head, "batch": row}.get(name, 0), size - 1))

    return tuple(place(name, size) for size, name in zip(shape[:-2], axes[:-2], strict=True))


def window_start(wanted: int, size: int) -> int:
    """The first cell of a window that has `wanted` in it: as early as can be, so that walking shifts it rarely."""
    return 0 if wanted < WINDOW else min(wanted, size - 1) // 8 * 8


def drawable(array: Array) -> Array:
    """What is drawn of an array: its numbers; how large they are, where they are complex."""
    return np.abs(array) if array.dtype.kind == "c" else array


def encoded(cells: Array) -> str:
    """Numbers for the browser: little-endian float32 in base64."""
    return base64.b64encode(np.ascontiguousarray(cells, dtype="<f4").tobytes()).decode()


def plain(value: float) -> Real:
    """A number as JSON can hold it: NaN and the infinities become the words that JavaScript reads as such."""
    number = float(value)
    if np.isfinite(number):
        return number
    return "NaN" if np.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def parts(value: complex) -> AnyNumber:
    """The same for a number that may be complex: it has two parts then."""
    return Complex(re=plain(value.real), im=plain(value.imag)) if isinstance(value, complex) else plain(value)


def domain(arrays: Sequence[Array]) -> float:
    """The largest finite magnitude of some arrays: the end of a colour scale that is centred on zero."""
    peak = 0.0
    for array in arrays:
        finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        if finite.size:
            peak = max(peak, float(np.abs(finite.astype(np.float64)).max()))
    return peak


def is_share(value: Value) -> bool:
    """Whether a tensor holds probabilities, which get a scale from 0 to 1."""
    return value.name in ("pattern", "probs") or value.address.endswith((".pattern", ".probs"))


def is_name(value: Value) -> bool:
    """Whether a tensor holds names and not amounts: ids, positions, numbers of experts. 7 is not more than 3 there."""
    return value.dtype in ("int32", "int64")


def scale_of(value: Value) -> ColourScale:
    """The kind of colour scale on which a tensor's numbers are drawn."""
    return "share" if is_share(value) else "name" if is_name(value) else "signed"


def note_of(value: Value) -> str:
    """The key of what must be said below the picture of such a tensor; empty: nothing."""
    if value.several:
        return "picture.several"
    return "picture.complex" if value.dtype.startswith("complex") else ""


class Named(Protocol):
    """What a picture says about a tensor beside its numbers: a `Value` has it all."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def axes(self) -> tuple[str, ...]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...


def window_of(
    value: Named,
    cells: Array,
    place: Slice,
    label: Callable[[str, int], str],
    scale: tuple[ColourScale, float],
) -> Window:
    """One tensor's window, ready to be drawn.

    Args:
        cells: the whole slice, [rows, cols].
        label: the text at an index of a named axis.
        scale: "share", "signed" or "name", and the magnitude at its end.
    """
    n_rows, n_cols = cells.shape
    window = cells[place.row : place.row + WINDOW, place.col : place.col + WINDOW]
    axes = ("", *value.axes)[-2:] if value.axes else ("", "")
    rows, cols = window.shape
    return {
        "address": value.address,
        "name": value.name,
        "role": value.role,
        "axes": list(value.axes),
        "shape": list(value.shape),
        "dtype": value.dtype,
        "lead": list(place.lead),
        "size": [n_rows, n_cols],
        "start": [place.row, place.col],
        "window": [rows, cols],
        "cells": encoded(window),
        "integers": cells.dtype.kind in "iub",
        "row_axis": axes[-2],
        "col_axis": axes[-1],
        "row_labels": [label(axes[-2], place.row + i) for i in range(rows)],
        "col_labels": [label(axes[-1], place.col + i) for i in range(cols)],
        "scale": scale[0],
        "peak": scale[1],
    }


def panel(
    window: Window,
    *,
    part: str,
    overview: Overview | None,
    name: str = "",
    sign: str = "",
    result: bool = False,
    turned: bool = False,
    mark: str = "",
    note: str = "",
    pinned: list[int] | None = None,
    focus: int | None = None,
    by_hand: bool = False,
    heads: int = 0,
    heads_off: Sequence[int] | None = (),
    grad: bool = False,
    no_grad: bool = False,
    changed: Array | None = None,
    origins: Sequence[Origin] = (),
) -> TensorPanel:
    """A window with the marks on it; `TensorPanel` says what each is. `changed` is [rows, cols] of the window."""
    drawn = TensorPanel(
        **window,
        sign=sign,
        result=result,
        turned=turned,
        part=part,
        mark=mark,
        note=note,
        overview=overview,
        pinned=pinned,
        focus=focus,
        by_hand=by_hand,
        heads=heads,
        heads_off=None if heads_off is None else list(heads_off),
        grad=grad,
        no_grad=no_grad,
        origins=list(origins),
        changed=None if changed is None else encoded(changed),
    )
    drawn["name"] = name or window["name"]
    return drawn


def overview(cells: Array, place: Slice, size: int = 48) -> Overview | None:
    """A coarse look at a slice of which a window shows a part only: every so-manyth cell, as it is."""
    rows, cols = cells.shape
    if rows <= WINDOW and cols <= WINDOW and not place.row and not place.col:
        return None
    every = (max(1, -(-rows // size)), max(1, -(-cols // size)))
    sample = cells[:: every[0], :: every[1]]
    return {"cells": encoded(sample), "window": list(sample.shape), "every": list(every)}
