"""Which form of a stage a model has: its sentence, its long text and its formula follow what its steps do."""

from __future__ import annotations

from lmviz.debug.invariants import only_scales
from lmviz.stages.gates import gate_in
from lmviz.stages.stage import Stage
from lmviz.trace.step import Step


def variant_of(stage: Stage, steps: tuple[Step, ...]) -> str:
    """A word for the form, where it is not the one that GPT-2 has; else empty."""
    if stage.kind in ("norm", "final_norm"):
        return "channels" if _over_channels(steps) else "rms" if only_scales(steps) else ""
    if stage.kind == "mlp":
        return "gated" if gate_in(steps) else ""
    if stage.kind == "embeddings":
        return "alone" if not any(step.op == "add" and len(step.inputs) == 2 for step in steps) else ""
    if stage.kind == "rotation":
        return "angles" if stage.block is None else "" if angle_in(steps) else "plain"
    return "plain" if stage.kind == "sharing" and repeat_in(steps) is None else ""


def _over_channels(steps: tuple[Step, ...]) -> bool:
    """Whether a norm takes its mean over more, or other, than the numbers of one position."""
    return any(step.op in ("group_norm", "batch_norm", "instance_norm") for step in steps)


def angle_in(steps: tuple[Step, ...]) -> Step | None:
    """The step that takes the cosine of the angles."""
    return next((step for step in steps if step.op == "cos" and step.inputs and step.outputs), None)


def repeat_in(steps: tuple[Step, ...]) -> Step | None:
    """The step after which each key, [batch, kv_head, …], stands there for every head that reads it."""
    grown = (s for s in steps if s.outputs and s.inputs and s.outputs[0].shape > s.inputs[0].shape)
    return next((step for step in grown if len(step.inputs[0].shape) >= 4), None)
