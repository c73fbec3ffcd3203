"""Attention: whether the products of queries and keys are made small enough for a softmax."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lmviz.debug.doctor.finding import Finding, Sure, not_measured
from lmviz.debug.doctor.patterns import Pattern, patterns_of, scores_product
from lmviz.debug.subject import Subject
from lmviz.trace.step import Array, Step, Trace, Value

LARGE = 2.0  # a standard deviation of scores above which a softmax is sharp: ours
_NEAR = 0.02  # how far a factor may be from another that it is taken for
_MADE_BY = frozenset(("linear", "addmm", "matmul", "einsum", "conv1d"))


def scale(subject: Subject) -> Finding:
    """Scores are q·k / √d_head. Measured: what q·k was multiplied by, times √d_head, which is then 1.

    Some factors are mistakes that people make: none at all, the width of the model in place of that of a head, the
    width without its root. Any other is a model's own, and so is one after a norm of queries or keys. None at all is a
    model's own where it says so (a factor of 1), or where its queries begin smaller by √d_head, as in T5. Where scores
    are small all the same, or a learned table of distances is added to them, a missing factor is a hint.

    Source: Vaswani et al. 2017, 3.2.1; Raffel et al. 2020, for T5.
    """
    why_not = "no_attention"
    for pattern in patterns_of(subject.trace):
        product = scores_product(subject.trace, pattern.softmax)
        if product is None:
            continue
        measured, why_not = _factor(subject.trace, product, pattern), "own_scale"
        if measured is None:
            continue
        if any(_is_normed(subject.trace, value) for value in product.inputs):
            break
        factor, spread = measured
        d_head, d_model = product.inputs[0].shape[-1], _width(subject.trace, product)
        mistakes = [d_head**0.5, (d_head / d_model) ** 0.5 if d_model else 0.0, d_head, d_head**-0.5]
        is_right = abs(factor - 1) <= _NEAR
        if not is_right and not any(_is_near(factor, one) for one in mistakes if one):
            break
        has_none = _is_near(factor, d_head**0.5) and not is_right
        if has_none and (_says_1(subject.trace, product, pattern) or _has_small_queries(subject.trace, product)):
            break
        is_doubt = factor >= 1 and (spread <= LARGE or _adds_what_was_learned(subject.trace, product, pattern))
        sure: Sure | None = "hint" if is_doubt else None
        return Finding("scale", is_right, factor, 1.0, product.address, sure=sure)
    return not_measured("scale", why_not)


def _is_near(factor: float, other: float) -> bool:
    return abs(factor / other - 1) <= _NEAR


def _factor(trace: Trace, product: Step, pattern: Pattern) -> tuple[float, float] | None:
    """What q·k is multiplied by, times √d_head; and by how much the scores of a query scatter.

    Where something is added to the scores, that is what the steps between say; None if they say nothing.
    """
    given = pattern.softmax.inputs[0].array.astype(np.float64)
    raw = product.outputs[0].array.astype(np.float64)
    if raw.shape != given.shape:
        return None
    kept = np.isfinite(given) & (np.abs(raw) > 1e-6) & (given > -1e4) & (given != 0)
    if not kept.any():
        return None
    before = _scaled_before(trace, product.inputs[0]) * _scaled_before(trace, product.inputs[1])
    factor = _even(given[kept] / raw[kept])
    if factor is None:
        between = [_number_of(step) for step in _between(trace, product, pattern)]
        factor = None if None in between else float(np.prod([one for one in between if one is not None]))
    if factor is None:
        return None
    return factor * before * float(product.inputs[0].shape[-1]) ** 0.5, float(np.std(given[kept]))


def _even(ratios: Array) -> float | None:
    """The factor that most scores have in common; None if there is none."""
    middle = float(np.median(ratios))
    return middle if float(np.mean(np.abs(ratios - middle) <= _NEAR * abs(middle))) > 0.5 else None


def _between(trace: Trace, product: Step, pattern: Pattern) -> Iterator[Step]:
    """The steps from the softmax back to the product of q and k."""
    value, depth = pattern.softmax.inputs[0], 12
    while depth and value.address in trace and (step := trace[value.address]).index > product.index:
        yield step
        behind = [one for one in step.inputs if one.role == "activation" and one.shape == product.outputs[0].shape]
        value, depth = (behind or step.inputs)[0], depth - 1


def _number_of(step: Step) -> float | None:
    """What a step between multiplies scores by; None if that is no one number."""
    if step.op not in ("mul", "div"):
        return 1.0 if step.op not in ("tanh", "softcap", "matmul", "einsum", "exp", "pow") else None
    single = [float(one.array.reshape(-1)[0]) for one in step.inputs if np.prod(one.shape) == 1]
    other = step.settings.get("other", single[0] if single else None)
    if not isinstance(other, int | float) or not other:
        return None
    return float(other) if step.op == "mul" else 1 / float(other)


def _says_1(trace: Trace, product: Step, pattern: Pattern) -> bool:
    """Whether somebody has written that the factor is 1: in the call of a fused attention, or as a product."""
    if product.opened is not None and trace[product.opened].settings.get("scale") == 1:
        return True
    return any(
        step.op in ("mul", "div") and step.settings.get("other") == 1 for step in _between(trace, product, pattern)
    )


def _has_small_queries(trace: Trace, product: Step) -> bool:
    """Whether queries, or keys, are made by a matrix that is smaller than the other one by about √d_head."""
    sizes = [_size_of_maker(trace, value) for value in product.inputs]
    if None in sizes or not all(sizes):
        return False
    small, large = sorted(size for size in sizes if size is not None)
    return bool(small * float(product.inputs[0].shape[-1]) ** 0.5 <= 1.5 * large)


def _size_of_maker(trace: Trace, value: Value) -> float | None:
    """The root mean square of the matrix that made queries or keys."""
    maker = _maker(trace, value)
    weight = next((one for one in maker.inputs if one.role == "weight" and len(one.shape) > 1), None) if maker else None
    return None if weight is None else float(np.sqrt(np.mean(weight.array.astype(np.float64) ** 2)))


def _adds_what_was_learned(trace: Trace, product: Step, pattern: Pattern) -> bool:
    """Whether a table that was learned is added to the scores, as the distances of T5 are."""
    added = (one for step in _between(trace, product, pattern) if step.op in ("add", "iadd") for one in step.inputs)
    return any(_is_looked_up(trace, one) for one in added if one.address != product.outputs[0].address)


def _is_looked_up(trace: Trace, value: Value, depth: int = 6) -> bool:
    """Whether a value is a weight, or a part of one, in another layout."""
    if value.role == "weight":
        return True
    if depth == 0 or value.address not in trace or trace[value.address].op in _MADE_BY:
        return False
    return any(_is_looked_up(trace, one, depth - 1) for one in trace[value.address].inputs)


def _is_normed(trace: Trace, value: Value, depth: int = 8) -> bool:
    """Whether queries or keys were normed after the matrix that made them."""
    if depth == 0 or value.address not in trace:
        return False
    step = trace[value.address]
    if step.op in ("layer_norm", "rms_norm", "normalize", "norm", "rsqrt", "linalg_vector_norm"):
        return True
    if step.op in _MADE_BY or not step.inputs:
        return False
    return any(_is_normed(trace, one, depth - 1) for one in step.inputs if one.role == "activation")


def _maker(trace: Trace, value: Value, depth: int = 8) -> Step | None:
    """The step of a matrix that queries or keys were made by."""
    while depth and value.address in trace and (step := trace[value.address]).inputs:
        if step.op in _MADE_BY:
            return step
        value, depth = step.inputs[0], depth - 1
    return None


def _width(trace: Trace, product: Step) -> int:
    """d_model: the width of what the queries were made of."""
    maker = _maker(trace, product.inputs[0])
    return int(maker.inputs[0].shape[-1]) if maker is not None else 0


def _scaled_before(trace: Trace, value: Value, depth: int = 6) -> float:
    """What q or k was multiplied by before the product; some models scale there."""
    if depth == 0 or value.address not in trace:
        return 1.0
    step = trace[value.address]
    if step.op in ("linear", "addmm", "split", "chunk") or not step.inputs:
        return 1.0
    other = step.settings.get("other")
    number = float(other) if isinstance(other, int | float) else 1.0
    by = {"mul": number, "div": 1 / number if number else 1.0}.get(step.op, 1.0)
    return by * _scaled_before(trace, step.inputs[0], depth - 1)
