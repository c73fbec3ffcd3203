"""Two trainings side by side: the first step at which they part, and in what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor, nn

from lmviz.debug import plain_loop
from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.models import RATE, SEED, loop_of, untrained
from lmviz.debug.patient import ids_of
from lmviz.model.checkpoint import Checkpoint
from lmviz.train.gradient import seeded

What = Literal["inputs", "targets", "loss", "gradient", "weights"]


@dataclass(frozen=True, slots=True)
class Parting:
    """The first moment at which two trainings from the same weights are not the same."""

    step: int  # counted from 1
    what: What  # the first of these, in the order of a step, that differs
    where: str  # the weight, for gradients and weights; else empty
    largest: float  # of |A − B| there


@dataclass(frozen=True)
class Moment:
    """What one step left behind."""

    loss: float
    gradients: dict[str, Tensor]
    weights: dict[str, Tensor]


@dataclass(frozen=True)
class Race:
    """Two trainings on the same weights and texts, step for step."""

    healthy: tuple[float, ...]  # losses, in nats
    broken: tuple[float, ...]
    parting: Parting | None


def race(checkpoint: Checkpoint, bug: Bug, steps: int = 40) -> Race:
    """Train from the same first weights, in the same order, without and with the bug."""
    texts, n_ctx = ids_of(checkpoint), checkpoint.config.n_ctx
    ours, theirs = (loop.make_pairs(texts, n_ctx) for loop in (plain_loop, loop_of(bug)))
    a = list(_moments(untrained(checkpoint), plain_loop, ours, steps))
    b = list(_moments(untrained(checkpoint, bug), loop_of(bug), theirs, steps))
    parting = _in_data(ours, theirs) or next(filter(None, map(_parting, range(1, steps + 1), a, b)), None)
    return Race(tuple(m.loss for m in a), tuple(m.loss for m in b), parting)


def _moments(model: nn.Module, loop: ModuleType, pairs: tuple[Tensor, Tensor], steps: int) -> Iterator[Moment]:
    with seeded(SEED), torch.enable_grad():
        for loss in loop.train(model, *pairs, steps, RATE):
            gradients = {n: p.grad.detach().clone() for n, p in model.named_parameters() if p.grad is not None}
            yield Moment(loss, gradients, {n: p.detach().clone() for n, p in model.named_parameters()})


def _in_data(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> Parting | None:
    names: tuple[What, What] = ("inputs", "targets")
    for name, a, b in zip(names, ours, theirs, strict=True):
        if not torch.equal(a, b):
            return Parting(1, name, "", float((a != b).sum()))
    return None


def _parting(step: int, a: Moment, b: Moment) -> Parting | None:
    if abs(a.loss - b.loss) > 1e-6:
        return Parting(step, "loss", "", abs(a.loss - b.loss))
    parts: tuple[tuple[What, dict[str, Tensor], dict[str, Tensor]], ...] = (
        ("gradient", a.gradients, b.gradients),
        ("weights", a.weights, b.weights),
    )
    for what, ours, theirs in parts:
        apart = {n: float((ours[n] - theirs[n]).abs().max()) for n in ours if n in theirs}
        where = max(apart, key=lambda n: apart[n], default="")
        if where and apart[where] > 1e-6:
            return Parting(step, what, where, apart[where])
    return None
