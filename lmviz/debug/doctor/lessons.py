"""The training loop: what it asks for, what it counts, whom it moves, and whether each step starts anew."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.lesson import Lesson
from lmviz.debug.patient import Patient
from lmviz.debug.plain_loop import PAD

STILL = Lesson(std=0.1, most=8, rate=1e-12)  # so slow that weights stay where they are
MOVING = Lesson(std=0.1, most=8)
AS_IT_IS = Lesson(std=0, trains=False)
WANTED = "loss.wanted"  # the targets, as the plain loop's loss reads them: [text * pos]


def shifted(inputs: Tensor, targets: Tensor) -> Finding:
    """The target at a position is the token that comes next. Measured: the share of positions where it is.

    Args:
        inputs: [window, pos]
        targets: [window, pos], PAD where nothing is asked

    Source: Radford et al. 2019, eq. 1.
    """
    asked = targets[:, :-1] != PAD
    if not asked.any():
        return not_measured("targets_shifted", "too_short")
    following = (targets[:, :-1] == inputs[:, 1:])[asked]
    same = (targets[:, :-1] == inputs[:, :-1])[asked]
    share = float(following.float().mean())
    window, pos = (int(i) for i in (asked & (targets[:, :-1] != inputs[:, 1:])).nonzero()[0]) if share < 1 else (0, 0)
    details = {"same": float(same.float().mean()), "window": window, "pos": pos}
    cell = (window * targets.shape[1] + pos,)
    return Finding("targets_shifted", share > 0.99, share, 1.0, WANTED, cell, step=1, details=details)


def targets_shifted(patient: Patient) -> Finding:
    return shifted(*patient.pairs)


def padding(patient: Patient) -> Finding:
    """What fills a batch up is not learned. Measured: targets that are counted, less those that the texts have.

    Source: torch.nn.functional.cross_entropy, `ignore_index`.
    """
    inputs, targets = patient.pairs
    _, true = patient.true_pairs
    if shifted(inputs, targets).details.get("same") == 1:
        return not_measured("padding", "not_shifted")
    counted, wanted = int((targets != PAD).sum()), int((true != PAD).sum())
    details = {"counted": counted, "wanted": wanted}
    first = ((targets != PAD) & (true == PAD)).flatten().nonzero()
    cell = (int(first[0]),) if len(first) else (0,)
    return Finding("padding", counted <= wanted, counted - wanted, 0, WANTED, cell, step=1, details=details)


def gradients_afresh(patient: Patient) -> Finding:
    """Every step's gradient is its own. Measured: the third gradient over the first, while the weights stand still.

    Source: torch.optim.Optimizer.zero_grad; the tell is a length that grows step by step.
    """
    if not patient.is_small:
        return not_measured("gradients_afresh", "too_large")
    model = STILL.model(patient)
    lengths = [_length(model) for _ in STILL.training(patient, model, 3)]
    ratio = lengths[2] / lengths[0] if lengths[0] else math.nan
    where, cell = _steepest(model)
    details = {"lengths": tuple(lengths)}
    holds = bool(abs(ratio - 1) < 0.01)
    return Finding("gradients_afresh", holds, ratio, 1.0, where, cell, step=3, gradient=True, details=details)


def all_move(patient: Patient) -> Finding:
    """Every weight that may learn does. Measured: how many tensors of weights two steps leave where they were.

    Source: a common checklist: weights that are frozen, or that the optimiser was never given.
    """
    if not patient.is_small:
        return not_measured("all_move", "too_large")
    model = MOVING.model(patient)
    before = {path: parameter.detach().clone() for path, parameter in model.named_parameters()}
    reached = {path: False for path in before}
    for _ in MOVING.training(patient, model, 2):
        for path, parameter in model.named_parameters():
            reached[path] |= parameter.grad is not None and bool(parameter.grad.count_nonzero())
    still = [path for path, parameter in model.named_parameters() if torch.equal(parameter, before[path])]
    forgotten = [path for path in still if reached[path]]
    details = {"forgotten": ", ".join(forgotten[:4]), "tensors": len(before)}
    where, cell = _steepest(model, forgotten) if forgotten else ("", None)
    return Finding("all_move", not forgotten, len(forgotten), 0, where, cell, step=2, gradient=True, details=details)


def _length(model: nn.Module) -> float:
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return float(torch.stack([gradient.norm() for gradient in gradients]).norm()) if gradients else 0.0


def _steepest(model: nn.Module, paths: Sequence[str] = ()) -> tuple[str, tuple[int, ...]]:
    """The weight with the largest gradient of all, or of some, and the cell of it."""
    slopes = {p: w.grad.abs() for p, w in model.named_parameters() if w.grad is not None and (not paths or p in paths)}
    path = max(slopes, key=lambda p: float(slopes[p].max()))
    cell = torch.unravel_index(slopes[path].argmax(), slopes[path].shape)
    return path, tuple(int(i) for i in cell)
