"""What mattered most for the likeliest next token: measured by switching heads off and by hiding tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.registry.models import Models
from lmviz.registry.recording import Recording
from lmviz.stages.stage import READOUT
from lmviz.trace.recorder import record

AT_ONCE = 3e10  # of multiplications: what a page may take without being asked, about a third of a second
MOST = 1e12  # and what it takes at all; beyond that fewer tokens are hidden, and in the end nothing is measured
MOST_TOKENS = 32  # that are hidden, one by one: the last ones before the position

Change = Callable[[Tensor], None]  # of a pattern [head, query, key], in place


@dataclass(frozen=True, slots=True)
class Effect:
    """What is left of a probability without something."""

    without: float


@dataclass(frozen=True, slots=True)
class HeadEffect(Effect):
    block: str  # the name of its block
    head: int


@dataclass(frozen=True, slots=True)
class TokenEffect(Effect):
    pos: int


@dataclass(frozen=True, slots=True)
class Influence:
    """What the likeliest token behind a position owes to single heads and tokens.

    A head is off when its pattern is 0 everywhere: it adds nothing. A token is hidden when no later token's attention
    sees it, in any head of any block; what the others get is scaled up to 1 again, as if it had been masked.
    """

    token_id: int
    share: float  # its probability
    head: HeadEffect | None  # the one whose absence changes it most
    token: TokenEffect | None
    n_heads: int  # that were switched off, one by one
    n_tokens: int  # that were hidden, one by one
    by_block: bool = False  # only the heads of the block whose attention as a whole matters most were


@dataclass(frozen=True, slots=True)
class HeadsOff:
    """What the likeliest token behind a position owes to each head of one block, in their order."""

    token_id: int
    share: float  # its probability
    heads: tuple[HeadEffect, ...]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Where a block's attention pattern is, and how many heads it has."""

    address: str
    block: str
    n_heads: int


def cost(run: Recording) -> float:
    """About how many multiplications the whole measurement takes; infinite where it can't be made."""
    if not _patterns(run) or run.request.edits or run.own is not None:
        return float("inf")
    return run.n_parameters * len(run.tokens) * 2 * _n_rows(run)


def influence(models: Models, run: Recording, pos: int) -> Influence | None:
    """What mattered most for the likeliest token behind a position; None where it can't be measured."""
    if cost(run) > MOST:
        return None
    return models.kept(("influence", run.checkpoint, run.request, pos), lambda: _measured(run, pos))


def each_head(models: Models, run: Recording, pos: int, address: str) -> HeadsOff | None:
    """What each head of an attention pattern does for the likeliest token behind a position: measured by switching it
    off, as the page's own button does. None where that can't be measured, or takes too long."""
    pattern = next((one for one in _patterns(run) if one.address == address), None)
    if pattern is None or run.request.edits or run.own is not None:
        return None
    if run.n_parameters * len(run.tokens) * 2 * pattern.n_heads > MOST:
        return None
    return models.kept(("each head", run.checkpoint, run.request, pos, address), lambda: _each_head(run, pos, pattern))


def _each_head(run: Recording, pos: int, pattern: _Pattern) -> HeadsOff:
    share, token_id = _likeliest(run, pos)
    left = _Shares(run, pos, token_id).without([(pattern, _off(head)) for head in range(pattern.n_heads)])
    return HeadsOff(token_id, share, tuple(HeadEffect(one, pattern.block, head) for head, one in enumerate(left)))


def _n_rows(run: Recording) -> int:
    found = _patterns(run)
    heads = len(found) + max(one.n_heads for one in found) if _by_block(run) else sum(one.n_heads for one in found)
    return heads + min(len(run.tokens), MOST_TOKENS)


def _by_block(run: Recording) -> bool:
    """Whether there are too many heads to switch off each."""
    return run.n_parameters * len(run.tokens) * 2 * sum(one.n_heads for one in _patterns(run)) > AT_ONCE


