"""What edits stand for: the places of steps in a run, and tensors that the model is given or owns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.trace.assembly.build import Segment, after, build
from lmviz.trace.assembly.inputs import named_tensors
from lmviz.trace.capture.edits import Edit, Place, edited
from lmviz.trace.capture.mode import Recorder
from lmviz.trace.capture.raw import handles_in
from lmviz.trace.source.compiled import path_inside
from lmviz.trace.source.model_index import join
from lmviz.trace.step import Trace


@dataclass(frozen=True)
class Targets:
    """Edits by what they replace: outputs of steps, and weights and inputs by identity."""

    steps: Mapping[Place, Edit] = field(default_factory=dict)
    tensors: Mapping[int, Tensor] = field(default_factory=dict)


def targets_of(edits: Mapping[str, Edit], segment: Segment, earlier: tuple[Segment, ...]) -> Targets:
    """Find what each edit replaces; the model is run once to see what has the address, unless it is a weight's."""
    edits = {str(name): edit for name, edit in edits.items()}
    weights, inputs = _weights_of(segment), _inputs_of(segment)
    tensors = {id(weights[name]): edited(edit, weights[name]) for name, edit in edits.items() if name in weights}
    wanted = {name: edit for name, edit in edits.items() if name not in weights}
    if not wanted:
        return Targets({}, tensors)
    first_run = Recorder(budget=0, seed=segment.recorder.seed, substitutes=tensors, **after(earlier))
    first_run.run(segment.run)
    plan = build((*earlier, segment.with_recorder(first_run)))
    given = {name: inputs[name.removesuffix("#0")] for name in wanted if _is_input(name, inputs, plan)}
    steps = {_place(plan, name, first_run.first): edit for name, edit in wanted.items() if name not in given}
    _undo(first_run)
    return Targets(steps, tensors | {id(tensor): edited(wanted[name], tensor) for name, tensor in given.items()})


def _weights_of(segment: Segment) -> dict[str, Tensor]:
    """What a model owns, by address."""
    if not isinstance(segment.model, nn.Module):
        return {}
    found = dict(segment.model.named_buffers(remove_duplicate=False))
    found |= dict(segment.model.named_parameters(remove_duplicate=False))
    return {join(segment.prefix, path_inside(name)): tensor for name, tensor in found.items()}


def _inputs_of(segment: Segment) -> dict[str, Tensor]:
    """What a model is given, by name."""
    found = named_tensors(segment.model, segment.args, segment.kwargs)
    return {join(segment.prefix, name): tensor for name, tensor in found.items()}


def _is_input(address: str, inputs: Mapping[str, Tensor], plan: Trace) -> bool:
    """Whether an address means what the model is given: its name, if nothing that the model makes has it."""
    return address.removesuffix("#0") in inputs and (address.endswith("#0") or address not in plan)


def _place(plan: Trace, address: str, first: int) -> Place:
    place = plan.origin(address)
    if place is None or place[0] < first:
        near = ", ".join(plan.find(address.rsplit(".", 1)[-1])[:3])
        raise UserError(
            "An edit must name a step, an input or a weight of this model; {address} is none (similar: {near}).",
            address=address,
            near=near or "–",
        )
    return place


def _undo(first_run: Recorder) -> None:
    """Give the model's own tensors back what the extra run has overwritten: running averages, say."""
    for step in first_run.steps:
        for handle in handles_in((step.args, step.kwargs)):
            tensor = handle.alive()
            if handle.step < 0 and handle.overwritten and tensor is not None:
                with torch.no_grad():
                    tensor.copy_(handle.tensor())
