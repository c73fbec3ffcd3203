"""What a router decides: which of several experts work for a token (Shazeer et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lmviz.trace.step import Array, Step


@dataclass(frozen=True)
class Choice:
    """Which experts work for each position."""

    n_experts: int
    chosen: Array  # [batch, pos, chosen], numbers of experts


def choice_in(steps: Sequence[Step], n_pos: int) -> Choice | None:
    """What the steps of a router chose; None if they chose nothing. A router often sees a batch as one long text."""
    choices = [step for step in steps if _is_choice(step)]
    if not choices:
        return None
    step = max(choices, key=lambda step: step.inputs[0].shape[-1])  # of all, not of groups of them
    found = next(value.array for value in step.outputs if value.dtype == "int64")
    n_chosen = found.shape[-1] if found.ndim == len(step.inputs[0].shape) else 1
    return Choice(step.inputs[0].shape[-1], found.reshape(-1, n_pos, n_chosen))


def _is_choice(step: Step) -> bool:
    """Whether it says which of some numbers are the largest."""
    return (
        step.inputs[:1] != ()
        and step.inputs[0].dtype.startswith(("float", "bf"))
        and any(value.dtype == "int64" for value in step.outputs)
    )
