"""Which tokens a model looks at: none that come later, all that came before, and their order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from lmviz.debug.doctor.finding import Finding, Sure, not_measured
from lmviz.debug.doctor.intent import how_sure_of_next_token
from lmviz.debug.doctor.patterns import Pattern, attentions_of, patterns_of
from lmviz.debug.subject import Subject
from lmviz.trace.recorder import record

_NOTHING = 1e-3  # of what rounding explains: a number that nothing moves is the same in both runs
_CHEAP = 4e10  # multiplications of a forward pass that take a second or so


def causality(subject: Subject) -> Finding:
    """Change a token: no logit before it may move. Measured: the largest move, as it is, with weights drawn anew, or in
    training.

    Who reads both ways on purpose, as BERT does, fails the same: how sure one can be hangs on what shows that the next
    token is to be predicted.

    Source: Vaswani et al. 2017, 3.2.3.
    """
    if subject.causal is False:
        return not_measured("causality", "both_ways")
    ids = subject.ids
    if ids.shape[1] < 2:
        return not_measured("causality", "too_short")
    probes, is_at_rest = [_changed(ids, later, subject.d_vocab) for later in _probed(ids.shape[1])], True
    for model in _models(subject):
        probe, move, limit = _worst_probe(subject, model, probes)
        is_own = model is subject.precise
        if float(move.max()) > limit:
            break
    else:
        with _in_training(subject) as model, suppress(Exception):  # some need more than ids there
            found = _worst_probe(subject, model, probes)
            if model.training and float(found[1].max()) > found[2]:
                (probe, move, limit), is_own, is_at_rest = found, False, False
    pos, logit = divmod(int(move.argmax()), subject.d_vocab)
    holds = float(move.max()) <= limit
    sure: Sure = "sure" if holds or not is_at_rest else how_sure_of_next_token(subject, partial(_is_one_sided, subject))
    return Finding(
        "causality",
        holds,
        float(move.max()),
        limit,
        "logits" if is_own else "",
        (0, pos, logit),
        ids=_tuple(ids),
        beside=_tuple(probe),
        details={"pos": pos, "why": "both_ways" if sure == "hint" else ""},
        sure=sure,
    )


def _models(subject: Subject) -> Iterator[nn.Module]:
    """The model as it is; and, since weights may hide what it does (a last matrix that starts at 0), with others."""
    yield subject.precise
    if subject.is_small:
        yield subject.anew


@contextmanager
def _in_training(subject: Subject) -> Iterator[nn.Module]:
    """The model with weights drawn anew as it is in training: a mask may be missing only there. Dropout draws the same
    each time, and norms over a batch stay at rest; a large model does altogether."""
    model = subject.anew if subject.is_small else subject.precise
    model.train(subject.is_small)
    for part in model.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()
    try:
        yield model
    finally:
        model.eval()


def _worst_probe(subject: Subject, model: nn.Module, probes: list[Tensor]) -> tuple[Tensor, Tensor, float]:
    """The change of a token that moves logits before it most, by how much, and what rounding may move."""
    moves = [(probe, *_moved_before(subject, model, probe)) for probe in probes]
    return max(moves, key=lambda one: float(one[1].max()) / one[2])


def _moved_before(subject: Subject, model: nn.Module, probe: Tensor) -> tuple[Tensor, float]:
    """How far a change of one token moves the logits before it, [pos, d_vocab]; and by how much rounding may."""
    before, after = subject.logits(subject.ids, model)[0], subject.logits(probe, model)[0]
    moved = (after - before).abs().nan_to_num(torch.inf, posinf=torch.inf)
    moved = torch.where(before.isnan() & after.isnan(), 0.0, moved)  # that is told elsewhere
    return moved[: int((probe != subject.ids)[0].nonzero()[0])].float(), _noise(before, subject.is_small)


def _is_one_sided(subject: Subject) -> bool:
    """Whether a token moves the logits of another one, whose token moves its own by nothing at all."""
    model, ids = subject.anew if subject.is_small else subject.precise, subject.ids
    n_pos = ids.shape[1]
    places = [*range(n_pos)] if subject.is_small else sorted({0, 1, n_pos // 2, n_pos - 1})
    before = subject.logits(ids, model)[0]
    moves = [subject.logits(_changed(ids, pos, subject.d_vocab), model)[0] - before for pos in places]
    moved = torch.stack([move[places].abs().nan_to_num(torch.inf).amax(dim=-1) for move in moves])
    limit = _noise(before, subject.is_small)
    return bool(((moved > limit) & (limit * _NOTHING >= moved.T)).any())


def _tuple(ids: Tensor) -> tuple[int, ...]:
    return tuple(ids[0].tolist())


_fields: WeakKeyDictionary[Subject, Finding] = WeakKeyDictionary()  # other checks ask for it, too


def receptive_field(subject: Subject) -> Finding:
    """Change an early token: the last logits must move, or the model cannot have read it. Measured: the smallest move.

    A model that reads a window of so many tokens at every position does so on purpose.

    Source: the same probe, the other way round.
    """
    if subject not in _fields:
        _fields[subject] = _field_of(subject)
    return _fields[subject]


def _field_of(subject: Subject) -> Finding:
    ids = subject.ids
    if ids.shape[1] < 2:
        return not_measured("receptive_field", "too_short")
    moves = _moves(subject, ids.shape[1])
    if subject.is_small and ids.shape[1] > 3:  # heads that are cut wrongly may meet in an odd number of tokens
        shorter = _moves(subject, ids.shape[1] - 1)
        moves = shorter if min(shorter.values()) < min(moves.values()) else moves
    pos, ids = min(moves, key=lambda early: moves[early]), ids[:, : len(moves)]
    if moves[pos] == 0 and (window := _window(subject, moves)) and _is_meant(subject, window):
        details = {"window": window}
        return Finding("receptive_field", True, window, ids.shape[1], details=details)
    return Finding(
        "receptive_field",
        moves[pos] > 0,
        moves[pos],
        0.0,
        "logits",
        (0, ids.shape[1] - 1, 0),
        ids=_tuple(ids),
        beside=_tuple(_changed(ids, pos, subject.d_vocab)),
        details={"pos": pos, "window": 0},
    )


def _moves(subject: Subject, n_pos: int) -> dict[int, float]:
    """How far the last logits of the first so many tokens move when each of them is another."""
    ids, early = subject.ids[:, :n_pos], list(range(n_pos)) if subject.is_small else [0, n_pos // 2]
    probes = [_changed(ids, pos, subject.d_vocab, by) for pos in early for by in _ways(subject)]
    found = dict.fromkeys(early, 0.0)
    for model in _models(subject):
        before = subject.logits(ids, model)[0]
        for i, pos in enumerate(pos for pos in early for _ in _ways(subject)):
            if found[pos] == 0:
                found[pos] = _last_moved(subject.logits(probes[i], model)[0], before)
    return found


def _window(subject: Subject, moves: dict[int, float]) -> int:
    """How many tokens a model reads that reads as many at every position, the last ones; 0: it does not."""
    n_pos = len(moves)
    window = next((n for n in range(n_pos) if moves[n_pos - 1 - n] == 0), n_pos)
    if not subject.is_small or not 0 < window < n_pos or any(moves[early] > 0 for early in range(n_pos - window)):
        return 0
    for shorter in {n_pos - 1, n_pos - 2, n_pos // 2 + 1, n_pos // 2, window + 1} & set(range(2, n_pos)):
        found = _moves(subject, shorter)
        if [early for early, move in found.items() if move > 0] != list(range(max(0, shorter - window), shorter)):
            return 0
    return window


def _is_meant(subject: Subject, window: int) -> bool:
    """Whether a model without attention reads a window, or the mask of its attention shuts out what lies before it."""
    if causality(subject).holds is False and _is_one_sided(subject):
        return False
    if not attentions_of(subject.trace):
        return True
    patterns = patterns_of(subject.trace)
    return bool(patterns) and all(not pattern.shares[..., -1, : -window or None].any() for pattern in patterns)


def _ways(subject: Subject) -> range:
    """How a token is changed: a few ways, since one may be as good as the token itself; large models take long."""
    return range(1, min(subject.d_vocab, 4)) if subject.is_small else range(1, 2)


def positions(subject: Subject) -> Finding:
    """One token again and again: a model that knows positions still tells them apart. Measured: how far it does.

    Without positions all rows of the logits are the same and every row of the first pattern is even, whatever the
    weights; a model that turns its queries and keys (RoPE) shows in the pattern alone. From two blocks on, a mask alone
    gives some idea of the order (Haviv et al. 2022): that it was forgotten is then a hint.

    Source: Vaswani et al. 2017, 3.5.
    """
    n_pos = min(subject.n_ctx, 8)
    if n_pos < 2:
        return not_measured("positions", "too_short")
    if receptive_field(subject).details.get("window") == 1:
        return not_measured("positions", "one_token")
    ids = torch.full((1, n_pos), int(subject.ids[0, 0]))
    apart, limit, is_seen = max(
        (_difference_of_positions(subject, model, ids) for model in _models(subject)), key=lambda one: one[0] / one[1]
    )
    is_a_doubt = apart <= limit and _order_matters(subject)
    if is_a_doubt and not is_seen:  # what gives the order may be in an attention that is not known as one
        return not_measured("positions", "no_attention")
    cell = (0, n_pos - 1, 0)
    sure: Sure | None = "hint" if is_a_doubt else None
    return Finding("positions", apart > limit, apart, limit, "logits", cell, ids=_tuple(ids), sure=sure)


def _difference_of_positions(subject: Subject, model: nn.Module, ids: Tensor) -> tuple[float, float, bool]:
    """How far positions are apart, how far rounding may put them, and whether there is a pattern to see."""
    with torch.no_grad():
        trace = record(model, ids)
    if trace.failure is not None:
        raise trace.failure.exception
    logits: Tensor = trace.output[0]
    apart = float((logits - logits[:1]).abs().nan_to_num(torch.inf).max())
    uneven = [_unevenness(pattern) for pattern in patterns_of(trace)[:1]]
    return max([apart, *uneven]), _noise(logits, subject.is_small), bool(uneven)


def _order_matters(subject: Subject) -> bool:
    """Whether the last logits move when two earlier tokens change places."""
    ids = subject.ids
    differ = (ids[0, 1:-1] != ids[0, 0]).nonzero()
    if not subject.is_small or ids.shape[1] < 4 or not len(differ):
        return False
    swapped, other = ids.clone(), int(differ[0]) + 1
    swapped[0, 0], swapped[0, other] = ids[0, other], ids[0, 0]
    before, after = subject.logits(ids, subject.anew)[0], subject.logits(swapped, subject.anew)[0]
    return _last_moved(after, before) > _noise(before, subject.is_small)


def texts_apart(subject: Subject) -> Finding:
    """What a model says of one text does not depend on another one in the batch. Measured: the largest move.

    A model in which the two are mixed up takes positions for texts: batch_first was forgotten, or a view has put the
    axes in another order. One that is meant to be given [pos, batch] looks the same, if it knows no other order.

    Source: torch.nn.MultiheadAttention, `batch_first`.
    """
    if subject.reading.kind == "pos_first":
        return Finding("texts_apart", False, 1.0, 0.0, details={"why": "pos_first"}, sure="hint")
    both, found = subject.two, list[tuple[float, float]]()
    for model in _models(subject):
        before = subject.logits(both, model)
        for text in (0, 1):
            other = both.clone()
            other[text] = (both[text] + 1) % subject.d_vocab
            moved = (subject.logits(other, model) - before)[1 - text].abs().nan_to_num(0.0)
            found.append((float(moved.max()), _noise(before, subject.is_small)))
    largest, limit = max(found, key=lambda one: one[0] / one[1])
    return Finding("texts_apart", largest <= limit, largest, limit, ids=_tuple(both[:1]), details={"why": ""})


def whole_context(subject: Subject) -> Finding:
    """A model must read as many tokens as it says. Measured: how many it could read.

    Source: torch.nn.Embedding: an index past the end of a table.
    """
    if subject.n_parameters * subject.n_ctx > _CHEAP:
        return not_measured("whole_context", "too_large")
    ids = subject.ids[:, torch.arange(subject.n_ctx) % subject.ids.shape[1]]
    with torch.no_grad():
        trace = record(subject.at_rest, ids, budget=0)
    if trace.failure is None:
        return Finding("whole_context", True, subject.n_ctx, subject.n_ctx)
    failed = trace.failure.step
    where = trace[failed].address if failed is not None else ""
    reads = _longest_read(subject, ids)
    if reads < min(2, subject.n_ctx):  # it reads nothing at all: the context is not what is wrong
        raise trace.failure.exception
    details = {"error": str(trace.failure)}
    return Finding("whole_context", False, reads, subject.n_ctx, where, ids=_tuple(ids), details=details)


def _longest_read(subject: Subject, ids: Tensor) -> int:
    """By halving: a model that reads so many tokens reads fewer, too."""
    low, high = 0, ids.shape[1]
    while high - low > 1:
        middle = (low + high) // 2
        try:
            with torch.no_grad():
                subject.at_rest(ids[:, :middle])
            low = middle
        except (RuntimeError, IndexError, ValueError, AssertionError):
            high = middle
    return low


def _probed(n_pos: int) -> list[int]:
    """Positions whose token is changed: the last ones and some before."""
    return sorted({n_pos - 1, n_pos // 2, 1} - {0})


def _changed(ids: Tensor, pos: int, d_vocab: int, by: int = 1) -> Tensor:
    changed = ids.clone()
    changed[0, pos] = (changed[0, pos] + by) % d_vocab
    return changed


def _last_moved(after: Tensor, before: Tensor) -> float:
    return float((after[-1] - before[-1]).abs().nan_to_num(torch.inf).max())


def _unevenness(pattern: Pattern) -> float:
    """How far the rows are from giving every visible key the same share."""
    n_pos = pattern.shares.shape[-1]
    rows = pattern.shares.reshape(-1, n_pos, n_pos)
    last = rows[:, -1, :]
    return float(abs(last - last.mean(axis=-1, keepdims=True)).max())


def _noise(logits: Tensor, is_small: bool = True) -> float:
    """What rounding alone may move a logit by."""
    eps = 1e-10 if logits.dtype == torch.float64 else 1e-5 if is_small else 1e-4
    finite = logits[logits.isfinite()]
    return eps * max(1.0, float(finite.abs().max()) if finite.numel() else 1.0)
