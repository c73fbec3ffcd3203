"""Everything that the step-through shows at one place, as plain data for the browser to draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmviz.debug.invariants import checks_of
from lmviz.trace.step import Array, Step, Value
from lmviz.ui.debugger.code import code_pane
from lmviz.ui.debugger.facts import Facts
from lmviz.ui.debugger.formulas import FORMULAS
from lmviz.ui.debugger.inspector import inspector
from lmviz.ui.formula import svg
from lmviz.ui.pictures import (
    WINDOW,
    Slice,
    domain,
    encoded,
    is_share,
    lead_of,
    matrix,
    overview,
    picture,
    plain,
    window_start,
)
from lmviz.ui.step_through.view import View
from lmviz.ui.text import has, long_text, number, text, visible
from lmviz.walk.cursor import Cursor
from lmviz.walk.panels import Panel, panels_at
from lmviz.walk.stages import Stage
from lmviz.workbench import Run, Workbench

BARS = 12  # tokens shown as bars; the others are summed
TOKENS_SHOWN = 512

_SHARED = {"residual", "embeddings"}  # stages whose tensors are drawn on one scale, because they are added


def scene(
    bench: Workbench,
    run: Run,
    view: View,
    cursor: Cursor,
    windows: dict[str, tuple[int, int]],
    other: Run | None = None,
    stopped: str = "",
) -> dict[str, Any]:
    """The stage map, the source, the picture, the words, the inspector, the invariants and the bar, at one place.

    Args:
        windows: for large tensors, by address, a row and a column that the shown part must have in it.
        other: the run that this one is compared with.
        stopped: the breakpoint at which a run has just stopped.
    """
    stage = run.walk.stage(cursor)
    step = run.walk.step(cursor)
    pos = focus_position(run, view)
    return {
        "lang": view.lang,
        "run": f"{view.lang} {run.request.model} {run.request.prompt}",
        "digits": view.digits,
        "present": view.present,
        "map": stage_map(run, view, stage),
        "tokens": token_row(run, pos),
        "edits": edit_chips(view),
        "source": code_pane(run.trace, step.index, _span(run, cursor, step), view.stops) if step else None,
        "picture": _picture(run, view, cursor, stage, pos, windows, other),
        "say": say(run, view, cursor, stage, step, pos),
        "inspector": inspector(bench, run, view),
        "watch": watched(run, view),
        "strip": strip(run, view, stage),
        "bar": bar(run, view, cursor, stage, step) | {"stopped": stopped},
    }


def focus_position(run: Run, view: View) -> int:
    """The focus token's position; the last token if none was chosen, or it is not there any more."""
    last = len(run.tokens) - 1
    return view.focus if 0 <= view.focus <= last else last


def _span(run: Run, cursor: Cursor, step: Step) -> Any:
    if cursor.grain == "line":
        return run.walk.lines[cursor.index].span
    return step.span


# -- the map and the tokens ------------------------------------------------------------------------------------------


def stage_map(run: Run, view: View, here: Stage) -> list[dict[str, Any]]:
    """All stages in order, with the shape of what each makes."""
    shown = []
    for stage in run.walk.stages:
        value = run.trace[stage.stop].outputs[0] if stage.stop >= 0 and run.trace[stage.stop].outputs else None
        shape = list(value.shape) if value is not None else [len(run.tokens)]
        shown.append(
            {
                "index": stage.index,
                "block": stage.block,
                "kind": stage.kind,
                "label": text(view.lang, f"stage.{stage.kind}"),
                "shape": "×".join(map(str, shape)) or "1",
                "here": stage.index == here.index,
            }
        )
    return shown


def token_row(run: Run, pos: int) -> list[dict[str, Any]]:
    tokens = run.tokens
    return [
        {"text": visible(tokens.pieces[i]), "id": tokens.ids[i], "here": i == pos, "unknown": tokens.unknown[i]}
        for i in range(min(len(tokens), TOKENS_SHOWN))
    ]


def edit_chips(view: View) -> list[dict[str, Any]]:
    """What was changed by hand, to be seen at all times and taken back one by one."""
    chips = []
    for address, cell, value in view.edits:
        head = len(cell) == 1
        name = address.rpartition(".")[2]
        words = text(view.lang, "edit.head", name=address, head=cell[0]) if head else ""
        written = f"{name}[{', '.join(map(str, cell))}] = {number(view.lang, value, view.digits)}"
        chips.append({"text": words or written, "title": address})
    return chips


