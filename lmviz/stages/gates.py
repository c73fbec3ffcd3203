"""Where an MLP has a gate: what an activation gave is multiplied with something else that was made of the vector."""

from __future__ import annotations

from collections.abc import Iterable

from lmviz.trace.step import Step

ACTIVATIONS = frozenset(("gelu", "relu", "silu", "tanh", "sigmoid"))
MULTIPLYING = frozenset(("mul", "imul", "mul_"))


def gate_in(steps: Iterable[Step]) -> Step | None:
    """The step at which a gate lets through what it lets through; None if there is no gate."""
    steps = tuple(steps)
    gates = {value.address for step in steps if step.op in ACTIVATIONS for value in step.outputs}
    made = {value.address for step in steps for value in step.outputs}
    for step in steps:
        factors = [value.address for value in step.inputs]
        if step.op in MULTIPLYING and len(factors) == 2 and set(factors) <= made and gates & set(factors):
            return step
    return None
