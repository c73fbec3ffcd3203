"""What a table says better than a picture: the pieces of a text, the likeliest next tokens, the loss by position."""

from __future__ import annotations

import numpy as np

from lmviz.registry.recording import Recording
from lmviz.stages.stage import Stage
from lmviz.trace.step import Array, Value
from lmviz.ui.panel_types import Real
from lmviz.ui.pictures import plain
from lmviz.ui.step_through.scene_types import (
    LossRow,
    LossTable,
    NextToken,
    NextTokens,
    OtherLoss,
    TokenRow,
    TokenSheet,
)
from lmviz.ui.text import visible

BARS = 12  # tokens sent as bars; the browser shows as many as fit
TOKENS_SHOWN = 512


def tokens(run: Recording, other: Recording | None = None) -> TokenSheet:
    """The text and its pieces with their ids; and those of the run that this one is compared with."""
    read = run.tokens
    rows = [
        TokenRow(text=visible(piece), id=token_id, span=list(span) if span[0] < span[1] else None, unknown=unknown)
        for piece, token_id, span, unknown in zip(
            read.pieces[:TOKENS_SHOWN], read.ids, read.offsets, read.unknown, strict=False
        )
    ]
    there = None if other is None else tokens(other)
    text = read.text[:2000] if read.text or run.request.model.reads else None
    return {"kind": "tokens", "text": text, "rows": rows, "other": there}


def bars(run: Recording, stage: Stage, pos: int, other: Recording | None) -> NextTokens:
    """The most likely next tokens after the focus token, with the arithmetic's columns: logit, scaled, probability; and
    the probability in the run that this one is compared with. After the last token, where the model tells no other."""
    steps = {step.outputs[0].name: step for step in run.trace[stage.first : stage.last + 1]}
    probs, scaled = steps["probs"].outputs[0], steps["scaled"].outputs[0]
    logits = steps["scaled"].inputs[0]
    pos = run.read_out_at(pos)
    at = run.place_of(probs, pos)
    row = probs.array[at].astype(np.float64)
    theirs = _other_row(run, other, probs.address, pos)
    order = np.argsort(-np.nan_to_num(row), kind="stable")[:BARS]
    rows: list[NextToken] = [
        {
            "text": visible(run.piece(int(i))),
            "id": int(i),
            "logit": plain(logits.array[(*at, i)]),
            "scaled": plain(scaled.array[(*at, i)]),
            "p": plain(row[i]),
            "b": None if theirs is None else plain(theirs[i]),
            "cells": [(v.address, [*at, int(i)]) for v in (logits, scaled, probs)],
            "target": int(i) == (run.tokens.ids[pos + 1] if pos + 1 < len(run.tokens) else run.target_id),
        }
        for i in order
    ]
    rest = plain(np.maximum(0.0, 1 - row[order].sum()))  # NaN stays NaN
    last = pos == len(run.tokens) - 1
    return {
        "kind": "bars",
        "rows": rows,
        "rest": rest,
        "others": len(row) - len(order),
        "last": last and run.own is None,
        "temperature": run.request.temperature if run.request.model.live else None,
        "target": run.request.target if run.own is None else None,
    }


def _other_row(run: Recording, other: Recording | None, address: str, pos: int) -> Array | None:
    """The other run's probabilities after the same token: the last one's after the last one."""
    value = other.trace.value(address) if other is not None else None
    if value is None or other is None or other.config.d_vocab != run.config.d_vocab:
        return None
    there = len(other.tokens) - 1 if pos == len(run.tokens) - 1 else pos
    if there >= len(other.tokens) or other.read_out_at(there) != there:
        return None
    found: Array = value.array[other.place_of(value, there)]
    return found


def has_losses(run: Recording, stage: Stage) -> bool:
    """Whether a loss was worked out position by position; that of a plain training loop is one call."""
    return any(value.name == "nll" for step in run.trace[stage.first : stage.last + 1] for value in step.outputs)


def loss(run: Recording, stage: Stage, other: Recording | None = None) -> LossTable:
    """Input and target side by side at every position, −ln p of each, and their mean; and the same of the run that
    this one is compared with."""
    rows, mean = _losses(run, stage)
    b_rows, b_mean = ([], None) if other is None else _losses_of(other)
    for i, row in enumerate(rows):
        if i < len(b_rows) and b_rows[i]["target"] is not None:
            row["b"] = OtherLoss(input=b_rows[i]["input"], target=b_rows[i]["target"], nll=b_rows[i]["nll"])
    value = _named(run, stage)["loss"]
    n_texts = len(_named(run, stage)["nll"].array)  # whose mean it is: of all texts of a training step's batch
    return {
        "kind": "loss",
        "rows": rows,
        "mean": mean,
        "b_mean": b_mean,
        "cell": (value.address, []),
        "n_texts": n_texts,
        "target": run.request.target if run.own is None else None,
    }


def _losses_of(other: Recording) -> tuple[list[LossRow], Real | None]:
    """The same of a run to compare with; nothing if it has no loss by position."""
    stage = next((stage for stage in other.navigator.stages if stage.kind == "loss"), None)
    return ([], None) if stage is None or not has_losses(other, stage) else _losses(other, stage)


def _losses(run: Recording, stage: Stage) -> tuple[list[LossRow], Real]:
    named = _named(run, stage)
    counted, log_prob, nll = named["counted"].array[run.row], named["log_prob"].array[run.row], named["nll"]
    chosen = named["chosen"].array[run.row]
    rows: list[LossRow] = [
        {
            "input": visible(run.token(i)),
            "target": visible(run.piece(int(chosen[i]))) if counted[i] else None,
            "p": plain(float(np.exp(log_prob[i]))),
            "nll": plain(nll.array[run.row, i]),
            "cell": (nll.address, [run.row, i]),
            "b": None,
        }
        for i in range(min(len(run.tokens), TOKENS_SHOWN))
    ]
    return rows, plain(float(named["loss"].array))


def _named(run: Recording, stage: Stage) -> dict[str, Value]:
    return {value.name: value for step in run.trace[stage.first : stage.last + 1] for value in step.outputs}