def watched(run: Run, view: View) -> list[dict[str, Any]]:
    """The watched cells with their values in this run; none where the run lacks the cell."""
    shown = []
    for address, cell in view.watch:
        value = run.trace.value(address)
        fits = (
            value is not None
            and len(cell) == len(value.shape)
            and all(i < n for i, n in zip(cell, value.shape, strict=True))
        )
        found = plain(value.array[cell]) if value is not None and fits else None
        shown.append({"address": address, "cell": list(cell), "value": found})
    return shown


# -- the picture -----------------------------------------------------------------------------------------------------


def _picture(
    run: Run,
    view: View,
    cursor: Cursor,
    stage: Stage,
    pos: int,
    windows: dict[str, tuple[int, int]],
    other: Run | None,
) -> dict[str, Any]:
    if stage.kind == "tokenizer":
        return _tokenizer(run)
    plain = cursor.grain == "stage" and other is None and not view.grad
    if plain and stage.kind == "probabilities":
        return _bars(run, stage, pos) | {"temperature": run.request.temperature, "target": run.request.target}
    if plain and stage.kind == "loss":
        return _loss(run, stage) | {"target": run.request.target}
    return {"kind": "tensors", "panels": _panels(run, view, cursor, stage, pos, windows, other)}


def _tokenizer(run: Run) -> dict[str, Any]:
    tokens = run.tokens
    rows = [
        {"text": visible(piece), "id": token_id, "span": list(span), "unknown": unknown}
        for piece, token_id, span, unknown in zip(
            tokens.pieces[:TOKENS_SHOWN], tokens.ids, tokens.offsets, tokens.unknown, strict=False
        )
    ]
    return {"kind": "tokens", "text": tokens.text[:2000], "rows": rows, "d_vocab": run.checkpoint.config.d_vocab}


def _bars(run: Run, stage: Stage, pos: int) -> dict[str, Any]:
    """The most likely next tokens after the focus token, with the arithmetic's columns: logit, scaled, probability."""
    steps = {step.outputs[0].name: step for step in run.trace[stage.first : stage.last + 1]}
    probs, scaled = steps["probs"].outputs[0], steps["scaled"].outputs[0]
    logits = steps["scaled"].inputs[0]
    row = probs.array[0, pos].astype(np.float64)
    order = np.argsort(-np.nan_to_num(row), kind="stable")[:BARS]
    rows = [
        {
            "text": visible(run.piece(int(i))),
            "id": int(i),
            "logit": plain(logits.array[0, pos, i]),
            "scaled": plain(scaled.array[0, pos, i]),
            "p": plain(row[i]),
            "cells": [[v.address, [0, pos, int(i)]] for v in (logits, scaled, probs)],
            "target": int(i) == (run.tokens.ids[pos + 1] if pos + 1 < len(run.tokens) else run.target_id),
        }
        for i in order
    ]
    rest = plain(max(0.0, 1 - float(row[order].sum()))) if len(row) > BARS else 0.0
    return {"kind": "bars", "rows": rows, "rest": rest, "others": max(0, len(row) - BARS)}


def _loss(run: Run, stage: Stage) -> dict[str, Any]:
    """Input and target side by side at every position, −ln p of each, and their mean."""
    named = {v.name: v for step in run.trace[stage.first : stage.last + 1] for v in step.outputs}
    counted, log_prob, nll = named["counted"].array[0], named["log_prob"].array[0], named["nll"]
    chosen = named["chosen"].array[0]
    rows = [
        {
            "input": visible(run.token(i)),
            "target": visible(run.piece(int(chosen[i]))) if counted[i] else None,
            "p": plain(float(np.exp(log_prob[i]))),
            "nll": plain(nll.array[0, i]),
            "cell": [nll.address, [0, i]],
        }
        for i in range(min(len(run.tokens), TOKENS_SHOWN))
    ]
    return {
        "kind": "loss",
        "rows": rows,
        "mean": plain(float(named["loss"].array)),
        "cell": [named["loss"].address, []],
    }


