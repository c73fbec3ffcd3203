"""What must hold at each stage of any healthy transformer, with the value that was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from lmviz.debug.bad_numbers import bad_values
from lmviz.stages.stage import Stage
from lmviz.trace.step import Array, Step, Trace

TOLERANCE = 1e-5  # of float32 sums; half precision gets more


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: its name, what was measured, and whether that is near enough to what it must be."""

    name: str
    measured: float
    holds: bool


def checks_of(trace: Trace, stage: Stage) -> tuple[Check, ...]:
    """The invariants of a stage, measured on all of its tensors."""
    if stage.first < 0:
        return ()
    steps = trace[stage.first : stage.last + 1]
    found: list[Check] = []
    with np.errstate(all="ignore"):  # ∞ − ∞ is NaN, which no check calls right
        found.extend(finite(trace, steps))
        for check in _BY_KIND.get(stage.kind, ()):
            found.extend(check(steps))
    found.extend(written_out_agrees(trace, steps))
    return tuple(found)


def written_out_agrees(trace: Trace, steps: Iterable[Step]) -> Iterable[Check]:
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


def nothing_sees_the_future(steps: Iterable[Step]) -> Iterable[Check]:
    """No query attends to a later key. Measured: the largest share that one does."""
    for step in steps:
        if step.op == "softmax" and step.outputs[0].array.ndim >= 2:
            pattern = step.outputs[0].array
            if pattern.shape[-1] == pattern.shape[-2]:
                later = np.triu(np.ones(pattern.shape[-2:], dtype=bool), 1)
                most = float(np.abs(pattern[..., later]).max()) if later.any() else 0.0
                yield Check("no_future", most, most == 0)


def sum_of_its_parts(steps: Iterable[Step]) -> Iterable[Check]:
    """A residual is the sum of what comes in and what is added. Measured: the largest difference."""
    for step in steps:
        if step.op == "add" and len(step.inputs) == 2:
            left, right = (value.array.astype(np.float64) for value in step.inputs)
            made = step.outputs[0].array
            off = float(np.where(made == left + right, 0, np.abs(made - (left + right))).max(initial=0))
            scale = float(np.abs(step.outputs[0].array).max(initial=1))
            yield Check("sum_of_parts", off, off <= _tolerance(step) * scale)


def mean_zero_variance_one(steps: Iterable[Step]) -> Iterable[Check]:
    """Before its learned scale, a normed position has mean 0 and variance v / (v + eps), which is just under 1."""
    normed = _normed(list(steps))
    if normed is None:
        return
    array, eps_share, step = normed
    means, variances = array.mean(axis=-1), array.var(axis=-1)
    mean = float(means.flat[np.abs(means).argmax()])
    variance = float(variances.flat[np.abs(variances - eps_share).argmax()])
    expected = float(eps_share.flat[np.abs(variances - eps_share).argmax()])
    yield Check("mean_zero", mean, abs(mean) <= 100 * _tolerance(step))
    yield Check("variance_one", variance, abs(variance - expected) <= 100 * _tolerance(step))


def _normed(steps: list[Step]) -> tuple[Array, Array, Step] | None:
    """The normed numbers before scale and shift, and the variance that they should have."""
    for step in steps:
        if step.op == "layer_norm":
            x = step.inputs[0].array.astype(np.float64)
            variance = x.var(axis=-1)
            eps = step.settings.get("eps", 1e-5)
            share = variance / (variance + float(eps if isinstance(eps, int | float) else 1e-5))
            out = step.outputs[0].array.astype(np.float64)
            for name, undo in (("bias", np.subtract), ("weight", np.divide)):
                operand = step.operand(name)
                out = undo(out, operand.array) if hasattr(operand, "array") else out
            return out, share, step
    found = next((step for step in steps if step.outputs and step.outputs[0].name == "normed"), None)
    centred = found.inputs[0] if found is not None and found.inputs else None
    if found is None or centred is None:
        return None
    eps_added = [step.settings.get("other") for step in steps if step.op == "add" and len(step.inputs) == 1]
    eps = float(next((e for e in eps_added if isinstance(e, int | float)), 0.0))
    variance = centred.array.astype(np.float64).var(axis=-1)
    share = np.divide(variance, variance + eps, out=np.zeros_like(variance), where=variance + eps > 0)
    return found.outputs[0].array.astype(np.float64), share, found


def _tolerance(step: Step) -> float:
    wide = step.outputs[0].dtype in ("float32", "float64")
    return TOLERANCE if wide else 2e-2


_Measure = Callable[[Iterable[Step]], Iterable[Check]]
_BY_KIND: dict[str, tuple[_Measure, ...]] = {
    "softmax": (rows_sum_to_one, nothing_sees_the_future),
    "probabilities": (rows_sum_to_one,),
    "residual": (sum_of_its_parts,),
    "embeddings": (sum_of_its_parts,),
    "norm": (mean_zero_variance_one,),
    "final_norm": (mean_zero_variance_one,),
}
