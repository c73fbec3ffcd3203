"""The training loop: what it asks for, what it counts, whom it moves, and whether each step starts anew."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.doctor.slopes import Slopes
from lmviz.debug.lesson import Lesson
from lmviz.debug.loss_probe import NOTHING, fillers
from lmviz.debug.plain_loop import PAD
from lmviz.debug.subject import Subject
from lmviz.trace.step import Cell

STILL = Lesson(std=0.1, most=8, rate=1e-12, repeats=True)  # so slow that weights stay where they are
MOVING = Lesson(std=0.1, most=8)
UNTRAINED_LESSON = Lesson(std=0, trains=False)
WANTED_TOKENS = "loss.wanted"  # the targets, as the plain loop's loss reads them: [text * pos]
STEPS = 40  # in which gradients that are added up on purpose begin anew; most loops tell after two or three
_MIXED = 1e-6  # of a slope: moved by logits of another position
LEFT = 0.05  # of the slopes at a position, that a penalty on logits may leave of their sum; the limit is ours


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
    share = float(following.float().mean())
    window, pos = (int(i) for i in (asked & (targets[:, :-1] != inputs[:, 1:])).nonzero()[0]) if share < 1 else (0, 0)
    details = {"window": window, "pos": pos, **_others(inputs, targets, asked)}
    cell = (window * targets.shape[1] + pos,)
    return Finding("targets_shifted", share > 0.99, share, 1.0, WANTED_TOKENS, cell, step=1, details=details)


def _others(inputs: Tensor, targets: Tensor, asked: Tensor) -> dict[str, object]:
    """What is asked in place of the next token: the same one, the one before, one too far ahead, or another."""
    same = float((targets[:, :-1] == inputs[:, :-1])[asked].float().mean())
    before = float((targets[:, 1:-1] == inputs[:, :-2])[asked[:, 1:]].float().mean()) if asked[:, 1:].any() else 0.0
    ahead = float((targets[:, :-2] == inputs[:, 2:])[asked[:, :-1]].float().mean()) if asked[:, :-1].any() else 0.0
    shares = {"same": same, "before": before, "ahead": ahead}
    why = max(shares, key=lambda name: shares[name])
    return {"same": same, "why": why if shares[why] > 0.9 else "other"}


def targets_shifted(subject: Subject) -> Finding:
    """`shifted`, of what the subject's loss asks, wherever its loop shifts."""
    asked = subject.asked
    tokens = asked.tokens.masked_fill(_after_the_texts(subject), NOTHING)
    return shifted(asked.inputs, tokens)


def padding(subject: Subject) -> Finding:
    """What fills a batch up is not learned. Measured: how many fillers are asked for.

    Source: torch.nn.functional.cross_entropy, `ignore_index`.
    """
    if targets_shifted(subject).details.get("why") == "same":
        return not_measured("padding", "not_shifted")
    asked = subject.asked
    wrong = asked.counted & _after_the_texts(subject)
    counted, n_wrong = int(asked.counted.sum()), int(wrong.sum())
    details = {"counted": counted, "wanted": counted - n_wrong}
    first = wrong.flatten().nonzero()
    cell = (int(first[0]),) if len(first) else (0,)
    return Finding("padding", n_wrong == 0, n_wrong, 0, WANTED_TOKENS, cell, step=1, details=details)


def _after_the_texts(subject: Subject) -> Tensor:
    """[batch, pos]: where a loop's rows have no token to ask for.

    Of rows that are cut as the plain loop cuts them that is known. In others fillers are told by being the same again
    and again: one of them may be an end token.
    """
    inputs, (true_inputs, true_targets) = subject.asked.inputs, subject.true_pairs
    is_target = true_targets != PAD
    if inputs.shape == true_inputs.shape and torch.equal(inputs[is_target], true_inputs[is_target]):
        return ~is_target
    return fillers(inputs, subject.texts)


