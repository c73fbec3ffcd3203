"""What must hold at each stage of any healthy transformer, with the value that was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lmviz.debug.bad_numbers import bad_values
from lmviz.model.architecture import Norm
from lmviz.stages.stage import Stage
from lmviz.trace.step import Array, Step, Trace, Value

TOLERANCE = 1e-5  # of float32 sums; half precision gets more


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: its name, what was measured, and whether that is near enough to what it must be."""

    name: str
    measured: float
    holds: bool


def checks_of(trace: Trace, stage: Stage, norm: Norm | None = None) -> tuple[Check, ...]:
    """The invariants of a stage, measured on all of its tensors.

    Args:
        norm: what the norms of the architecture do; None: what their steps look like.
    """
    if stage.first < 0:
        return ()
    steps = trace[stage.first : stage.last + 1]
    found: list[Check] = []
    with np.errstate(all="ignore"):  # ∞ − ∞ is NaN, which no check calls right
        found.extend(finite(trace, steps))
        for check in _BY_KIND.get(stage.kind, ()):
            found.extend(check(steps))
        if stage.kind in ("norm", "final_norm"):
            found.extend(_norm_holds(steps, norm))
    found.extend(_written_out_agrees(trace, steps))
    return tuple(found)


def _written_out_agrees(trace: Trace, steps: Iterable[Step]) -> Iterable[Check]:
    """A fused call, written out, gives what the call itself gave. Measured: the largest difference."""
    last = {step.opened: step for step in steps if step.opened is not None}
    for fused, step in last.items():
        opened_further = step.index + 1 < len(trace) and trace[step.index + 1].opened == fused
        if not opened_further and trace[fused].outputs and step.outputs:
            real, ours = (s.outputs[0].array.astype(np.float64) for s in (trace[fused], step))
            if real.size == ours.size:
                off = float(np.nanmax(np.abs(real - ours.reshape(real.shape)), initial=0))
                scale = float(np.nanmax(np.abs(real), initial=1))
                yield Check("written_out", off, off <= 10 * _tolerance(step) * scale)


def finite(trace: Trace, steps: Iterable[Step]) -> Iterable[Check]:
    """No NaN anywhere, and no infinity but a mask's. Measured: how many there are."""
    bad = sum(int(where.sum()) for _, _, where in bad_values(trace, steps))
    yield Check("finite", bad, bad == 0)


def rows_sum_to_one(steps: Iterable[Step]) -> Iterable[Check]:
    """Every row of a softmax sums to 1. Measured: the sum that is farthest from 1."""
    for step in steps:
        if step.op == "softmax":
            sums = step.outputs[0].array.astype(np.float64).sum(axis=-1)
            worst = float(sums.flat[np.abs(sums - 1).argmax()]) if sums.size else 1.0
            yield Check("rows_sum_to_one", worst, bool(abs(worst - 1) <= _tolerance(step)))


def _nothing_sees_the_future(steps: Iterable[Step]) -> Iterable[Check]:
    """No query attends to a later key. Measured: the largest share that one does."""
    for step in steps:
        if step.op == "softmax" and step.outputs[0].array.ndim >= 2:
            pattern = step.outputs[0].array
            if pattern.shape[-1] == pattern.shape[-2]:
                later = np.triu(np.ones(pattern.shape[-2:], dtype=bool), 1)
                most = float(np.abs(pattern[..., later]).max()) if later.any() else 0.0
                yield Check("no_future", most, most == 0)


def _sum_of_its_parts(steps: Iterable[Step]) -> Iterable[Check]:
    """A residual is the sum of what comes in and what is added. Measured: the largest difference."""
    for step in steps:
        if step.op == "add" and len(step.inputs) == 2:
            left, right = (value.array.astype(np.float64) for value in step.inputs)
            made = step.outputs[0].array
            off = float(np.where(made == left + right, 0, np.abs(made - (left + right))).max(initial=0))
            scale = float(np.abs(step.outputs[0].array).max(initial=1))
            yield Check("sum_of_parts", off, off <= _tolerance(step) * scale)


def _norm_holds(steps: Iterable[Step], norm: Norm | None = None) -> Iterable[Check]:
    """Before its learned scale, a normed position has mean 0 and variance v / (v + eps), which is just under 1; where
    the norm does not centre (Zhang and Sennrich 2019), its mean square is that.

    Args:
        norm: what the architecture says; None: it is read off the steps.
    """
    steps = list(steps)
    norm = norm or ("rms" if only_scales(steps) else "layer")
    normed = None if norm == "none" else _normed(steps, norm)
    if normed is None:
        return
    array, share, step = normed
    spread, name = (array.var(axis=-1), "variance_one") if norm == "layer" else (_mean_square(array), "mean_square_one")
    if norm == "layer":
        means = array.mean(axis=-1)
        mean = float(means.flat[np.abs(means).argmax()])
        yield Check("mean_zero", mean, abs(mean) <= 100 * _tolerance(step))
    worst = np.abs(spread - share).argmax()
    found, expected = float(spread.flat[worst]), float(share.flat[worst])
    yield Check(name, found, abs(found - expected) <= 100 * _tolerance(step))


def only_scales(steps: Iterable[Step]) -> bool:
    """Whether a norm takes no mean away."""
    ops = {step.op for step in steps}
    return "rms_norm" in ops or not ops & {"layer_norm", "sub"}