def _panels(
    run: Run,
    view: View,
    cursor: Cursor,
    stage: Stage,
    pos: int,
    windows: dict[str, tuple[int, int]],
    other: Run | None,
) -> list[dict[str, Any]]:
    """The tensors of a place. Compared with another run, its results three times: here, there, the difference."""
    drawn = []
    panels = panels_at(run.walk, cursor)
    frames = [_Frame(panel, run, view, pos, windows) for panel in panels]
    added = stage.kind in _SHARED and cursor.grain == "stage"
    together = domain([frame.window for frame in frames]) if added else None
    for frame in frames:
        value = frame.panel.value
        theirs = other.trace.value(value.address) if other is not None else None
        if other is None or (view.compares and not frame.panel.is_result):
            drawn.append(frame.drawn(frame.grid, frame.scale(together)))
        elif theirs is None or theirs.shape != value.shape:
            drawn.append(frame.drawn(frame.grid, frame.scale(together)) | {"note": text(view.lang, "compare.shapes")})
        elif not view.compares:  # an edited run: what has changed is marked
            changed = ~np.isclose(frame.grid, frame.grid_of(theirs), rtol=1e-6, atol=1e-9, equal_nan=True)
            marks = changed[frame.place.row :, frame.place.col :][:WINDOW, :WINDOW]
            drawn.append(frame.drawn(frame.grid, frame.scale(together)) | {"changed": encoded(marks)})
        else:
            b = frame.grid_of(theirs)
            with np.errstate(invalid="ignore"):
                difference = np.where(frame.grid == b, 0.0, frame.grid - b).astype(np.float32)
            peak = domain([frame.window, frame.window_of(b), frame.window_of(difference)])
            for grid, mark, sign in ((frame.grid, "A", frame.panel.sign), (b, "B", "−"), (difference, "A − B", "=")):
                drawn.append(frame.drawn(grid, ("signed", peak)) | {"mark": mark, "sign": sign})
    return drawn


class _Frame:
    """One panel with the window of it that is shown."""

    def __init__(self, panel: Panel, run: Run, view: View, pos: int, windows: dict[str, tuple[int, int]]) -> None:
        self.panel, self.run, self.view, self.pos = panel, run, view, pos
        value = panel.value
        self.lead = lead_of(value.shape, value.axes, view.head)
        self.grid = self.grid_of(value)
        self.by_hand = value.address in windows
        self.place = _window(value, self.lead, self.grid, pos, view, windows)
        self.window = self.window_of(self.grid)

    def grid_of(self, value: Value) -> Array:
        return matrix(_cells(value, self.view), self.lead)

    def window_of(self, grid: Array) -> Array:
        window: Array = grid[self.place.row :, self.place.col :][:WINDOW, :WINDOW]
        return window

    def scale(self, together: float | None) -> tuple[str, float]:
        if is_share(self.panel.value) and not self.view.grad:
            return "share", 1.0
        return "signed", domain([self.window]) if together is None else together

    def drawn(self, grid: Array, scale: tuple[str, float]) -> dict[str, Any]:
        value, view = self.panel.value, self.view
        shown = picture(value, grid, self.place, _Labels(self.run), scale)
        return shown | {
            "sign": self.panel.sign,
            "result": self.panel.is_result,
            "turned": self.panel.turned,
            "part": part_of(self.panel),
            "overview": overview(grid),
            "pinned": _pinned(value, self.place, view),
            "by_hand": self.by_hand,
            "focus": self.pos if shown["row_axis"] in ("pos", "query") else None,
            "heads": _heads(value),
            "heads_off": [e[1][0] for e in view.edits if len(e[1]) == 1 and e[0] == value.address],
            "grad": view.grad,
            "no_grad": view.grad and value.grad is None,
        }


def _cells(value: Value, view: View) -> Array:
    if view.grad:
        grad = value.grad
        return np.zeros(value.shape, dtype=np.float32) if grad is None else grad
    return value.array


def _window(
    value: Value, lead: tuple[int, ...], grid: Array, pos: int, view: View, windows: dict[str, tuple[int, int]]
) -> Slice:
    """Which cells of a large tensor are shown: those chosen by hand, else the pinned cell's, else the focus token's."""
    rows, cols = grid.shape
    row_axis = value.axes[-2] if len(value.axes) >= 2 else ""
    row, col = (pos if row_axis in ("pos", "query") else 0), 0
    if view.cell is not None and view.cell[0] == value.address and len(view.cell[1]) >= 1:
        row, col = ((0, *view.cell[1])[-2:])[0], view.cell[1][-1]
    if value.address in windows:
        row, col = windows[value.address]
        return Slice(lead, min(row, rows - 1), min(col, cols - 1))
    return Slice(lead, window_start(min(row, rows - 1), rows), window_start(min(col, cols - 1), cols))


