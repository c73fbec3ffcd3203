"""Numbers that are none, rows that are not normed, layers that do not bend, units that are always off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.invariants import checks_of
from lmviz.debug.patient import Patient
from lmviz.trace.recorder import record
from lmviz.trace.step import Array, Step, Trace
from lmviz.walk.stages import Stage, stages_of

BENDING = frozenset(("gelu", "relu", "silu", "tanh", "sigmoid", "softplus", "mish", "leaky_relu", "elu", "pow", "erf"))
MASKING = frozenset(("masked_fill", "where", "add", "getitem", "triu", "tril", "full"))


def finite(patient: Patient) -> Finding:
    """No NaN anywhere and no infinity but a mask's −∞. Measured: how many, in the first tensor that has any.

    Source: Goldberg 1991, 2.2, on how a NaN spreads; nanoGPT #215.
    """
    for path, weight in patient.model.named_parameters():
        bad = int((~weight.isfinite()).sum())
        if bad:
            cell = tuple(int(i) for i in (~weight.isfinite()).nonzero()[0])
            return Finding("finite", False, bad, 0, path, cell)
    for step in patient.trace:
        for value in step.outputs:
            if value.array.dtype.kind == "f" and (wrong := _not_finite(step, value.array)).any():
                cell = tuple(int(i) for i in np.argwhere(wrong)[0])
                return Finding("finite", False, int(wrong.sum()), 0, value.address, cell)
    return Finding("finite", True, 0, 0)


def _not_finite(step: Step, array: Array) -> Array:
    wrong: Array = np.isnan(array)
    return wrong | (np.isposinf(array) if step.op in MASKING else np.isinf(array))


def norm(patient: Patient) -> Finding:
    """After a norm, every position on its own has mean 0. Measured: the mean that is farthest from it.

    Source: Ba et al. 2016, eq. 3.
    """
    worst: tuple[float, Stage | None] = (0.0, None)
    holds = True
    for stage in stages_of(patient.trace):
        for check in checks_of(patient.trace, stage) if stage.kind in ("norm", "final_norm") else ():
            if check.name == "mean_zero" and (worst[1] is None or abs(check.measured) >= abs(worst[0])):
                worst, holds = (check.measured, stage), holds and check.holds
    mean, found = worst
    if found is None:
        return not_measured("norm", "no_norm")
    return Finding("norm", holds, mean, 0.0, patient.trace[found.stop].address)


def stream(patient: Patient) -> Finding:
    """What a block adds, it adds to the stream itself. Measured: the least that a block keeps of what came to it.

    A block's residual is a sum of two; one of the two must be what the block was given, or a sum that has it in it.

    Source: He et al. 2016, eq. 1.
    """
    blocks = _blocks(patient.trace)
    if not blocks:
        return not_measured("stream", "no_blocks")
    for path, steps in blocks:
        if not _keeps_its_input(patient.trace, path, steps):
            return Finding("stream", False, 0.0, 1.0, steps[-1].address, details={"block": path})
    return Finding("stream", True, 1.0, 1.0, details={"blocks": len(blocks)})


def _blocks(trace: Trace) -> list[tuple[str, tuple[Step, ...]]]:
    """The calls of numbered parts that hold an attention."""
    found = []
    for call in trace.calls:
        if call.module.rpartition(".")[2].isdigit() and call.last >= call.first:
            steps = trace[call.first : call.last + 1]
            if any(step.op == "softmax" or step.op.startswith("scaled_dot") for step in steps):
                found.append((call.module, steps))
    return found


def _keeps_its_input(trace: Trace, path: str, steps: tuple[Step, ...]) -> bool:
    """Whether additions alone lead from what a block gives back to what it was given."""
    made = {value.address: step for step in steps for value in step.outputs}
    given = steps[0].inputs[0].address if steps[0].inputs else ""
    frontier, seen = [steps[-1].outputs[0].address if steps[-1].outputs else ""], set()
    while frontier:
        address = frontier.pop()
        if address == given:
            return True
        step = made.get(address)
        if step is None or address in seen:
            continue
        seen.add(address)
        if step.op in ("add", "dropout"):
            frontier += [value.address for value in step.inputs if value.shape == step.outputs[0].shape]
    return False


def bends(patient: Patient) -> Finding:
    """Between its two matrices an MLP bends, or the two are as one. Measured: the blocks whose MLP does not.

    Source: Vaswani et al. 2017, eq. 2; Hornik et al. 1989, on what a bend is good for.
    """
    blocks: dict[int | None, list[Step]] = {}
    for stage in stages_of(patient.trace):
        if stage.kind == "mlp":
            blocks.setdefault(stage.block, []).extend(patient.trace[stage.first : stage.last + 1])
    straight = [block for block, steps in blocks.items() if not any(step.op in BENDING for step in steps)]
    if not blocks:
        return not_measured("bends", "no_mlp")
    where = blocks[straight[0]][-1].address if straight else ""
    return Finding("bends", not straight, len(straight), 0, where, details={"blocks": ", ".join(map(str, straight))})


def dead_units(patient: Patient) -> Finding:
    """A ReLU that is 0 for every text learns no more. Measured: the share of such units in the worst layer.

    Source: Maas et al. 2013, 1.
    """
    layers = list(_off(patient))
    if not layers:
        return not_measured("dead_units", "no_relu")
    address, off = max(layers, key=lambda layer: float(layer[1].mean()))
    units = np.flatnonzero(off)
    cell = (0, 0, int(units[0])) if len(units) else None
    share = float(off.mean())
    details = {"dead": len(units), "units": off.size}
    return Finding("dead_units", share <= 0.5, share, 0.5, address, cell, details=details)


def _off(patient: Patient) -> Iterator[tuple[str, Array]]:
    """For each ReLU, which of its units are 0 at every position of every text."""
    inputs, targets = patient.true_pairs
    with torch.no_grad():
        trace = record(patient.model, inputs)
    counted = (targets != -100).numpy()
    for step in trace:
        if step.op == "relu" and step.outputs[0].array.ndim == 3:
            yield step.address, ~(step.outputs[0].array[counted] > 0).any(axis=0)
