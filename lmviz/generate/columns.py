"""The next token as a table: a row for each token of the vocabulary, a column for each filter, and why it cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lmviz.generate.filters import (
    apply_temperature,
    ban_repeats,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalise_repeats,
    repeats,
)
from lmviz.generate.settings import Note, Settings, note


@dataclass(frozen=True, eq=False)
class Column:
    """The scores of all tokens after one filter. The softmax of each column is a distribution."""

    name: str  # "logits", or the setting that made it: "top_k"
    scores: NDArray[np.float32]  # [d_vocab], -inf where a token is out
    cut: NDArray[np.intp]  # ids that went out here, the likeliest first
    why: Note | None = None  # None: the filter is off, and the column as the one before

    @property
    def is_on(self) -> bool:
        return self.name == "logits" or self.why is not None

    @property
    def n_kept(self) -> int:
        return int((self.scores > -np.inf).sum())

    @property
    def probs(self) -> NDArray[np.float32]:
        """[d_vocab], sums to 1; all NaN if every token is out."""
        return torch.from_numpy(self.scores).softmax(-1).numpy()


@dataclass(frozen=True)
class Filter:
    """One column: when it does something, what it does, and why (given the scores before it and after it)."""

    name: str
    is_on: Callable[[Settings], bool]
    apply: Callable[[Tensor, Sequence[int], Settings], Tensor]
    why: Callable[[Tensor, Tensor, Sequence[int], Settings], Note]


def columns(logits: Tensor, ids: Sequence[int], settings: Settings) -> tuple[Column, ...]:
    """Logits and one column per filter, in the order they apply.

    Args:
        logits: [d_vocab], the model's scores for the token after `ids`.
        ids: all tokens so far, the prompt included, and also those that no longer fit into the context.
    """
    made = [_column("logits", logits, logits, None)]
    scores = logits
    for each in _FILTERS:
        before = scores
        is_on = each.is_on(settings) and _n_left(before) > 0
        scores = each.apply(before, ids, settings) if is_on else before
        made.append(_column(each.name, before, scores, each.why(before, scores, ids, settings) if is_on else None))
    return tuple(made)


def filtered(scores: Tensor, ids: Sequence[int], settings: Settings) -> Tensor:
    """The last column on its own."""
    for each in _FILTERS:
        scores = each.apply(scores, ids, settings) if each.is_on(settings) else scores
    return scores


def _n_left(scores: Tensor) -> int:
    return int((scores > -torch.inf).sum())


def _column(name: str, before: Tensor, after: Tensor, why: Note | None) -> Column:
    cut = torch.nonzero((before > -torch.inf) & (after == -torch.inf)).flatten()
    order = before[cut].argsort(descending=True, stable=True)
    return Column(name, after.numpy(), cut[order].numpy(), why)


# Why a filter did what it did: a sentence with this step's numbers ----------------------------------------------------


def _why_penalty(before: Tensor, after: Tensor, ids: Sequence[int], settings: Settings) -> Note:
    return _counted(
        len(set(ids)),
        "Nothing changes: no token was used before.",
        "1 token was used before: a score above 0 is divided by {penalty}, one below multiplied.",
        "{n} tokens were used before: scores above 0 are divided by {penalty}, those below multiplied.",
        penalty=settings.repetition_penalty,
    )


def _why_ban(before: Tensor, after: Tensor, ids: Sequence[int], settings: Settings) -> Note:
    size = settings.no_repeat_ngram
    return _counted(
        len(repeats(ids, size)),
        "Nothing is cut: no token would end a run of length {size} that was there before.",
        "1 token is out: it would end a run of length {size} that was there before.",
        "{n} tokens are out: they would end a run of length {size} that was there before.",
        size=size,
    )


def _why_temperature(before: Tensor, after: Tensor, ids: Sequence[int], settings: Settings) -> Note:
    return note("Every score is divided by the temperature, {temperature}.", temperature=settings.temperature)


def _why_top_k(before: Tensor, after: Tensor, ids: Sequence[int], settings: Settings) -> Note:
    lowest = float(after[after > -torch.inf].amin())
    return _counted(
        _n_cut(before, after),
        "Nothing is cut: no token scores lower than {lowest}, the score of number {k}.",
        "1 token is out: it scores lower than {lowest}, the score of number {k}.",
        "{n} tokens are out: they score lower than {lowest}, the score of number {k}.",
        lowest=lowest,
        k=min(settings.top_k, len(after)),
    )


def _why_top_p(before: Tensor, after: Tensor, ids: Sequence[int], settings: Settings) -> Note:
    kept = before.double().softmax(-1)[after > -torch.inf]
    return _counted(
        _n_cut(before, after),
        "Nothing is cut: it takes all the tokens that are left to make {p}.",
        "1 token is out: what is likelier already makes {reached}, and {p} is enough.",
        "{n} tokens are out: what is likelier already makes {reached}, and {p} is enough.",
        reached=float(kept.sum()),
        p=settings.top_p,
    )


def _why_min_p(before: Tensor, after: Tensor, ids: Sequence[int], settings: Settings) -> Note:
    highest, min_p = float(before.softmax(-1).amax()), settings.min_p
    return _counted(
        _n_cut(before, after),
        "Nothing is cut: no token is less likely than {least}, which is {min_p} × the highest, {highest}.",
        "1 token is out: it is less likely than {least}, which is {min_p} × the highest, {highest}.",
        "{n} tokens are out: they are less likely than {least}, which is {min_p} × the highest, {highest}.",
        least=min_p * highest,
        min_p=min_p,
        highest=highest,
    )


def _counted(n: int, none: str, one: str, many: str, **details: object) -> Note:
    """The sentence for so many tokens."""
    return note((none, one, many)[min(n, 2)], n=n, **details)


def _n_cut(before: Tensor, after: Tensor) -> int:
    return _n_left(before) - _n_left(after)


_FILTERS = (
    Filter(
        "repetition_penalty",
        lambda settings: settings.repetition_penalty != 1,
        lambda scores, ids, settings: penalise_repeats(scores, ids, settings.repetition_penalty),
        _why_penalty,
    ),
    Filter(
        "no_repeat_ngram",
        lambda settings: settings.no_repeat_ngram > 0,
        lambda scores, ids, settings: ban_repeats(scores, ids, settings.no_repeat_ngram),
        _why_ban,
    ),
    Filter(
        "temperature",
        lambda settings: settings.draws and settings.temperature != 1,
        lambda scores, ids, settings: apply_temperature(scores, settings.temperature),
        _why_temperature,
    ),
    Filter(
        "top_k",
        lambda settings: settings.draws and settings.top_k > 0,
        lambda scores, ids, settings: keep_top_k(scores, settings.top_k),
        _why_top_k,
    ),
    Filter(
        "top_p",
        lambda settings: settings.draws and settings.top_p < 1,
        lambda scores, ids, settings: keep_top_p(scores, settings.top_p),
        _why_top_p,
    ),
    Filter(
        "min_p",
        lambda settings: settings.draws and settings.min_p > 0,
        lambda scores, ids, settings: keep_min_p(scores, settings.min_p),
        _why_min_p,
    ),
)