def _pinned(value: Value, place: Slice, view: View) -> list[int] | None:
    """Row and column of the pinned cell, if it is in this slice."""
    if view.cell is None or view.cell[0] != value.address or len(view.cell[1]) != len(value.shape):
        return None
    cell = view.cell[1]
    if cell[:-2] != place.lead[: len(cell[:-2])]:
        return None
    return list((0, 0, *cell)[-2:])


def _heads(value: Value) -> int:
    return value.shape[value.axes.index("head")] if "head" in value.axes[:-2] else 0


def part_of(panel: Panel) -> str:
    """The role that a tensor's colour stands for."""
    if panel.value.role != "activation":
        return panel.value.role
    name = panel.value.name
    return name if name in ("q", "k", "v") else "pattern" if is_share(panel.value) else "activation"


class _Labels:
    """The text at an index of an axis: a token where the axis runs over tokens, else a number."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, axis: str, index: int) -> str:
        if axis in ("pos", "query", "key") and index < len(self._run.tokens):
            return visible(self._run.token(index))
        if axis in ("d_vocab", "id") and index < self._run.checkpoint.config.d_vocab:
            return visible(self._run.piece(index))
        return str(index)


# -- the words -------------------------------------------------------------------------------------------------------


def say(run: Run, view: View, cursor: Cursor, stage: Stage, step: Step | None, pos: int) -> dict[str, Any]:
    """Title, sentences and formula of a place."""
    lang = view.lang
    title = text(lang, f"stage.{stage.kind}.title")
    if stage.block is not None:
        title = text(lang, "say.in_block", title=title, block=stage.block)
    if cursor.grain == "stage" or step is None:
        facts = Facts(run, view, stage, pos).all()
        sentences = text(lang, f"stage.{stage.kind}.say", **facts)
        return {
            "title": title,
            "text": sentences,
            "more": long_text(lang, stage.kind),
            "formula": svg(FORMULAS.get(stage.kind, "")),
            "hint": text(lang, "say.hint") if stage.index == 0 else "",
        }
    key = f"op.{step.op}"
    sentences = text(lang, key) if has(lang, key) else text(lang, "op.other", op=step.op)
    settings = ", ".join(f"{k}={v}" for k, v in step.settings.items() if v is not None and not k.startswith("_"))
    return {
        "title": step.address,
        "text": sentences,
        "more": "",
        "formula": "",
        "hint": "",
        "settings": settings[:200],
        "under": title,
        "opened": text(lang, "say.opened", fused=run.trace[step.opened].address) if step.opened is not None else "",
        "error": step.error,
    }


def strip(run: Run, view: View, stage: Stage) -> list[dict[str, Any]]:
    """The invariants of the stage, with what was measured."""
    checks = run.walk.__dict__.setdefault("checks", {})
    if stage.index not in checks:
        checks[stage.index] = checks_of(run.trace, stage)
    return [
        {
            "label": text(view.lang, f"check.{check.name}"),
            "measured": text(view.lang, f"check.{check.name}.measured", value=_measured(view, check.measured)),
            "holds": check.holds,
        }
        for check in checks[stage.index]
    ]


def _measured(view: View, value: float) -> str:
    digits = 0 if value == int(value) and abs(value) != 1 else 1 if abs(value) < 1e-6 else 6
    return number(view.lang, value, digits)


def bar(run: Run, view: View, cursor: Cursor, stage: Stage, step: Step | None) -> dict[str, Any]:
    count = run.walk.count(cursor.grain)
    return {
        "grain": cursor.grain,
        "index": cursor.index,
        "count": count,
        "at": text(view.lang, f"bar.at.{cursor.grain}", index=cursor.index + 1, count=count),
        "moves": {
            move: run.walk.move(cursor, move) != cursor for move in ("first", "back", "over", "into", "out", "last")
        },
        "address": step.address if step else "",
        "breakpoints": len(view.stops),
        "grad": view.grad,
        "can_grad": any(other.kind == "loss" for other in run.walk.stages),
    }