def _mean_square(array: Array) -> Array:
    found: Array = np.square(array).mean(axis=-1)
    return found


def _eps_of(step: Step) -> float:
    """What a fused norm adds to what it divides by; torch's own, where none is said."""
    eps = step.settings.get("eps", 1e-5)
    if isinstance(eps, int | float):
        return float(eps)
    return float(np.finfo(step.outputs[0].array.dtype).eps) if eps is None else 1e-5


def _without_scale_and_shift(step: Step) -> Array:
    out: Array = step.outputs[0].array.astype(np.float64)
    for name, undo in (("bias", np.subtract), ("weight", np.divide)):
        operand = step.operand(name)
        out = undo(out, operand.array) if isinstance(operand, Value) else out
    return out


def _normed(steps: list[Step], norm: Norm) -> tuple[Array, Array, Step] | None:
    """The normed numbers before scale and shift, and the variance, or the mean square, that they should have."""
    spread_of: Callable[[Array], Array] = (lambda x: x.var(axis=-1)) if norm == "layer" else _mean_square
    if fused := next((step for step in steps if step.op in ("layer_norm", "rms_norm")), None):
        x = fused.inputs[0].array.astype(np.float64)
        return _without_scale_and_shift(fused), _share(spread_of(x), _eps_of(fused)), fused
    found = next((step for step in steps if step.outputs and step.outputs[0].name == "normed"), None)
    given = found.inputs[0] if found is not None and found.inputs else None
    if found is None or given is None:
        return None
    eps_added = [step.settings.get("other") for step in steps if step.op == "add" and len(step.inputs) == 1]
    eps = float(next((e for e in eps_added if isinstance(e, int | float)), 0.0))
    return found.outputs[0].array.astype(np.float64), _share(spread_of(given.array.astype(np.float64)), eps), found


def _share(spread: Array, eps: float) -> Array:
    """What is left of 1 where eps was added to what is divided by."""
    return np.divide(spread, spread + eps, out=np.zeros_like(spread), where=spread + eps > 0)


def _tolerance(step: Step) -> float:
    wide = step.outputs[0].dtype in ("float32", "float64")
    return TOLERANCE if wide else 2e-2


def lengths_kept(steps: Iterable[Step]) -> Iterable[Check]:
    """Turning leaves every vector as long as it was. Measured: the largest difference of a length from what it was.

    Only where a number is its cosine times itself and its sine times a partner; what the two are, is not looked at.
    Where the two halves of a vector are turned apart, both together are as long as before.
    """
    steps = tuple(steps)
    made = {value.address: step for step in steps for value in step.outputs}
    sums = {step.index: parts for step in steps if (parts := _products_of(step, made)) is not None}
    for step in steps:
        if step.index not in sums:
            continue
        other = next(
            (i for i in sums if i != step.index and _factors_of(sums[i]) == _factors_of(sums[step.index])), None
        )
        if other is not None:
            first = step.index < other
            yield from _halves_kept(step, sums[step.index], steps[other - steps[0].index]) if first else ()
        elif step.op == "add":
            given = next((value for value in sums[step.index][0].inputs if value.address not in made), None)
            if given is not None and given.shape == step.outputs[0].shape:
                yield _lengths(step, (given,), step.outputs[:1])


def _products_of(step: Step, made: dict[str, Step]) -> tuple[Step, Step] | None:
    """Of a sum or a difference of two products, these."""
    parts = tuple(made[value.address] for value in step.inputs if value.address in made)
    is_of_two = step.op in ("add", "sub") and len(step.inputs) == 2 and [part.op for part in parts] == ["mul", "mul"]
    return (parts[0], parts[1]) if is_of_two and all(len(part.inputs) == 2 for part in parts) else None


def _factors_of(parts: tuple[Step, Step]) -> frozenset[str]:
    return frozenset(value.address for part in parts for value in part.inputs)


def _halves_kept(step: Step, parts: tuple[Step, Step], other: Step) -> Iterable[Check]:
    """Of a cos - b sin and b cos + a sin: a and b are those that no cosine is as large as."""
    given = [max(part.inputs, key=lambda value: value.array.size) for part in parts]
    tables = [min(part.inputs, key=lambda value: value.array.size) for part in parts]
    if min(value.array.size for value in given) > max(value.array.size for value in tables):
        yield _lengths(step, tuple(given), (step.outputs[0], other.outputs[0]))


def _lengths(step: Step, given: Sequence[Value], turned: Sequence[Value]) -> Check:
    def length(values: Sequence[Value]) -> Array:
        found: Array = np.sqrt(sum(np.square(value.array.astype(np.float64)).sum(axis=-1) for value in values))
        return found

    before = length(given)
    off = float(np.abs(length(turned) - before).max(initial=0))
    return Check("lengths_kept", off, off <= 10 * _tolerance(step) * max(1.0, float(before.max(initial=0))))


_Measure = Callable[[Iterable[Step]], Iterable[Check]]
_BY_KIND: dict[str, tuple[_Measure, ...]] = {
    "softmax": (rows_sum_to_one, _nothing_sees_the_future),
    "probabilities": (rows_sum_to_one,),
    "rotation": (lengths_kept,),
    "residual": (_sum_of_its_parts,),
    "embeddings": (_sum_of_its_parts,),
}
