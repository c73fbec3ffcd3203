"""What shows that a model is meant to predict the next token, so that no position may see a later one.

Whoever reads both ways on purpose, as BERT does, is built of the same parts: only a mask, an output, a loss or a view
to one side tell the two apart.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor, nn

from lmviz.debug.copies import copy_of
from lmviz.debug.doctor.finding import Sure
from lmviz.debug.doctor.patterns import patterns_of
from lmviz.debug.reading import TARGETS, tensors_given
from lmviz.debug.subject import Subject
from lmviz.random_state import seeded
from lmviz.trace.step import Array, Trace

_WRITES = re.compile(r"GPT|Causal(LM|Language)|LMHead|Language_?Model")  # the names of classes
_FILLS_IN = re.compile(r"mask|bert|diffusion", re.IGNORECASE)
_MASKING = frozenset(("tril", "triu", "tril_", "triu_"))


def how_sure_of_next_token(subject: Subject, is_one_sided: Callable[[], bool]) -> Sure:
    """How sure one can be that a model is meant to predict the next token.

    Sure: it was said to; it has a mask that hides what comes later, even if it is used wrongly or in training only; it
    gives the last logits alone; its loss asks for the next token; or it sees more on one side than on the other.
    Likely: it can write, or is called so.

    Args:
        is_one_sided: whether some position sees another one that does not see it; asked last, since it takes longest.
    """
    signs = (
        lambda: bool(subject.causal),
        lambda: subject.reading.kind in ("with_targets", "prefixes"),
        lambda: any(map(_is_triangle, _masks(subject.model))),
        lambda: _hides_later(subject.trace),
        lambda: _asks_for_next(subject),
        is_one_sided,
    )
    if any(sign() for sign in signs):
        return "sure"
    name = type(subject.model).__name__
    writes = callable(getattr(subject.model, "generate", None)) or _WRITES.search(name)
    return "likely" if writes and not _FILLS_IN.search(name) else "hint"


def _masks(model: nn.Module) -> Iterator[Array]:
    """The tables [.., n, n] that a model keeps and does not learn."""
    for buffer in model.buffers():
        if buffer.ndim >= 2 and buffer.shape[-1] == buffer.shape[-2] and not buffer.is_meta:
            yield buffer.detach().float().cpu().numpy()


def _hides_later(trace: Trace) -> bool:
    """Whether a run cuts a table into what is before and what is after, or an attention looks to one side."""
    made = (value.array for step in trace if step.op in _MASKING for value in step.outputs)
    given = (value.array for step in trace for value in step.inputs if value.role in ("input", "constant"))
    shares = (pattern.shares for pattern in patterns_of(trace))
    return any(_is_triangle(array) for arrays in (made, given, shares) for array in arrays)


def _is_triangle(table: Array) -> bool:
    """Whether a table [.., n, n] says one thing of all on one side of its diagonal, and another of the other side."""
    n = table.shape[-1] if table.ndim >= 2 else 0
    if n < 3 or table.shape[-2] != n or not table.size:
        return False
    rows = table.reshape(-1, n, n)
    later, before = (rows[:, np.tri(n, k=-1, dtype=bool).T], rows[:, np.tri(n, k=-1, dtype=bool)])
    return _is_cut(later, before) or _is_cut(before, later)


def _is_cut(one: Array, other: Array) -> bool:
    """Whether all of one side is the same, and not all of the other is that."""
    return bool((one == one.flat[0]).all() and (other != one.flat[0]).any())


def _asks_for_next(subject: Subject) -> bool:
    """Whether the loss that a model works out is that of next tokens: the first target asks for nothing."""
    model = copy_of(subject.model).eval()
    with suppress(Exception):  # targets of another kind
        known = inspect.signature(model.forward).parameters
        name = next(name for name in TARGETS if name in known)
        first, last = subject.ids.clone(), subject.ids.clone()
        first[0, 0], last[0, -1] = (first[0, 0] + 1) % subject.d_vocab, (last[0, -1] + 1) % subject.d_vocab
        as_it_is, by_first, by_last = (_loss(model, subject.ids, name, one) for one in (subject.ids, first, last))
        return as_it_is == by_first != by_last
    return False


def _loss(model: nn.Module, ids: Tensor, name: str, targets: Tensor) -> float:
    with torch.no_grad(), seeded(0):
        output = model(ids, **{name: targets})
    return float(next(one for one in tensors_given(output) if one.ndim == 0))
