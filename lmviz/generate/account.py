"""One token's way through the filters, worked out again in float64: what became of its score, and by which number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lmviz.generate.columns import Column
from lmviz.generate.token_step import TokenStep


@dataclass(frozen=True)
class Entry:
    """What one filter that is on did to one token."""

    name: str  # of the column
    action: str  # "divide", "multiply", "keep", "cut"
    before: float  # its score; for min-p its probability, for top-p that of the likelier tokens together
    by: float  # what it was divided or multiplied by, or the limit that it was held against
    after: float  # its score; -inf if it was cut


@dataclass(frozen=True)
class Account:
    """A token's entries up to the one that cut it, and what its last score makes of the probabilities."""

    id: int
    logit: float
    entries: tuple[Entry, ...]
    score: float  # the last one
    highest: float  # the best last score of all tokens
    total: float  # the sum of e ** (score - highest) over all tokens that are left

    @property
    def share(self) -> float:
        """The probability, e ** (score - highest) / total; 0 if it was cut."""
        return math.exp(self.score - self.highest) / self.total if self.score > -math.inf else 0.0

    @property
    def cut_by(self) -> str:
        return next((entry.name for entry in self.entries if entry.action == "cut"), "")


@dataclass(frozen=True)
class Share:
    """A token's probability in one column, and in the one before it."""

    scores: NDArray[np.float64]  # [d_vocab], of the column
    entry: Entry | None  # what the filter did to the token's score; None for the logits, and for a token that was out
    before: float | None  # None for the logits
    kept: float  # the probabilities that the tokens left had in the column before, together
    n_cut: int  # how many tokens the column's filter has cut


def share_in(step: TokenStep, id: int, name: str) -> Share:
    """How one token came to its probability in one column. A filter that is off gives what the one before it gave."""
    columns = step.columns()
    at = next(i for i, column in enumerate(columns) if column.name == name)
    scores = columns[at].scores.astype(np.float64)
    if at == 0:
        return Share(scores, None, None, 1.0, 0)
    before = columns[at - 1]
    shares = _shares(before)
    entry = _entry(before, columns[at], id, step) if columns[at].is_on and before.scores[id] > -np.inf else None
    left = columns[at].scores > -np.inf
    n_cut = int((before.scores > -np.inf).sum() - left.sum())
    return Share(scores, entry, float(shares[id]), float(shares[left].sum()), n_cut)


def account(step: TokenStep, id: int) -> Account:
    """How one token came to its probability."""
    columns = step.columns()
    entries = []
    for before, column in pairwise(columns):
        if column.why is not None and before.scores[id] > -np.inf:
            entries.append(_entry(before, column, id, step))
    last = columns[-1].scores.astype(np.float64)
    highest = last.max()
    total = float(np.exp(last - highest).sum()) if highest > -np.inf else 0.0
    return Account(id, float(step.logits[id]), tuple(entries), float(last[id]), float(highest), total)


def _entry(before: Column, column: Column, id: int, step: TokenStep) -> Entry:
    settings, score = step.settings, float(before.scores[id])
    after = float(column.scores[id])
    action = "keep" if after > -math.inf else "cut"
    if column.name == "temperature":
        return Entry(column.name, "divide", score, settings.temperature, score / settings.temperature)
    if column.name == "repetition_penalty":
        penalty = settings.repetition_penalty
        if id not in step.ids:
            return Entry(column.name, "keep", score, penalty, score)
        if score < 0:
            return Entry(column.name, "multiply", score, penalty, score * penalty)
        return Entry(column.name, "divide", score, penalty, score / penalty)
    if column.name == "top_k":
        return Entry(column.name, action, score, float(column.scores[column.scores > -np.inf].min()), after)
    probs = _shares(before)
    if column.name == "min_p":
        return Entry(column.name, action, float(probs[id]), settings.min_p * float(probs.max()), after)
    if column.name == "top_p":
        likelier = before.scores > before.scores[id] if action == "keep" else column.scores > -np.inf
        return Entry(column.name, action, float(probs[likelier].sum()), settings.top_p, after)
    return Entry(column.name, action, score, float(settings.no_repeat_ngram), after)


def _shares(column: Column) -> NDArray[np.float64]:
    scores = column.scores.astype(np.float64)
    exponentials: NDArray[np.float64] = np.exp(scores - scores.max())
    exponentials /= exponentials.sum()
    return exponentials
