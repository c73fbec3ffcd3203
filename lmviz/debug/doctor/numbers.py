"""Numbers that are none, norms that mix tokens, layers that do not bend, units that are always off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from lmviz.debug.bad_numbers import bad_values
from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.subject import Subject
from lmviz.stages.stages import stages_of
from lmviz.trace.recorder import record
from lmviz.trace.step import Array, Step, Trace

_STRAIGHT = frozenset(
    ("add", "sub", "mul", "div", "neg", "dropout", "view", "reshape", "contiguous", "to", "type_as", "float", "clone",
     "detach", "unsqueeze", "squeeze", "identity", "flatten", "unflatten")
)  # fmt: skip  # steps that leave an activation what it is but for a factor, a shift or its shape
_STATISTICS = frozenset(("mean", "var", "std", "var_mean", "std_mean", "norm", "sum"))


def finite(subject: Subject) -> Finding:
    """No NaN anywhere and no infinity but a mask's. Measured: how many, in the first tensor that has any.

    Source: Goldberg 1991, 2.2, on how a NaN spreads; nanoGPT #215.
    """
    for path, weight in subject.model.named_parameters():
        bad = int((~weight.isfinite()).sum())
        if bad:
            cell = tuple(int(i) for i in (~weight.isfinite()).nonzero()[0])
            return Finding("finite", False, bad, 0, path, cell, details={"why": "weight"})
    for step, value, wrong in bad_values(subject.trace, subject.trace):
        cell = tuple(int(i) for i in np.argwhere(wrong)[0])
        details = {"why": _why(step, value.array)}
        return Finding("finite", False, int(wrong.sum()), 0, value.address, cell, details=details)
    return Finding("finite", True, 0, 0)


def _why(step: Step, array: Array) -> str:
    """What a NaN or an infinity comes of: a row in which all is masked, numbers that are too large, or another."""
    if not np.isnan(array).any():
        return "overflow"
    rows = step.inputs[0].array if step.inputs and step.op in ("softmax", "scaled_dot_product_attention") else None
    return "empty_row" if rows is not None and np.isneginf(rows).all(axis=-1).any() else "nan"


def norm(subject: Subject) -> Finding:
    """A norm takes the mean and the variance of one token's numbers. Measured: how many tokens share one of them.

    Source: Ba et al. 2016, eq. 3.
    """
    n_pos = subject.ids.shape[1]
    shared = [(step, n) for step, n in _statistics(subject.trace, n_pos)]
    if not shared:
        return not_measured("norm", "no_norm")
    step, most = max(shared, key=lambda found: found[1])
    return Finding("norm", most == 1, most, 1, step.address)


def _statistics(trace: Trace, n_pos: int) -> Iterator[tuple[Step, int]]:
    """The steps that work out what a norm divides by or subtracts, and how many tokens share it."""
    norms = [range(s.first, s.last + 1) for s in stages_of(trace) if s.kind in ("norm", "final_norm")]
    for step in trace:
        if not step.inputs or len(step.inputs[0].shape) != 3 or step.inputs[0].shape[1] != n_pos or n_pos == 1:
            continue
        if step.op in ("layer_norm", "rms_norm"):
            shape = step.settings.get("normalized_shape")
            whole = len(shape) if isinstance(shape, tuple | list) else 1
            yield step, n_pos if whole > 1 else 1
        elif step.op in _STATISTICS and step.outputs and any(step.index in found for found in norms):
            yield step, 1 if n_pos in step.outputs[0].shape[:2] else n_pos


def bends(subject: Subject) -> Finding:
    """Between its two matrices an MLP has something that is not linear. Measured: how many times nothing is.

    An MLP is a matrix to a wider layer and one that reads it.

    Source: Vaswani et al. 2017, eq. 2; Hornik et al. 1989, on what that is good for.
    """
    trace = subject.trace
    wide = {value.address for step in trace if _widens(step) for value in step.outputs}
    reads = [step for step in trace if _is_matrix(step)]
    straight = [step for step in reads if _comes_from(trace, step, wide)]
    if not wide or len(reads) < 2:
        return not_measured("bends", "no_mlp")
    parts = dict.fromkeys(step.module for step in straight)
    where = straight[0].address if straight else ""
    return Finding("bends", not straight, len(parts), 0, where, details={"blocks": ", ".join(list(parts)[:4])})


def _is_matrix(step: Step) -> bool:
    """A product of an activation with a weight."""
    roles = [value.role for value in step.inputs]
    return step.op in ("linear", "matmul", "addmm", "einsum", "conv1d") and "weight" in roles and "activation" in roles


def _widens(step: Step) -> bool:
    given = next((value for value in step.inputs if value.role == "activation"), None)
    return _is_matrix(step) and given is not None and bool(step.outputs) and step.outputs[0].shape[-1] > given.shape[-1]


def _comes_from(trace: Trace, step: Step, wide: set[str], depth: int = 8) -> bool:
    """Whether what a step reads is one of some results, with nothing but linear steps of one activation between."""
    activations = [value for value in step.inputs if value.role == "activation"]
    if len(activations) != 1 or depth == 0:
        return False
    if activations[0].address in wide:
        return True
    before = trace[activations[0].address] if activations[0].address in trace else None
    return before is not None and before.op in _STRAIGHT and _comes_from(trace, before, wide, depth - 1)


def dead_units(subject: Subject) -> Finding:
    """A ReLU that is 0 for every text gets no gradient. Measured: the share of such units in the worst layer.

    Source: Maas et al. 2013, 1. The limit is ours.
    """
    layers = list(_off(subject))
    if not layers:
        return not_measured("dead_units", "no_relu")
    address, off = max(layers, key=lambda layer: float(layer[1].mean()))
    units = np.flatnonzero(off)
    cell = (0, 0, int(units[0])) if len(units) else None
    share = float(off.mean())
    details = {"dead": len(units), "units": off.size}
    return Finding("dead_units", share <= 0.5, share, 0.5, address, cell, details=details)


def _is_relu(step: Step) -> bool:
    """However it is written: max(0, x)."""
    return step.op in ("relu", "relu6") or (step.op in ("clamp", "clamp_min") and step.settings.get("min") == 0)


def _off(subject: Subject) -> Iterator[tuple[str, Array]]:
    """For each ReLU, which of its units are 0 at every position of every text."""
    inputs, targets = subject.true_pairs
    with torch.no_grad():
        trace = record(subject.at_rest, inputs)
    counted = (targets != -100).numpy()
    for step in trace:
        if _is_relu(step) and step.outputs[0].array.ndim == 3 and step.outputs[0].shape[:2] == counted.shape:
            yield step.address, ~(step.outputs[0].array[counted] > 0).any(axis=0)