def cross_entropy(subject: Subject) -> Finding:
    """The loss is the mean of −ln p(target), position by position. Measured: how far the slope at one position moves
    with the logits of another, in parts of the largest slope.

    Where that is not 0, the axes of the logits have been mixed up on the way to the loss. And the slopes of a
    cross-entropy sum to 0 over the tokens, since a softmax does not see what all logits have in common: where only the
    target has one, the logarithm of a softmax is missing; where much is left of the sum, another function stands in
    its place. A loss below 0 lacks the logarithm, or has a wrong sign.

    Source: torch.nn.functional.cross_entropy; Goodfellow et al. 2016, 6.2.2.3, for the slope.
    """
    asked = subject.asked
    if not asked.slopes.any():
        return Finding("cross_entropy", False, 0.0, 0.0, "loss", step=1, details={"why": "no_slope"})
    if not asked.counted.any():
        return not_measured("cross_entropy", "too_short")
    mixed, slopes = float(asked.moved.max()), asked.slopes[asked.counted]  # [position, d_vocab]
    others = slopes.abs().sum(dim=-1) - slopes.abs().amax(dim=-1)
    left = float((slopes.sum(dim=-1).abs() / slopes.abs().sum(dim=-1).clamp(min=1e-30)).mean())
    why = (
        "mixes_positions" if mixed > _MIXED
        else "no_softmax" if not others.any() and slopes.shape[-1] > 1
        else "not_shares" if left > LEFT and slopes.shape[-1] > 1
        else "below_zero" if asked.even < 0
        else ""
    )  # fmt: skip
    measured = {"not_shares": left, "below_zero": asked.even}.get(why, mixed)
    return Finding("cross_entropy", not why, measured, 0.0, "loss", step=1, details={"why": why})


def gradients_afresh(subject: Subject) -> Finding:
    """Every step's gradient is its own. Measured: the third gradient over the first, while the weights stand still.

    A loop that makes one large batch of several adds gradients up on purpose, and begins anew after some steps.

    Source: torch.optim.Optimizer.zero_grad; the tell is a length that grows step by step.
    """
    if not subject.is_small:
        return not_measured("gradients_afresh", "too_large")
    model = STILL.model(subject)
    slopes = Slopes().watch(model)
    lengths, where, cell = list[float](), "", None
    for _ in STILL.training(subject, model, STEPS):
        lengths.append(slopes.length)
        if len(lengths) == 3:
            where, cell = slopes.steepest()
        slopes.begin()
        if len(lengths) > 2 and not _grow(lengths):
            break
    if len(lengths) < 3 or not lengths[0]:
        return not_measured("gradients_afresh", "no_gradients")
    ratio = lengths[2] / lengths[0]
    details = {"lengths": tuple(lengths[:3])}
    piles_up = _grow(lengths) and ratio > 2
    return Finding("gradients_afresh", not piles_up, ratio, 1.0, where, cell, step=3, gradient=True, details=details)


def _grow(lengths: list[float]) -> bool:
    """Whether each is longer than the one before by a part of the first."""
    return all(later > earlier + 0.5 * lengths[0] for earlier, later in pairwise(lengths))


def all_move(subject: Subject) -> Finding:
    """Every weight that may learn does. Measured: how many tensors of weights some steps leave where they were.

    Source: a common checklist: weights that are frozen, or that the optimiser was never given.
    """
    if not subject.is_small:
        return not_measured("all_move", "too_large")
    model = MOVING.model(subject)
    slopes = Slopes().watch(model)
    before = {path: parameter.detach().clone() for path, parameter in model.named_parameters()}
    steep, still = dict.fromkeys(before, 0.0), list(before)
    steepest: tuple[str, Cell | None] = ("", None)
    for step, _ in enumerate(MOVING.training(subject, model, STEPS), start=1):
        steep = {path: max(steep[path], slopes.largest.get(path, 0.0)) for path in steep}
        still = [path for path, parameter in model.named_parameters() if torch.equal(parameter, before[path])]
        if step == 2:
            steepest = slopes.steepest([path for path in still if steep[path]])
        slopes.begin()
        if step > 1 and not still:
            break
    forgotten = [path for path in still if steep[path] > 1e-5 * max(steep.values())]
    if not any(steep.values()):  # nothing is learned at all: no way back was gone
        details = {"forgotten": "", "tensors": len(before), "why": "no_gradient"}
        return Finding("all_move", False, len(before), 0, "loss", step=1, details=details)
    details = {"forgotten": ", ".join(forgotten[:4]), "tensors": len(before), "why": ""}
    where, cell = steepest if forgotten else ("", None)
    return Finding("all_move", not forgotten, len(forgotten), 0, where, cell, step=2, gradient=True, details=details)
