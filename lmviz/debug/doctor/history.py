"""A training as its numbers tell it, wherever they come from: a run of lmviz, or a log that someone pasted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, median

from lmviz.train.loop import Snapshot

Points = tuple[tuple[int, float], ...]  # step and number, steps growing


@dataclass(frozen=True)
class Counted:
    """Losses of tables that only count, in nats per token, on the texts that a model is trained on."""

    uniform: float  # ln V: every token as likely as any other
    unigram: float
    bigram: float


@dataclass(frozen=True)
class History:
    """Losses in nats per token, and whatever else was noted."""

    losses: Points
    held_out: Points = ()
    grad_norms: Points = ()
    update_ratios: Points = ()  # length of the update over length of the weights, the largest of all groups
    d_vocab: int | None = None
    others: tuple[tuple[str, Points], ...] = ()  # further losses by their names: means over an epoch, for example
    counted: Counted | None = None  # what counting reaches on the same texts
    true_loss: float | None = None  # of the model as it is now, on all its texts; None: not measured

    @property
    def last_step(self) -> int:
        return self.losses[-1][0]

    @property
    def finite(self) -> Points:
        return tuple(point for point in self.losses if math.isfinite(point[1]))

    @property
    def start(self) -> float:
        """The mean of the first finite losses, a twentieth of them; the very first, if those after it are higher."""
        return min(self.finite[0][1], fmean(loss for _, loss in self.finite[: self._some()]))

    @property
    def end(self) -> float:
        """The mean of the last finite losses, a twentieth of them."""
        return fmean(loss for _, loss in self.finite[-self._some() :])

    @property
    def noise(self) -> float:
        """By how much single losses scatter about the curve: a standard deviation, from second differences.

        Of three losses in a row a − 2b + c is 0 on a straight line, and scatters √6 times as much as one loss.
        """
        return noise_of(self.finite)

    @property
    def begins(self) -> bool:
        """Whether it holds the beginning of a training, or is a piece out of its middle."""
        return self.losses[0][0] <= max(1, 0.2 * self.last_step)

    def _some(self) -> int:
        return max(1, len(self.finite) // 20)


def noise_of(points: Points) -> float:
    """The standard deviation of single numbers about their curve; 0 of fewer than four."""
    bends = [abs(a - 2 * b + c) for (_, a), (_, b), (_, c) in zip(points, points[1:], points[2:], strict=False)]
    return 1.4826 * median(bends) / math.sqrt(6) if len(bends) > 1 else 0.0


def history_of(snapshots: Iterable[Snapshot], d_vocab: int | None = None) -> History:
    """The history that a training of lmviz leaves behind."""
    kept = list(snapshots)
    return History(
        losses=tuple((s.step, s.loss) for s in kept),
        held_out=tuple((s.step, s.held_out_loss) for s in kept if s.held_out_loss is not None),
        grad_norms=tuple((s.step, s.grad_norm) for s in kept),
        update_ratios=tuple((s.step, max(m.update_ratio for m in s.group_updates)) for s in kept if s.group_updates),
        d_vocab=d_vocab,
    )
