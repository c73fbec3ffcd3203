"""What comes out of a model, and how it is made into text."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.loss_probe import NOTHING, LossProbe, alike, nats
from lmviz.debug.subject import Subject
from lmviz.generate.settings import Settings
from lmviz.random_state import seeded
from lmviz.train.baselines import double_softmax_floor

_DRAWING = frozenset(("dropout", "bernoulli", "rand", "rand_like", "randn", "randn_like", "multinomial"))


def repeatable(subject: Subject) -> Finding:
    """In evaluation the same text gives the same logits. Measured: the largest difference of two passes.

    Source: Srivastava et al. 2014, 4: dropout is for training; pytorch #42929.
    """
    with torch.no_grad(), seeded(0):
        first, second = subject.precise(subject.ids), subject.precise(subject.ids)
    apart = (first - second).abs().nan_to_num(0.0)
    largest = float(apart.max())
    where = next((step.address for step in subject.trace if step.op in _DRAWING), "logits")
    return Finding("repeatable", largest == 0, largest, 0.0, where)


def double_softmax(subject: Subject) -> Finding:
    """The loss has a softmax in it already. Measured: the loop's loss, less that of the logits.

    Either the model ends in a softmax, and the loss takes what it gives for logits, or the loop puts a softmax before
    the loss. Both keep the loss above ln(1 + (V − 1) / e). It shows in the loss's slopes: they are those of a
    cross-entropy of shares.

    Source: llama-from-scratch #5; the floor is the loss at logits 1 and 0.
    """
    asked = subject.asked
    if not asked.counted.any() or subject.d_vocab < 2:
        return not_measured("double_softmax", "too_short")
    logits = subject.logits(asked.inputs)
    theirs = float(subject.loop.Loss(subject.pairs[1])(logits.to(torch.float32)))
    once = nats(logits, asked)
    floor = double_softmax_floor(subject.d_vocab)
    like_one = alike(asked.slopes, _slopes(asked, softmaxes=1), asked.counted)
    like_two = alike(asked.slopes, _slopes(asked, softmaxes=2), asked.counted)
    is_double = like_two > 0.999 and like_two > like_one
    details = {"floor": floor, "loss": theirs, "once": once}
    if subject.output == "probs":
        return Finding("double_softmax", not is_double, 1.0, floor, "logits", (0, 0, 0), details=details)
    return Finding("double_softmax", not is_double, theirs - once, floor, "loss.given", (0, 0), step=1, details=details)


def _slopes(asked: LossProbe, softmaxes: int) -> Tensor:
    """Those of the cross-entropy of what is asked, at the logits where the loop's own were taken."""
    with torch.enable_grad():
        given = asked.logits.clone().requires_grad_()
        read = given if softmaxes == 1 else given.softmax(dim=-1)
        loss = F.cross_entropy(read.flatten(0, 1), asked.tokens.flatten(), ignore_index=NOTHING, reduction="sum")
        (slopes,) = torch.autograd.grad(loss, given)
    return slopes


def sampling(settings: Settings, logits: Tensor, text: tuple[int, ...] = ()) -> Finding:
    """Temperature and top-k leave a choice, and not too much of one. Measured: how many tokens are left to choose from.

    Args:
        logits: [d_vocab], of the next token.
        text: ids that were generated, to look for a loop in.

    Source: Holtzman et al. 2020, 3 (perplexity as a count of choices; repetition), Ackley et al. 1985 (temperature).
    """
    from lmviz.generate.measures import repetition

    d_vocab = logits.numel()
    own = _choices(logits.float())
    if not settings.draws or settings.top_k == 1:
        left = 1.0
    else:
        scaled = logits.float() / settings.temperature
        if 0 < settings.top_k < d_vocab:
            scaled = scaled.masked_fill(scaled < scaled.topk(settings.top_k).values[-1], -math.inf)
        left = _choices(scaled)
    repeats = repetition(text, 2) or 0.0
    why = (
        "top_k_too_large" if settings.draws and settings.top_k > d_vocab
        else "nothing_drawn" if left < 1.05 <= own
        else "almost_even" if left > 0.9 * d_vocab and own < 0.7 * d_vocab
        else "loop" if repeats > 0.5
        else ""
    )  # fmt: skip
    details = {"why": why, "own": own, "repeats": repeats, "d_vocab": d_vocab}
    return Finding("sampling", not why, left, own, "readout.probs", details=details)


def _choices(logits: Tensor) -> float:
    """e to the entropy: as many tokens, equally likely, would leave as much open."""
    probs = logits.softmax(dim=-1)
    return float(torch.special.entr(probs).sum().exp())


def tied(subject: Subject) -> Finding:
    """Weights that should be one are one. Measured: numbers that are stored twice.

    Source: Press & Wolf 2017; Radford et al. 2019.
    """
    by_shape: dict[torch.Size, list[tuple[str, Tensor]]] = {}
    for path, parameter in subject.model.named_parameters():  # names each parameter once
        if parameter.ndim == 2 and parameter.shape[0] == subject.d_vocab:
            by_shape.setdefault(parameter.shape, []).append((path, parameter))
    alike = next((group for group in by_shape.values() if len(group) > 1), None)
    if subject.tied is None and (alike is None or not torch.equal(alike[0][1], alike[1][1])):
        return not_measured("tied", "not_meant")
    if subject.tied is False:
        return not_measured("tied", "not_meant")
    twice = alike[1][1].numel() if alike is not None else 0
    return Finding("tied", alike is None, twice, 0, alike[1][0] if alike is not None else "")
