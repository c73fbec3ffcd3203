"""Which tokens a model looks at: none that come later, all that came before, and their order."""

from __future__ import annotations

import torch
from torch import Tensor

from lmviz.chance import seeded
from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.doctor.patterns import Pattern, patterns_of
from lmviz.debug.patient import Patient
from lmviz.trace.recorder import record

CHEAP = 4e10  # multiplications of a forward pass that take a second or so


def causality(patient: Patient) -> Finding:
    """Change the last token: no logit before it may move. Measured: the largest move.

    Source: Vaswani et al. 2017, 3.2.3.
    """
    ids = patient.ids
    if ids.shape[1] < 2:
        return not_measured("causality", "too_short")
    with torch.no_grad():
        before = _logits(patient, ids)  # [pos, d_vocab]
        probes = [_changed(ids, later, patient.d_vocab) for later in _probed(ids.shape[1])]
        moves = [_moved_before(patient, probe, ids, before) for probe in probes]
    largest = max(float(move.max()) for move in moves)
    probe, move = next(pair for pair in zip(probes, moves, strict=True) if float(pair[1].max()) == largest)
    pos, logit = divmod(int(move.argmax()), patient.d_vocab)
    limit = _noise(before)
    return Finding(
        "causality",
        largest <= limit,
        largest,
        limit,
        "logits",
        (0, pos, logit),
        ids=_tuple(ids),
        beside=_tuple(probe),
        details={"pos": pos},
    )


def _moved_before(patient: Patient, probe: Tensor, ids: Tensor, before: Tensor) -> Tensor:
    """How far a change of one token moves the logits of those before it, [pos, d_vocab]."""
    moved = (_logits(patient, probe) - before).abs().nan_to_num(torch.inf)
    return moved[: int((probe != ids)[0].nonzero()[0])].float()


def _tuple(ids: Tensor) -> tuple[int, ...]:
    return tuple(ids[0].tolist())


def receptive_field(patient: Patient) -> Finding:
    """Change an early token: the last logits must move, or the model cannot have read it. Measured: the smallest move.

    Source: the same probe, the other way round.
    """
    ids = patient.ids
    if ids.shape[1] < 2:
        return not_measured("receptive_field", "too_short")
    with torch.no_grad():
        before = _logits(patient, ids)
        moves: dict[int, float] = {}
        for early in range(ids.shape[1]) if patient.is_small else (0, ids.shape[1] // 2):
            changes = [_changed(ids, early, patient.d_vocab, by) for by in _ways(patient)]
            moves[early] = max(_last_moved(_logits(patient, changed), before) for changed in changes)
    pos = min(moves, key=lambda early: moves[early])
    return Finding(
        "receptive_field",
        moves[pos] > 0,
        moves[pos],
        0.0,
        "logits",
        (0, ids.shape[1] - 1, 0),
        ids=_tuple(ids),
        beside=_tuple(_changed(ids, pos, patient.d_vocab)),
        details={"pos": pos},
    )


def _ways(patient: Patient) -> range:
    """How a token is changed: a few ways, since one may be as good as the token itself; large models take long."""
    return range(1, min(patient.d_vocab, 4)) if patient.is_small else range(1, 2)


def positions(patient: Patient) -> Finding:
    """One token again and again: a model that knows positions still tells them apart. Measured: how far it does.

    Without positions all rows of the logits are the same and every row of the first pattern is even, whatever the
    weights; a model that turns its queries and keys (RoPE) shows in the pattern alone.

    Source: Vaswani et al. 2017, 3.5.
    """
    n_pos = min(patient.n_ctx, 8)
    if n_pos < 2:
        return not_measured("positions", "too_short")
    ids = torch.full((1, n_pos), int(patient.ids[0, 0]))
    with torch.no_grad():
        trace = record(patient.precise, ids)
    if trace.failure is not None or not isinstance(trace.output, Tensor):
        return not_measured("positions", "does_not_run")
    logits = trace.output[0]
    apart = float((logits - logits[:1]).abs().max())
    patterns = patterns_of(trace)
    uneven = max((_unevenness(pattern) for pattern in patterns[:1]), default=0.0)
    limit = _noise(logits)
    holds, cell = apart > limit or uneven > limit, (0, n_pos - 1, 0)
    return Finding("positions", holds, max(apart, uneven), limit, "logits", cell, ids=_tuple(ids))


def whole_context(patient: Patient) -> Finding:
    """A model must read as many tokens as it says. Measured: how many it could read.

    Source: an index past the end of a table; LLMs-from-scratch #175.
    """
    if patient.n_parameters * patient.n_ctx > CHEAP:
        return not_measured("whole_context", "too_large")
    ids = patient.ids[:, torch.arange(patient.n_ctx) % patient.ids.shape[1]]
    with torch.no_grad():
        trace = record(patient.model, ids, budget=0)
    if trace.failure is None:
        return Finding("whole_context", True, patient.n_ctx, patient.n_ctx)
    failed = trace.failure.step
    where = trace[failed].address if failed is not None else ""
    reads = _longest_read(patient, ids)
    details = {"error": str(trace.failure)}
    return Finding("whole_context", False, reads, patient.n_ctx, where, ids=_tuple(ids), details=details)


def _longest_read(patient: Patient, ids: Tensor) -> int:
    """By halving: a model that reads so many tokens reads fewer, too."""
    low, high = 0, ids.shape[1]
    while high - low > 1:
        middle = (low + high) // 2
        try:
            with torch.no_grad():
                patient.model(ids[:, :middle])
            low = middle
        except (RuntimeError, IndexError, ValueError):
            high = middle
    return low


def _probed(n_pos: int) -> list[int]:
    """Positions whose token is changed: the last ones and some before."""
    return sorted({n_pos - 1, n_pos // 2, 1} - {0})


def _changed(ids: Tensor, pos: int, d_vocab: int, by: int = 1) -> Tensor:
    changed = ids.clone()
    changed[0, pos] = (changed[0, pos] + by) % d_vocab
    return changed


def _logits(patient: Patient, ids: Tensor) -> Tensor:
    """[pos, d_vocab]; if anything is drawn (dropout), always the same."""
    with seeded(0):
        logits: Tensor = patient.precise(ids)[0]
    return logits


def _last_moved(after: Tensor, before: Tensor) -> float:
    return float((after[-1] - before[-1]).abs().nan_to_num(torch.inf).max())


def _unevenness(pattern: Pattern) -> float:
    """How far the rows are from giving every visible key the same share."""
    n_pos = pattern.shares.shape[-1]
    rows = pattern.shares.reshape(-1, n_pos, n_pos)
    last = rows[:, -1, :]
    return float(abs(last - last.mean(axis=-1, keepdims=True)).max())


def _noise(logits: Tensor) -> float:
    """What rounding alone may move a logit by."""
    eps = 1e-10 if logits.dtype == torch.float64 else 1e-4
    finite = logits[logits.isfinite()]
    return eps * max(1.0, float(finite.abs().max()) if finite.numel() else 1.0)
