"""What a training's loss asks of a model, read off its slopes: which token at which position, and how much it counts.

A cross-entropy of logits z has the slope w (softmax(z) − q): w says how much a position counts, and q is 1 at the token
that is asked for. So it does not matter how a loop makes its targets, shifts, flattens or averages: what it asks shows
in the slopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lmviz.random_state import seeded

NOTHING = -100  # asked of a position that does not count
Output = Literal["logits", "log_probs", "probs"]


@dataclass(frozen=True, eq=False)
class LossProbe:
    """What a loss asks, of every position of a batch."""

    inputs: Tensor  # [batch, pos]
    tokens: Tensor  # [batch, pos]: the token that is asked for; NOTHING where nothing is
    slopes: Tensor  # [batch, pos, d_vocab], of the loss at `logits`
    logits: Tensor  # [batch, pos, d_vocab]: drawn by a seed
    moved: Tensor  # [batch, pos]: how far a position's slopes move when only another position's logits do
    even: float = 0.0  # the loss where all logits are alike

    @property
    def counted(self) -> Tensor:
        """[batch, pos]: where something is asked."""
        return self.tokens != NOTHING


def _in_its_shape(logits: Tensor, output: Output) -> Tensor:
    """Logits as a model gives them whose last operation is a softmax, or the logarithm of one."""
    if output == "logits":
        return logits
    return logits.log_softmax(dim=-1) if output == "log_probs" else logits.softmax(dim=-1)


def output_of(logits: Tensor) -> Output:
    """What a model gives: shares that sum to 1, their logarithms, or logits. [batch, pos, d_vocab]"""
    if logits.shape[-1] > 1:
        if bool((logits >= 0).all()) and bool(((logits.sum(dim=-1) - 1).abs() < 1e-3).all()):
            return "probs"
        if bool((logits <= 1e-6).all()) and bool((logits.logsumexp(dim=-1).abs() < 1e-4).all()):
            return "log_probs"
    return "logits"


def probe_loss(loop: ModuleType, inputs: Tensor, targets: Tensor, d_vocab: int, output: Output = "logits") -> LossProbe:
    """What a loop's loss asks with these targets."""
    loss = loop.Loss(targets)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((*inputs.shape, d_vocab), generator=generator, dtype=torch.float64)
    even = _slopes(loss, torch.zeros_like(logits), output)  # where all are alike, what is asked for is pulled up most
    counts = even.amin(dim=-1) < -1e-9 * max(1e-30, float(even.abs().max()))
    tokens = torch.where(counts, even.argmin(dim=-1), torch.full_like(inputs, NOTHING))
    slopes = _slopes(loss, logits, output)
    with seeded(0), torch.no_grad():
        value = float(loss(_in_its_shape(torch.zeros_like(logits), output)).sum())
    return LossProbe(inputs, tokens, slopes, logits, _moved(loss, logits, slopes, output), value)


def _slopes(loss: torch.nn.Module, logits: Tensor, output: Output) -> Tensor:
    with seeded(0), torch.enable_grad():
        given = logits.clone().requires_grad_()
        value = loss(_in_its_shape(given, output))
        if not value.requires_grad:
            return torch.zeros_like(logits)
        (slopes,) = torch.autograd.grad(value.sum(), given, allow_unused=True)
    return torch.zeros_like(logits) if slopes is None else slopes


def _moved(loss: torch.nn.Module, logits: Tensor, slopes: Tensor, output: Output) -> Tensor:
    """How far the slopes of other positions move when the logits of one are others, by parts of the largest slope."""
    n_texts, n_pos = logits.shape[:2]
    largest = torch.zeros(n_texts, n_pos, dtype=logits.dtype)
    for text, pos in {(0, 0), (0, n_pos // 2), (n_texts - 1, 0)}:
        changed = logits.clone()
        changed[text, pos] = changed[text, pos].flip(0) * 1.5
        moved = (_slopes(loss, changed, output) - slopes).abs().amax(dim=-1)
        moved[text, pos] = 0
        largest = torch.maximum(largest, moved)
    return largest / max(1e-30, float(slopes.abs().max()))


def nats(logits: Tensor, asked: LossProbe) -> float:
    """The mean of −ln p(token) over what is asked, whatever the loop's own loss makes of it."""
    return float(F.cross_entropy(logits.flatten(0, 1).float(), asked.tokens.flatten(), ignore_index=NOTHING))


def alike(slopes: Tensor, others: Tensor, counted: Tensor) -> float:
    """The smallest cosine between two losses' slopes, over the positions that count."""
    found = F.cosine_similarity(slopes, others, dim=-1)[counted]
    return float(found.min()) if found.numel() else 1.0


def fillers(inputs: Tensor, texts: tuple[tuple[int, ...], ...]) -> Tensor:
    """[batch, pos]: where a row holds fillers: one token again and again at its end or its beginning, more often than
    any text has it there."""
    return _run_at_end(inputs, texts) | _run_at_end(inputs.flip(1), tuple(ids[::-1] for ids in texts)).flip(1)


def _run_at_end(inputs: Tensor, texts: tuple[tuple[int, ...], ...]) -> Tensor:
    found = torch.zeros(inputs.shape, dtype=torch.bool)
    for row, ids in enumerate(inputs.tolist()):
        token, length = ids[-1], _length_of_run(ids)
        allowed = max((_length_of_run(text) for text in texts if text[-1] == token), default=0)
        if length > max(1, allowed):
            found[row, len(ids) - length + allowed :] = True
    return found


def _length_of_run(ids: list[int] | tuple[int, ...]) -> int:
    """How often the last token stands at the end."""
    return next((n for n, id in enumerate(reversed(ids)) if id != ids[-1]), len(ids))
