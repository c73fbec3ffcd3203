"""Slopes of losses with respect to what the model said."""

from __future__ import annotations

import numpy as np

from lmviz.explain.given import given, needed, place_of
from lmviz.explain.loss import read_losses
from lmviz.explain.slopes.cells import meets
from lmviz.explain.slopes.use import Slopes, Use, constant


def slopes_class_loss(use: Use) -> Slopes:
    """softmax - share, for each position and class (nll_loss: -share), over the number of positions for a mean."""
    if use.argument != "input":
        raise NotImplementedError("the slope of a target")
    losses = read_losses(use.step)
    shape = use.given[0].shape
    own = use.cell[1] if len(shape) > 1 else use.cell[0]
    others, sizes = (use.cell[:1] + use.cell[2:], shape[:1] + shape[2:]) if len(shape) > 1 else ((), ())
    pos = place_of(others, sizes)
    shares = losses.shares[pos]
    slope = -shares[losses.classes[pos] == own].sum()
    if not losses.is_log:
        slope += np.exp(losses.rows[pos, own] - losses.log_sums(slice(pos, pos + 1))[0]) * shares.sum()
    reduction = use.step.settings.get("reduction", "mean")
    divisor = losses.divisor if reduction == "mean" else 1.0
    return constant(np.array([pos if reduction == "none" else 0]), float(np.divide(slope, divisor)))


def slopes_mse_loss(use: Use) -> Slopes:
    """2 (x - target) over the count for a mean; the other way round for the target."""
    x, target = needed(use.step, "input"), given(use.step, "target")
    if target is None or x.shape != target.shape:
        raise NotImplementedError("mse_loss that broadcasts")
    off = x.number(use.cell) - target.number(use.cell)
    reduction = use.step.settings.get("reduction", "mean")
    slope = 2 * off * (1 if use.argument == "input" else -1) / (x.array.size if reduction == "mean" else 1)
    if reduction == "none":
        cells, _ = meets(use)
        return constant(cells, float(slope))
    return constant(np.array([0]), float(slope))
