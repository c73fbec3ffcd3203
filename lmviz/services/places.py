"""A place in the step-through, in plain words: which model reads what, at which step, and which number is meant."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lmviz.registry.recording import Recording
from lmviz.registry.reference import Reference
from lmviz.trace.step import Cell, fits


@dataclass(frozen=True, slots=True)
class FindingPlace:
    """Where a finding can be seen."""

    model: Reference
    prompt: str  # empty for a training step, which brings its texts
    where: str  # the address of a step or of a weight, or the name of a stage
    cell: Cell = ()  # of the tensor that `tensor` names; empty: none
    gradient: bool = False
    step: int = 0  # of a training; 0: a walk through a model
    b_model: Reference | None = None  # what it is compared with
    b_prompt: str = ""
    tensor: str = ""  # whose cell is meant; empty: that of the step at `where`


def place_in(recording: Recording, place: FindingPlace) -> FindingPlace | None:
    """The place as this recording has it: a weight is seen at the step that uses it, with its cell pinned.

    None if the recording has no such step.
    """
    trace, address = recording.trace, place.where
    if not place.cell and any(stage.kind == address for stage in recording.navigator.stages):
        return place
    value = trace.value(address)
    if value is None:  # a step that failed made nothing; a weight that is not in this run was not used
        where = address if address in trace else "loss" if place.gradient else ""
        return replace(place, where=where, cell=()) if where else None
    place = replace(place, tensor=address, cell=place.cell if fits(place.cell, value.shape) else ())
    if address not in trace.weights:
        return replace(place, where=trace[address].address) if address in trace else None
    users = [step.address for step in trace if any(given.address == address for given in step.inputs)]
    return replace(place, where=users[0]) if users else None
