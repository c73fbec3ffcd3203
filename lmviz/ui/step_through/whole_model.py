"""The whole model in one picture: a strip above the debugger, which opens to a full view."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.recording import Recording
from lmviz.registry.run import RunModel
from lmviz.services.services import Services
from lmviz.stages.whole_model import ALL, MEAN, Part, WholeModel
from lmviz.trace.step import Array
from lmviz.ui import matrices, state
from lmviz.ui.pictures import domain, encoded
from lmviz.ui.scripts import bundle
from lmviz.ui.step_through.recordings import as_far_as_it_makes_sense, request
from lmviz.ui.step_through.scene import of_own
from lmviz.ui.step_through.view import ALL_HEADS, StepThroughView, map_of
from lmviz.ui.step_through.whole_types import Whole, WholeChances, WholePart, WholeTimes
from lmviz.ui.text import Translator, visible

BROWSER = Path(__file__).parent / "browser"


@st.fragment
def picture(services: Services) -> None:
    """The picture of the recording that is walked. What is done in it runs this function alone."""
    if state.take("another_time", False):
        st.rerun()
    view = state.view(StepThroughView)
    try:
        run = services.models.record(request(services, view))
    except UserError:  # the debugger says so
        return
    with as_far_as_it_makes_sense(view):
        drawn = whole(run, view, _times(services, view))
        _component()(data=[drawn], key="whole_model", on_event_change=state.unbroken(_changed))
    state.write()


def _changed() -> None:
    event: Any = getattr(st.session_state.get("whole_model"), "event", None)
    try:
        if event["type"] == "time":
            _to_time(int(event["step"]))
        else:
            asked = str(event["map"])
            state.go(map=map_of(asked) if asked else "")
    except (TypeError, KeyError, ValueError):
        return


@lru_cache(maxsize=1)
def _component() -> Any:
    return st.components.v2.component(
        "lmviz.whole_model",
        html=(BROWSER / "whole.html").read_text(encoding="utf-8"),
        css=matrices.look().replace(".lm", ".whole-model") + (BROWSER / "whole.css").read_text(encoding="utf-8"),
        js=bundle(BROWSER / "whole.js"),
    )


@lru_cache
def _words(t: Translator) -> dict[str, str]:
    return t.texts("whole.", "bar.play", "bar.pause", "time.")


def _to_time(step: int) -> None:
    """The whole page goes to another checkpoint of the same run."""
    model = state.view(StepThroughView).model
    if isinstance(model, RunModel):
        state.go(model=RunModel(model.run, step))
        state.keep("another_time", True)


def _times(services: Services, view: StepThroughView) -> WholeTimes | None:
    if not isinstance(view.model, RunModel):
        return None
    steps = [stop.step for stop in services.models.runs.stops(view.model.run)]
    return {"steps": steps, "at": view.model.step} if view.model.step in steps and len(steps) > 1 else None


def whole(run: Recording, view: StepThroughView, times: WholeTimes | None = None) -> Whole:
    """A recording as the browser draws it. It is the same at every step."""
    model = run.whole(_asked(view.map))
    return {
        "lang": view.t.numbers,
        "run": f"{view.lang} {run.request.model} {run.request.prompt}",
        "map": view.map,
        "heads": list(model.heads),
        "n_heads": model.n_heads,
        "lanes": [{"text": _lane_text(run, lane), "first": lane.start, "last": lane.stop - 1} for lane in model.lanes],
        "blocks": [
            {
                "name": "–".join(dict.fromkeys((block.names[0], block.names[-1]))),
                "first": block.first,
                "last": block.last,
            }
            for block in model.blocks
        ],
        "most_blocks": max((len(block.names) for block in model.blocks), default=1),
        "parts": [_part(run, view, part) for part in model.parts],
        "chances": _chances(run, model),
        "times": times,
        "words": _words(view.t),
    }


def _asked(shown: str) -> int:
    """What the view shows, as the core calls it."""
    return int(shown) if shown.isdigit() else ALL if shown == ALL_HEADS else MEAN


def _lane_text(run: Recording, lane: range) -> str:
    ends = dict.fromkeys((lane[0], lane[-1]))
    return "…".join(visible(run.token(pos)) for pos in ends)


def _part(run: Recording, view: StepThroughView, part: Part) -> WholePart:
    peak = domain([part.cells]) if part.cells is not None else 0.0
    return {
        "stage": part.stage.index,
        "kind": part.stage.kind,
        "label": view.t(of_own(view.t, f"stage.{part.stage.kind}", run)),
        "block": part.block,
        "is_stream": part.is_stream,
        "lengths": None if part.lengths is None else encoded(part.lengths),
        "grades": None if part.cells is None else _coarse(part.cells, peak),
        "peak": peak,
        "shares": None if part.shares is None else encoded(part.shares),
    }


def _coarse(cells: Array, peak: float) -> str:
    """Numbers as shares of the largest, in 255 grades."""
    with np.errstate(all="ignore"):
        grades = np.rint(cells.astype(np.float64) / (peak or 1.0) * 127)
    whole = np.where(np.isfinite(cells), np.nan_to_num(grades), -128).astype(np.int8)
    return base64.b64encode(whole.tobytes()).decode()


def _chances(run: Recording, model: WholeModel) -> list[WholeChances]:
    if model.chances is None:
        return []
    return [
        {
            "top": [
                {"text": visible(run.piece(int(token))), "share": float(np.nan_to_num(share))}
                for token, share in zip(ids, shares, strict=True)
            ],
            "others": model.chances.n_ids - len(ids),
            "rest": float(np.nan_to_num(max(0.0, 1.0 - float(shares.astype(np.float64).sum())))),
        }
        for ids, shares in zip(model.chances.ids, model.chances.shares, strict=True)
    ]
