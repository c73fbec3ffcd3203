"""Losses between rows: how much nearer one is than another, and alignments of two sequences."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import option, required_argument
from lmviz.trace.operations.axes import UNNAMED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Floats, Term, Terms, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.class_losses import reduced, reduction_of
from lmviz.trace.step import Cell, Step


def _explain_triplet(step: Step, cell: Cell) -> Explanation:
    """max(0, distance to the positive - distance to the negative + margin), row by row.

    Source:
        Balntas et al. 2016, as torch averages it; `swap` is its 3.1.
    """
    anchor, positive, negative = (required_argument(step, name).row(...) for name in ("anchor", "positive", "negative"))
    p, eps, margin = option(step, "p", 2.0), option(step, "eps", 1e-6), option(step, "margin", 1.0)
    near, far = _distance(anchor, positive, p, eps), _distance(anchor, negative, p, eps)
    if step.settings.get("swap"):
        far = np.minimum(far, _distance(positive, negative, p, eps))
    each = np.asarray(np.maximum(near - far + margin, 0.0))

    def term(n: int) -> Term:
        value, a, b = (float(part.reshape(-1)[n]) for part in (each, np.asarray(near), np.asarray(far)))
        return Term(str(n), (value,), value, (None,), write("max({0}, {a} − {b} + {m})", a=a, b=b, m=margin))

    return reduced(step, cell, rf"{result(step, cell)} = \sum_n \max(0, d^+_n - d^-_n + {margin:g})", each, term)


def _distance(x: Floats, y: Floats, p: float, eps: float) -> Any:
    return (np.abs(x - y + eps) ** p).sum(axis=-1) ** (1 / p)


def _explain_cosine_embedding(step: Step, cell: Cell) -> Explanation:
    """1 - cos where the target is 1; max(0, cos - margin) where it is -1."""
    a, b, target = (required_argument(step, name).row(...) for name in ("input1", "input2", "target"))
    margin, tiny = option(step, "margin", 0.0), 1e-12  # torch's own, so that no length is 0
    cosines = (a * b).sum(-1) / np.sqrt(((a * a).sum(-1) + tiny) * ((b * b).sum(-1) + tiny))
    each = np.where(target == 1, 1 - cosines, np.where(target == -1, np.maximum(cosines - margin, 0.0), 0.0))

    def term(n: int) -> Term:
        value, cosine = float(each.reshape(-1)[n]), float(np.asarray(cosines).reshape(-1)[n])
        sign = float(np.asarray(target).reshape(-1)[n])
        template = "{1} − {cos}" if sign == 1 else "max({0}, {cos} − {m})" if sign == -1 else "{0}"
        return Term(str(n), (value,), value, (None,), write(template, cos=cosine, m=margin))

    return reduced(step, cell, rf"{result(step, cell)} = \sum_n (1 - \cos_n)", each, term)


def _explain_multilabel_soft_margin(step: Step, cell: Cell) -> Explanation:
    """For each row, the mean over its classes of y ln(1 + e^-x) + (1 - y) ln(1 + e^x)."""
    x, y = required_argument(step, "input").row(...), required_argument(step, "target").row(...)
    weight: Any = 1.0 if step.operand("weight") is None else required_argument(step, "weight").row(...)
    each = (weight * (y * np.logaddexp(0.0, -x) + (1 - y) * np.logaddexp(0.0, x))).mean(axis=-1)
    formula = rf"{result(step, cell)} = \frac{{1}}{{C}} \sum_i y_i \ln(1 + e^{{-x_i}}) + (1 - y_i) \ln(1 + e^{{x_i}})"
    flat = np.asarray(each).reshape(-1)
    return reduced(step, cell, formula, np.asarray(each), lambda n: Term(str(n), (float(flat[n]),), float(flat[n])))


# -- alignments ------------------------------------------------------------------------------------------------------


def _explain_ctc(step: Step, cell: Cell) -> Explanation:
    """-ln of the probability of a target, summed over all ways to spread it, with blanks, over the input's positions.

    The mean divides each by the length of its target first.

    Source:
        Graves et al. 2006, eq. 6 to 8.
    """
    log_probs, targets = required_argument(step, "log_probs").row(...), required_argument(step, "targets").array
    log_probs = log_probs[:, None] if log_probs.ndim == 2 else log_probs
    lengths, wanted = (_lengths(step, name) for name in ("input_lengths", "target_lengths"))
    rows = _targets(targets, wanted)
    blank = int(option(step, "blank", 0))
    each = np.array(
        [-_log_alignments(log_probs[:n, i], row, blank) for i, (n, row) in enumerate(zip(lengths, rows, strict=True))]
    )
    if step.settings.get("zero_infinity"):
        each = np.where(np.isinf(each), 0.0, each)
    formula = rf"{result(step, cell)} = -\sum_n \ln \sum_{{\pi}} \prod_t p_t(\pi_t)"
    if reduction_of(step) != "mean":
        return reduced(step, cell, formula, each, lambda n: Term(str(n), (float(each[n]),), float(each[n])))
    counts = np.maximum(np.array(wanted, np.float64), 1.0)

    def term(n: int) -> Term:
        value = float(each[n] / counts[n])
        return Term(str(n), (value,), value, (None,), write("{x} / {n}", x=float(each[n]), n=float(counts[n])))

    value = float((each / counts).mean())
    return Explanation(formula, Terms(each / counts, term), value, write("({terms}) / {n}", n=float(len(each))))


def _lengths(step: Step, name: str) -> list[int]:
    found = step.operand(name)
    numbers: Any = found if isinstance(found, list | tuple | int) else required_argument(step, name).array.reshape(-1)
    return [int(n) for n in ([numbers] if isinstance(numbers, int) else numbers)]


def _targets(targets: Any, lengths: list[int]) -> list[list[int]]:
    """One list of classes for each text: a row of a matrix, or one after the other."""
    if targets.ndim == 2:
        return [[int(c) for c in row[:n]] for row, n in zip(targets, lengths, strict=True)]
    ends = np.cumsum([0, *lengths])
    return [[int(c) for c in targets[a:b]] for a, b in pairwise(ends)]


def _log_alignments(log_probs: Floats, target: list[int], blank: int) -> float:
    """ln of the sum over all alignments, forward in time; log_probs [position, class]."""
    states = [blank]
    for label in target:
        states += [label, blank]
    before = np.full(len(states), -np.inf)
    before[:2] = log_probs[0, states[:2]]
    for row in log_probs[1:]:
        now = before.copy()
        now[1:] = np.logaddexp(now[1:], before[:-1])
        for s in range(2, len(states)):
            if states[s] != blank and states[s] != states[s - 2]:
                now[s] = np.logaddexp(now[s], before[s - 2])
        before = now + row[states]
    return float(np.logaddexp.reduce(before[-2:]))


def _loss(name: str, arguments: str, explain: Any) -> Operation:
    return Operation(name=name, arguments=arguments, axes=UNNAMED, explain=explain, slopes=slopes_of_torch)


_OLD = "size_average reduce reduction"

OPERATIONS = (
    _loss("triplet_margin_loss", f"anchor positive negative margin p eps swap {_OLD}", _explain_triplet),
    _loss("cosine_embedding_loss", f"input1 input2 target margin {_OLD}", _explain_cosine_embedding),
    _loss("multilabel_soft_margin_loss", f"input target weight {_OLD}", _explain_multilabel_soft_margin),
    _loss("ctc_loss", "log_probs targets input_lengths[] target_lengths[] blank reduction zero_infinity", _explain_ctc),
)
