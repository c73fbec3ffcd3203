"""The tensors of a place, each with the window of it that is shown; compared with another run: A, B and A − B."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from lmviz.registry.edits import HeadOff
from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Location
from lmviz.stages.origins import Origin
from lmviz.stages.panels import Panel, panels_at
from lmviz.stages.stage import Stage
from lmviz.trace.step import Array, Value
from lmviz.ui import compared
from lmviz.ui.depth import shows
from lmviz.ui.panel_types import ColourScale, TensorPanel
from lmviz.ui.pictures import (
    TEXT_AXES,
    WINDOW,
    Slice,
    domain,
    drawable,
    is_share,
    lead_of,
    matrix,
    note_of,
    overview,
    panel,
    scale_of,
    window_of,
    window_start,
)
from lmviz.ui.step_through.origins import sent
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import visible

ADDED = {"residual", "embeddings"}  # stages whose tensors are drawn on one scale, because they are added

Windows = dict[str, tuple[int, int]]


def tensors(
    run: Recording,
    view: StepThroughView,
    location: Location,
    stage: Stage,
    pos: int,
    windows: Windows,
    other: Recording | None,
    times: Sequence[Recording] = (),
) -> list[TensorPanel]:
    """The pictures of a place. Compared with another run, only its results, three times: A, B, A − B.

    Args:
        times: the same text at other times of the model's training: all have one scale.
    """
    frames = [_Frame(panel, run, view, pos, windows, times) for panel in panels_at(run.navigator, location)]
    added = stage.kind in ADDED and location.grain == "stage"
    together = max((frame.peak for frame in frames), default=0.0) if added else None
    if view.compares and other is not None:
        results = [frame for frame in frames if frame.panel.is_result]
        return [drawn for frame in results for drawn in _three(frame, other)]
    made_from = {} if view.grad else run.origins(run.navigator.span(location), [frame.panel.value for frame in frames])
    return [
        frame.drawn(
            frame.grid,
            frame.scale(together),
            changed=None if other is None else _changed(frame, other),
            made_from=made_from.get(frame.panel.value.address, ()),
        )
        for frame in frames
    ]


def _changed(frame: _Frame, before: Recording) -> Array | None:
    """Which cells of the window an edit has changed; None if that cannot be said."""
    theirs = before.trace.value(frame.panel.value.address)
    if theirs is None or theirs.shape != frame.panel.value.shape:
        return None
    changed: Array = ~np.isclose(frame.grid, frame.grid_of(theirs), rtol=1e-6, atol=1e-9, equal_nan=True)
    return frame.window_of(changed)


def _three(frame: _Frame, other: Recording) -> Iterator[TensorPanel]:
    """A and B on one scale, and A − B on its own, where both have a cell: of texts of unequal length, at the positions
    that both have."""
    value = frame.panel.value
    theirs = other.trace.value(value.address)
    if theirs is None or not _comparable(value, theirs):
        yield frame.drawn(frame.grid, frame.scale(None), note=frame.view.t("compare.shapes"))
        return
    pos = min(frame.pos, len(other.tokens) - 1)
    b = _Frame(replace(frame.panel, value=theirs), other, frame.view, pos, {}, beside=frame)
    sides = compared.three(frame.grid, b.grid)
    both, difference = compared.ends([frame.window_of(side.cells) for side in sides])
    both = max(both, frame.peak)
    difference = max(
        [difference, *(domain([frame.window_of(compared.three(a, b.grid)[2].cells)]) for a in frame.times)]
    )
    for side in sides:
        scale: tuple[ColourScale, float] = ("signed", difference) if side.result else frame.scale(both)
        yield (b if side.mark == "B" else frame).drawn(side.cells, scale, side)


def _comparable(a: Value, b: Value) -> bool:
    """Whether two tensors differ in the number of tokens at most."""
    return a.axes == b.axes and all(
        n == m or axis in TEXT_AXES for axis, n, m in zip(a.axes, a.shape, b.shape, strict=True)
    )


class _Frame:
    """One panel with the window of it that is shown."""

    def __init__(
        self,
        panel: Panel,
        run: Recording,
        view: StepThroughView,
        pos: int,
        windows: Windows,
        times: Sequence[Recording] = (),
        beside: _Frame | None = None,  # shows the same window as this one
    ) -> None:
        self.panel, self.run, self.view, self.pos = panel, run, view, pos
        value = panel.value
        self.lead = lead_of(value.shape, value.axes, view.head, run.row, run.config.n_heads)
        self.grid = self.grid_of(value)
        self.by_hand = value.address in windows
        self.place: Slice = _window(value, self.lead, self.grid, pos, view, windows) if beside is None else beside.place
        self.window = self.window_of(self.grid)
        self.times = [self.grid_of(found) for found in self._at(times)]

    def _at(self, times: Sequence[Recording]) -> Iterator[Value]:
        """The same tensor at other times."""
        for run in times:
            found = run.trace.value(self.panel.value.address)
            if found is not None and found.shape == self.panel.value.shape:
                yield found

    @property
    def peak(self) -> float:
        """The largest magnitude in the window, at any time."""
        return domain([self.window, *map(self.window_of, self.times)])

    def grid_of(self, value: Value) -> Array:
        return matrix(_cells(value, self.view), self.lead)

    def window_of(self, grid: Array) -> Array:
        window: Array = grid[self.place.row :, self.place.col :][:WINDOW, :WINDOW]
        return window

    def scale(self, together: float | None) -> tuple[ColourScale, float]:
        kind = "signed" if self.view.grad else scale_of(self.panel.value)
        if kind == "signed":
            return "signed", self.peak if together is None else together
        return kind, 1.0 if kind == "share" else 0.0

    def drawn(
        self,
        grid: Array,
        scale: tuple[ColourScale, float],
        side: compared.Side | None = None,
        changed: Array | None = None,
        note: str = "",
        made_from: tuple[Origin, ...] = (),
    ) -> TensorPanel:
        value, view = self.panel.value, self.view
        said = note_of(value)
        window = window_of(value, grid, self.place, _Labels(self.run, shows(view.depth, "ids")), scale)
        return panel(
            window,
            name=self.panel.name,
            sign=self.panel.sign if side is None else side.sign,
            result=self.panel.is_result,
            turned=self.panel.turned,
            part=part_of(self.panel),
            mark="" if side is None else side.mark,
            note=note or (said and view.t(said)),
            overview=overview(grid, self.place),
            pinned=_pinned(value, self.run, self.place, view),
            by_hand=self.by_hand,
            focus=self.pos if window["row_axis"] in ("pos", "query") else None,
            heads=_heads(value),
            heads_off=_heads_off(value, view),
            grad=view.grad,
            no_grad=view.grad and value.grad is None,
            changed=changed,
            origins=sent(made_from, self.place, len(value.shape)),
        )


def _heads_off(value: Value, view: StepThroughView) -> list[int] | None:
    if not view.model.live:
        return None
    return [edit.head for edit in view.edits if isinstance(edit, HeadOff) and edit.address == value.address]


def _cells(value: Value, view: StepThroughView) -> Array:
    if view.grad:
        grad = value.grad
        return np.zeros(value.shape, dtype=np.float32) if grad is None else drawable(grad)
    return drawable(value.array)


def _window(
    value: Value, lead: tuple[int, ...], grid: Array, pos: int, view: StepThroughView, windows: Windows
) -> Slice:
    """Which cells of a large tensor are shown: those chosen by hand, else the pinned cell's, else the focus token's."""
    rows, cols = grid.shape
    row_axis = value.axes[-2] if len(value.axes) >= 2 else ""
    row, col = (pos if row_axis in ("pos", "query") else 0), 0
    if view.cell is not None and view.cell[0] == value.address and len(view.cell[1]) >= 1:
        row, col = ((0, *view.cell[1])[-2:])[0], view.cell[1][-1]
    if value.address in windows:
        row, col = windows[value.address]
        return Slice(lead, max(0, min(row, rows - 1)), max(0, min(col, cols - 1)))
    return Slice(lead, window_start(min(row, rows - 1), rows), window_start(min(col, cols - 1), cols))


def _pinned(value: Value, run: Recording, place: Slice, view: StepThroughView) -> list[int] | None:
    """Row and column of the pinned cell, if it is in this slice, or in what this tensor was before it was masked."""
    if view.cell is None or len(view.cell[1]) != len(value.shape):
        return None
    if view.cell[0] not in (value.address, before_mask(run, value)):
        return None
    cell = view.cell[1]
    if cell[:-2] != place.lead[: len(cell[:-2])]:
        return None
    return list((0, 0, *cell)[-2:])


def before_mask(run: Recording, value: Value) -> str:
    if value.address not in run.trace:
        return ""
    step = run.trace[value.address]
    return step.inputs[0].address if step.op == "masked_fill" else ""


def _heads(value: Value) -> int:
    return value.shape[value.axes.index("head")] if "head" in value.axes[:-2] else 0


def part_of(panel: Panel) -> str:
    """The role that a tensor's colour stands for."""
    if panel.value.role != "activation":
        return panel.value.role
    name = panel.value.name
    return name if name in ("q", "k", "v") else "pattern" if is_share(panel.value) else "activation"


class _Labels:
    """The text at an index of an axis: a token where the axis runs over tokens, else a number, if numbers are said."""

    def __init__(self, run: Recording, counts: bool) -> None:
        self._run, self._counts = run, counts

    def __call__(self, axis: str, index: int) -> str:
        if axis in TEXT_AXES and index < len(self._run.tokens):
            return visible(self._run.token(index))
        if axis in ("d_vocab", "id") and index < self._run.config.d_vocab:
            return visible(self._run.piece(index))
        return str(index) if self._counts else ""
