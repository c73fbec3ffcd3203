"""One new token: what the model read, its scores, what was done to them, and the token that came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from lmviz.generate.cached import CachedReader, CacheUse
from lmviz.generate.columns import Column, columns, filtered
from lmviz.generate.draw import Draw, draw, random_number
from lmviz.generate.reading import next_logits, read_by
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class TokenStep:
    """The record of one step. It holds what the step depends on; the columns are computed from it when looked at."""

    index: int  # 0 for the first new token
    sequence: int  # which of several texts this is
    ids: tuple[int, ...]  # all tokens before this one
    read: tuple[int, ...]  # their end, which the model read
    settings: Settings
    logits: NDArray[np.float32]  # [d_vocab]
    cache: CacheUse | None = None  # where it was written with one

    @property
    def n_cut(self) -> int:
        """How many tokens have slid out of the context."""
        return len(self.ids) - len(self.read)

    def columns(self) -> tuple[Column, ...]:
        """The logits, then what each filter made of them; the softmax of the last is `probs`."""
        return _columns(self)

    @cached_property
    def chosen(self) -> int | None:
        """The id that comes next; None if the filters left no token at all."""
        scores = filtered(torch.from_numpy(self.logits), self.ids, self.settings)
        if not bool((scores > -torch.inf).any()):
            return None
        return self._draw(scores.softmax(-1).numpy()).chosen if self.settings.draws else int(scores.argmax())

    def probs(self) -> NDArray[np.float32]:
        """[d_vocab], sums to 1: what is left, renormalised."""
        return filtered(torch.from_numpy(self.logits), self.ids, self.settings).softmax(-1).numpy()

    def draw(self) -> Draw | None:
        """The random number on the bar; None where nothing is drawn."""
        return self._draw(self.probs()) if self.settings.draws and self.chosen is not None else None

    @cached_property
    def share(self) -> float:
        """The chosen token's probability after all filters; NaN if none was left."""
        return math.nan if self.chosen is None else float(self.probs()[self.chosen])

    @cached_property
    def log_prob(self) -> float:
        """ln of the chosen token's probability before any filter, in nats: what the model itself thinks of it."""
        if self.chosen is None:
            return math.nan
        return float(torch.from_numpy(self.logits).double().log_softmax(-1)[self.chosen])

    def _draw(self, probs: NDArray[np.float32]) -> Draw:
        return draw(probs, random_number(self.settings.seed, self.sequence, self.index))


@lru_cache(maxsize=16)
def _columns(step: TokenStep) -> tuple[Column, ...]:
    """The table of a step that is being looked at; over a large vocabulary it takes a while."""
    return columns(torch.from_numpy(step.logits), step.ids, step.settings)


def next_token(
    checkpoint: Checkpoint,
    ids: Sequence[int],
    settings: Settings,
    index: int = 0,
    sequence: int = 0,
    cached: CachedReader | None = None,
) -> TokenStep:
    """The step from `ids` to the token that follows them; `index` and `sequence` say which random number decides.

    With a `cached` reader its logits count, and are compared with those of the whole text.
    """
    logits, use = next_logits(checkpoint, [ids])[0], None
    if cached is not None:
        logits, use = cached.next_logits(ids, plain=logits)
    return TokenStep(index, sequence, tuple(ids), read_by(checkpoint, ids), settings, logits.numpy(), use)
