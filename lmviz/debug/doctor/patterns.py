"""Attention: who looks at whom, by how much, and how sharply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.subject import Subject
from lmviz.stages.stages import stages_of
from lmviz.trace.step import Array, Step, Trace, Value

TOLERANCE = {"float32": 1e-5, "float64": 1e-5}
HALF = 2e-2  # of sums of numbers with 8 or 11 bits
_THINNING = frozenset(
    ("masked_fill", "mul", "where", "dropout", "to", "type_as", "float", "nan_to_num", "tril", "triu", "contiguous",
     "view", "reshape", "getitem", "clone")
)  # fmt: skip
_COLLAPSED = 0.02  # of the entropy that an even row has
_SATURATED = 0.9999  # a share that leaves the softmax next to no slope


@dataclass(frozen=True, eq=False)
class Pattern:
    """The shares that one attention puts on the values, as they multiply them."""

    shares: Array  # [*, query, key]
    address: str
    softmax: Step  # where they come from
    dtype: str

    @property
    def visible(self) -> Array:
        """How many keys each query may see, counting itself: [query]. All, where any looks at what comes later."""
        n_pos = self.shares.shape[-1]
        reads_both_ways = bool(np.triu(self.shares, 1).any())
        return np.full(n_pos, n_pos) if reads_both_ways else np.arange(1, n_pos + 1)

    @property
    def entropy(self) -> Array:
        """Of each row, as a part of what an even row has: 1 even, 0 all on one key; [*, query], from query 1 on."""
        shares = np.clip(self.shares.astype(np.float64), 0, None)
        nats = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=-1)
        part: Array = nats[..., 1:] / np.log(self.visible[1:])
        return part


def patterns_of(trace: Trace) -> tuple[Pattern, ...]:
    """What every attention of a run multiplies its values by."""
    return tuple(_patterns(trace))


def _patterns(trace: Trace) -> Iterator[Pattern]:
    stages = stages_of(trace)
    for softmax in (stage for stage in stages if stage.kind == "softmax"):
        step = trace[softmax.stop]
        mix = next((s for s in stages[softmax.index + 1 :] if s.kind == "mix"), None)
        steps = trace[mix.first : mix.last + 1] if mix is not None else ()
        product = next((s for s in steps if s.op in ("matmul", "einsum") and len(s.inputs) == 2), None)
        if product is None:
            continue
        value = _of_softmax(trace, product, step.outputs[0])
        if value.shape[-1] == value.shape[-2]:
            yield Pattern(value.array, value.address or step.address, step, value.dtype)


def attentions_of(trace: Trace) -> tuple[Step, ...]:
    """Every step that makes a pattern: a softmax of a product of two activations, or a fused attention."""
    return tuple(
        step
        for step in trace
        if step.op in ("scaled_dot_product_attention", "multi_head_attention_forward")
        or (step.op == "softmax" and scores_product(trace, step) is not None)
    )


def _of_softmax(trace: Trace, product: Step, made: Value) -> Value:
    """What a softmax made, as it multiplies the values: masked or thinned out since. Where heads have been mixed with
    one another, or patterns subtracted, what the softmax itself made."""
    for value in product.inputs:
        if value.shape == made.shape and _is_thinned(trace, value, made.address):
            return value
    return made


def _is_thinned(trace: Trace, value: Value, address: str, depth: int = 8) -> bool:
    """Whether only masks and dropout lie between a value and the one at an address."""
    if value.address == address:
        return True
    step = trace[value.address] if value.address in trace else None
    if step is None or depth == 0 or step.op not in _THINNING:
        return False
    return any(_is_thinned(trace, one, address, depth - 1) for one in step.inputs)


def pattern_rows(subject: Subject) -> Finding:
    """Every query shares out exactly 1. Measured: the sum that is farthest from it.

    Source: Vaswani et al. 2017, eq. 1; dropout that was left on is the usual other cause (pytorch #42929).
    """
    worst: tuple[float, Pattern | None, tuple[int, ...]] = (1.0, None, ())
    for pattern in patterns_of(subject.trace):
        sums = pattern.shares.astype(np.float64).sum(axis=-1)
        cell = np.unravel_index(int(np.abs(np.nan_to_num(sums, nan=np.inf) - 1).argmax()), sums.shape)
        if worst[1] is None or abs(sums[cell] - 1) > abs(worst[0] - 1):
            worst = float(sums[cell]), pattern, tuple(int(i) for i in cell)
    total, found, row = worst
    if found is None:
        return not_measured("pattern_rows", "no_attention")
    limit = TOLERANCE.get(found.dtype, HALF)
    return Finding("pattern_rows", abs(total - 1) <= limit, total, 1.0, found.address, (*row, 0))


def sees_itself(subject: Subject) -> Finding:
    """A token attends to itself, too. Measured: the largest share that any has for itself, in the layer with the least.

    A mask that begins one diagonal too early hides it: the model knows what it just read by the residual alone.

    Source: Vaswani et al. 2017, 3.2.3 ("up to and including that position").
    """
    layers = []
    for pattern in patterns_of(subject.trace):
        n_pos = pattern.shares.shape[-1]
        if n_pos > 2 and pattern.shares.shape[-2] == n_pos:
            own = np.diagonal(pattern.shares, axis1=-2, axis2=-1)[..., 1:]
            layers.append((float(np.nan_to_num(own).max()), pattern))
    if not layers:
        return not_measured("sees_itself", "no_attention")
    least, found = min(layers, key=lambda layer: layer[0])
    cell = (*(0 for _ in found.shares.shape[:-2]), 1, 1)
    return Finding("sees_itself", least > 0, least, 0.0, found.address, cell)


def entropy_collapse(subject: Subject) -> Finding:
    """Attention that looks at one token only, everywhere, learns no more. Measured: the evenness of the sharpest layer.

    1: every row shared out evenly; 0: every row on one key. A single sharp head is at work; a layer of them is stuck.

    Source: Zhai et al. 2023. The limit is ours.
    """
    layers = [(float(np.nanmean(p.entropy)), p) for p in patterns_of(subject.trace) if p.shares.shape[-1] > 2]
    if not layers:
        return not_measured("entropy_collapse", "no_attention")
    least, pattern = min(layers, key=lambda layer: layer[0])
    return Finding("entropy_collapse", least > _COLLAPSED, least, _COLLAPSED, pattern.address)


def saturated_softmax(subject: Subject) -> Finding:
    """Where a row is all on one key, its slope is next to 0, and so is what it can learn. Measured: the share of rows.

    Source: Vaswani et al. 2017, 3.2.1 ("extremely small gradients"). Both limits are ours.
    """
    worst: tuple[float, Pattern | None] = (-1.0, None)
    for pattern in patterns_of(subject.trace):
        if pattern.shares.shape[-1] > 2:
            share = float((pattern.shares[..., 1:, :].max(axis=-1) >= _SATURATED).mean())
            worst = max(worst, (share, pattern), key=lambda found: found[0])
    share, found = worst
    if found is None:
        return not_measured("saturated_softmax", "no_attention")
    return Finding("saturated_softmax", share <= 0.9, share, 0.9, found.address)


def scores_product(trace: Trace, softmax: Step) -> Step | None:
    """The product of q and k from which a softmax's scores came."""
    for step in reversed(trace[: softmax.index]):
        both = [value for value in step.inputs if value.role == "activation"]
        if step.op in ("matmul", "einsum", "baddbmm") and len(both) == 2 and step.call == softmax.call:
            return step
    return None
