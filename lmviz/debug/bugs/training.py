"""Two trainings side by side: the first step at which they part, and in what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.models import RATE, loop_of, untrained
from lmviz.debug.lesson_step import LessonStep, one_by_one, step_of_training
from lmviz.debug.subject import ids_of
from lmviz.model.checkpoint import Checkpoint
from lmviz.trace.step import Array, Cell

DifferencePlace = Literal["inputs", "targets", "loss", "gradient", "weights"]
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class TrainingDifference:
    """The first moment at which two trainings from the same weights are not the same."""

    step: int  # counted from 1
    what: DifferencePlace  # the first of these, in the order of a step, that differs
    where: str  # the weight, for gradients and weights; else empty
    ours: Array  # what the healthy training has there
    theirs: Array  # what the broken one has; zeros where it has none at all
    cell: Cell  # where they differ most

    @property
    def largest(self) -> float:
        """|A − B| at the cell; for inputs and targets, how many cells differ."""
        if self.what in ("inputs", "targets"):
            return float((self.ours != self.theirs).sum())
        return abs(float(self.ours[self.cell]) - float(self.theirs[self.cell]))


@dataclass(frozen=True)
class PairedTraining:
    """Two trainings on the same weights and texts, step for step."""

    healthy: tuple[float, ...]  # losses, in nats
    broken: tuple[float, ...]
    difference: TrainingDifference | None


class _Runner:
    """One of the two trainings."""

    def __init__(self, checkpoint: Checkpoint, bug: Bug | None, steps: int) -> None:
        loop = loop_of(bug)
        self.batch: tuple[Tensor, Tensor] = loop.make_pairs(ids_of(checkpoint), checkpoint.config.n_ctx)
        self.model: nn.Module = untrained(checkpoint, bug)
        self.loss = loop.Loss
        self.training: Iterator[float] = loop.train(self.model, *self.batch, steps, RATE)


def train_pair(checkpoint: Checkpoint, bug: Bug, steps: int = 40) -> PairedTraining:
    """Train from the same first weights, in the same order, without and with the bug."""
    a, b = _Runner(checkpoint, None, steps), _Runner(checkpoint, bug, steps)
    losses: list[tuple[float, float]] = []
    difference = _in_data(a, b)
    for pair in zip(one_by_one(a.training), one_by_one(b.training), strict=True):
        losses.append(pair)
        difference = difference or _difference_of(len(losses), pair, a.model, b.model)
    return PairedTraining(tuple(loss for loss, _ in losses), tuple(loss for _, loss in losses), difference)


def paired_step(checkpoint: Checkpoint, bug: Bug | None, step: int) -> LessonStep:
    """One of the two trainings before one of its steps; without a bug, the healthy one."""
    runner = _Runner(checkpoint, bug, step)
    return step_of_training(runner.model, runner.training, runner.batch, runner.loss, step)


def _in_data(a: _Runner, b: _Runner) -> TrainingDifference | None:
    names: tuple[DifferencePlace, DifferencePlace] = ("inputs", "targets")
    for name, ours, theirs in zip(names, a.batch, b.batch, strict=True):
        if not torch.equal(ours, theirs):
            return _found(1, name, "", ours, theirs)
    return None


def _difference_of(step: int, losses: tuple[float, float], a: nn.Module, b: nn.Module) -> TrainingDifference | None:
    if not abs(losses[0] - losses[1]) <= TOLERANCE:  # NaN is not the same
        return _found(step, "loss", "", *map(torch.tensor, losses))
    theirs = dict(b.named_parameters())
    pairs = [(path, ours, theirs[path]) for path, ours in a.named_parameters() if path in theirs]
    gradients = [(path, _gradient(one), _gradient(other)) for path, one, other in pairs]
    weights = [(path, one.detach(), other.detach()) for path, one, other in pairs]
    parts: tuple[tuple[DifferencePlace, list[tuple[str, Tensor, Tensor]]], ...] = (
        ("gradient", gradients),
        ("weights", weights),
    )
    for what, found in parts:
        path, one, other = max(found, key=lambda part: _apart(part[1], part[2]))
        if _apart(one, other) > TOLERANCE:
            return _found(step, what, path, one, other)
    return None


def _apart(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference; that between a number and NaN is infinite."""
    return float((ours - theirs).abs().nan_to_num(nan=torch.inf).max())


def _gradient(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad.detach()


def _found(step: int, what: DifferencePlace, where: str, ours: Tensor, theirs: Tensor) -> TrainingDifference:
    apart = (ours - theirs).abs().nan_to_num(nan=torch.inf)
    cell = tuple(int(i) for i in torch.unravel_index(apart.argmax(), apart.shape)) if apart.ndim else ()
    return TrainingDifference(step, what, where, ours.numpy().copy(), theirs.numpy().copy(), cell)
