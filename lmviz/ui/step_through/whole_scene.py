"""The whole model in one picture, as plain data for the browser to draw."""

from __future__ import annotations

import base64
from functools import lru_cache

import numpy as np

from lmviz.registry.recording import Recording
from lmviz.stages.whole_model import ALL, MEAN, Part, WholeModel
from lmviz.trace.step import Array
from lmviz.ui.pictures import domain, encoded
from lmviz.ui.step_through.scene import of_own
from lmviz.ui.step_through.view import ALL_HEADS, StepThroughView
from lmviz.ui.step_through.whole_types import Whole, WholeChances, WholePart, WholeTimes
from lmviz.ui.text import Translator, shortened, visible


@lru_cache
def _words(t: Translator) -> dict[str, str]:
    return t.texts("whole.", "bar.play", "bar.pause", "time.")


def whole(run: Recording, view: StepThroughView, times: WholeTimes | None = None, walked: bool = True) -> Whole:
    """A recording as the browser draws it. It is the same at every step."""
    model = run.whole(_asked(view.map))
    return {
        "lang": view.t.numbers,
        "run": f"{view.lang} {run.request.model} {run.request.prompt}",
        "name": f"{visible(str(run.request.model))} · {visible(shortened(run.tokens.text))}",
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
        "walked": walked,
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
            "rest": float(np.nan_to_num(rest)),
        }
        for ids, shares, rest in zip(model.chances.ids, model.chances.shares, model.chances.rest, strict=True)
    ]
