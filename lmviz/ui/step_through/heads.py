"""All heads of a block at once, beside each other: those that change the answer most come first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.edits import HeadOff
from lmviz.registry.recording import Recording
from lmviz.services.influence import HeadsOff, each_head
from lmviz.services.services import Services
from lmviz.stages.navigation import Location
from lmviz.stages.stage import Stage
from lmviz.trace.step import Array
from lmviz.ui import drawing, state
from lmviz.ui.pictures import domain, encoded
from lmviz.ui.step_through.heads_types import HeadPicture, Heads
from lmviz.ui.step_through.scene import focus_position
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import visible

KINDS = ("qkv", "rotation", "sharing", "scores", "softmax", "mix")
MOST_HEADS, MOST_TOKENS = 32, 32  # that are drawn: the heads that matter most, the last tokens


def at_stage(services: Services, run: Recording, view: StepThroughView, location: Location) -> None:
    """At the stages of attention, closed until somebody wants it: only then is anything measured."""
    stage = run.navigator.stage(location)
    softmax = _softmax_of(run, stage)
    if view.present or softmax is None:
        return
    t = view.t
    with st.expander(t("heads.title"), icon=":material/grid_view:", key="heads_open", on_change="rerun") as shown:
        if not shown.open:
            return
        pos = focus_position(run, view)
        try:
            with st.spinner(t("end.measuring")):
                whole = _with_all_heads(services, run)
                address = run.trace[softmax.stop].outputs[0].address
                found = each_head(services.models, whole, whole.read_out_at(pos), address)
        except UserError:  # a model that does not run without a head of its own
            found = None
        drawing.show("step_through/heads", heads(run, view, stage, softmax, found), t, "heads", _chosen)


def _with_all_heads(services: Services, run: Recording) -> Recording:
    """The run with the heads that are off switched on: what each does is asked of the model with all of them."""
    others = tuple(edit for edit in run.request.edits if not isinstance(edit, HeadOff))
    if run.own is not None or others or not run.request.edits:
        return run
    return services.models.record(replace(run.request, edits=()))


def _chosen(event: Mapping[str, Any]) -> None:
    head = event.get("head")
    if isinstance(head, int):
        state.go(head=max(0, head))


def _softmax_of(run: Recording, stage: Stage) -> Stage | None:
    """The softmax of the block whose attention a stage belongs to, if several heads are seen in it."""
    if stage.kind not in KINDS:
        return None
    block = [one for one in run.navigator.stages if (one.block, one.stack) == (stage.block, stage.stack)]
    later = [one for one in block if one.kind == "softmax" and (one.index >= stage.index or stage.kind == "mix")]
    found = later[0] if stage.kind != "mix" and later else next((one for one in reversed(later)), None)
    if found is None or not run.trace[found.stop].outputs:
        return None
    value = run.trace[found.stop].outputs[0]
    return found if len(value.shape) == 4 and "head" in value.axes[:-2] and value.shape[1] > 1 else None


def heads(run: Recording, view: StepThroughView, stage: Stage, softmax: Stage, found: HeadsOff | None) -> Heads:
    """Every head's scores at the stage that makes them, else its pattern, with what its absence changes."""
    t, pos = view.t, focus_position(run, view)
    row = min(run.row, run.trace[softmax.stop].outputs[0].shape[0] - 1)
    pattern = run.trace[softmax.stop].outputs[0].array[row]
    drawn = _scores(run, stage, pattern.shape, row) if stage.kind == "scores" else None
    shown = pattern if drawn is None else drawn
    n_pos = min(shown.shape[-2:])
    first = max(0, n_pos - MOST_TOKENS)
    changes = [abs(one.without - found.share) for one in found.heads] if found else [0.0] * len(pattern)
    most = max(changes) or 1.0
    order = sorted(range(len(pattern)), key=lambda head: -changes[head])[:MOST_HEADS]
    window = shown[:, first:, first:n_pos] if shown.shape[-1] >= n_pos else shown
    pictures: list[HeadPicture] = []
    for head in order:
        given = np.nan_to_num(pattern[head, min(pos, pattern.shape[-2] - 1)])
        best = int(given.argmax())
        pictures.append(
            {
                "head": head,
                "cells": encoded(window[head]),
                "best": visible(run.token(min(best, len(run.tokens) - 1))),
                "share": t.percent(float(given[best])),
                "without": t.percent(found.heads[head].without) if found else "",
                "change": changes[head] / most,
            }
        )
    return {
        "heads": pictures,
        "tokens": [visible(run.token(i)) for i in range(first, min(n_pos, len(run.tokens)))],
        "focus": pos - first if first <= pos < n_pos else None,
        "chosen": min(view.head, len(pattern) - 1),
        "scale": "share" if drawn is None else "signed",
        "peak": 1.0 if drawn is None else domain([window]),
        "said": _caption(run, view, found, len(pattern), len(order), first),
    }


def _scores(run: Recording, stage: Stage, shape: tuple[int, ...], row: int) -> Array | None:
    """What the stage of the scores makes, [head, query, key], if it is of the pattern's shape."""
    outputs = run.trace[stage.stop].outputs
    array = outputs[0].array[min(row, len(outputs[0].array) - 1)] if outputs and outputs[0].array.ndim == 4 else None
    return array if array is not None and array.shape == shape else None


def _caption(run: Recording, view: StepThroughView, found: HeadsOff | None, n: int, shown: int, first: int) -> str:
    """What was measured, and what is left out."""
    t = view.t
    said = [t("heads.not_measured")]
    if found is not None:
        told = {"token": visible(run.token(run.read_out_at(focus_position(run, view))))}
        best = {"best": visible(run.piece(found.token_id)), "share": t.percent(found.share)}
        said = [t("heads.measured", **told, **best)]
    if shown < n:
        said.append(t("heads.some", n=shown, all=n))
    if first:
        said.append(t("heads.last", n=MOST_TOKENS, all=first + MOST_TOKENS))
    return " ".join(said)