def _measured(run: Recording, pos: int) -> Influence | None:
    patterns = _patterns(run)
    share, token_id = _likeliest(run, pos)
    shares = _Shares(run, pos, token_id)
    chosen, by_block = patterns, _by_block(run)
    if by_block:
        left = shares.without([(one, _all_off) for one in patterns])
        chosen = [patterns[_farthest(left, share)]]
    heads = [(one, head) for one in chosen for head in range(one.n_heads)]
    tokens = list(range(max(0, pos - MOST_TOKENS), pos))
    found = shares.without([*((one, _off(head)) for one, head in heads), *((patterns, _hide(key)) for key in tokens)])
    left, hidden = found[: len(heads)], found[len(heads) :]
    return Influence(
        token_id=token_id,
        share=share,
        head=_head(heads, left, share),
        token=TokenEffect(hidden[(i := _farthest(hidden, share))], tokens[i]) if tokens else None,
        n_heads=len(heads),
        n_tokens=len(tokens),
        by_block=by_block,
    )


def _head(heads: Sequence[tuple[_Pattern, int]], left: Sequence[float], share: float) -> HeadEffect:
    i = _farthest(left, share)
    return HeadEffect(left[i], heads[i][0].block, heads[i][1])


def _farthest(left: Sequence[float], share: float) -> int:
    return int(np.abs(np.array(left) - share).argmax())


def _likeliest(run: Recording, pos: int) -> tuple[float, int]:
    probs = run.trace.value(f"{READOUT}.probs")
    assert probs is not None
    row = probs.array[run.place_of(probs, pos)]
    return float(row.max()), int(row.argmax())


def _patterns(run: Recording) -> list[_Pattern]:
    """The attention patterns that can be changed: steps of their own, [batch, head, query, key] over these tokens."""
    n_pos, found = len(run.tokens), []
    for stage in run.navigator.stages:
        step = run.trace[stage.stop] if stage.kind == "softmax" and stage.stop >= 0 else None
        if step is None or step.opened is not None or not step.outputs:
            continue
        value = step.outputs[0]
        if len(value.shape) == 4 and value.shape[0] == 1 and value.shape[2:] == (n_pos, n_pos):
            found.append(_Pattern(value.address, stage.block_name, value.shape[1]))
    return found


def _all_off(pattern: Tensor) -> None:
    pattern.zero_()


def _off(head: int) -> Change:
    def change(pattern: Tensor) -> None:
        pattern[head] = 0

    return change


def _hide(key: int) -> Change:
    def change(pattern: Tensor) -> None:
        later = pattern[:, key + 1 :]
        later[:, :, key] = 0
        later /= later.sum(-1, keepdim=True).clamp_min(torch.finfo(later.dtype).tiny)

    return change


@dataclass(frozen=True)
class _Shares:
    """The probability of a token behind a position, in runs that are otherwise: all of them as one batch."""

    run: Recording
    pos: int
    token_id: int

    def without(self, changed: Sequence[tuple[_Pattern | list[_Pattern], Change]]) -> list[float]:
        """Its probability with each of some changes, made to one pattern or to several."""
        if not changed:
            return []
        rows: dict[str, list[tuple[int, Change]]] = {}
        for row, (where, change) in enumerate(changed):
            for one in where if isinstance(where, list) else [where]:
                rows.setdefault(one.address, []).append((row, change))
        ids = self.run.tokens.ids_tensor.expand(len(changed), -1)
        with torch.no_grad():
            trace = record(
                self.run.checkpoint.model,
                ids,
                edits={address: _on_rows(changes) for address, changes in rows.items()},
                budget=0,
            )
        if trace.failure is not None:
            raise UserError(
                "The model stopped with an error: {error:code}. Step through shows where.",
                error=str(trace.failure)[:300].rstrip("."),
            )
        logits = trace.output if trace.output.ndim == 2 else trace.output[:, min(self.pos, trace.output.shape[1] - 1)]
        probs = torch.softmax(logits.double() / self.run.request.temperature, dim=-1)
        return [float(share) for share in probs[:, self.token_id]]


def _on_rows(changes: Sequence[tuple[int, Change]]) -> Callable[[Tensor], Tensor]:
    def edited(pattern: Tensor) -> Tensor:
        for row, change in changes:
            change(pattern[row])
        return pattern

    return edited
