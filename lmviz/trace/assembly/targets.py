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
    """Find what each edit replaces; for steps, the model is run once to see which step has the address."""
    own = _own_tensors(segment)
    tensors = {id(own[name]): edited(edit, own[name]) for name, edit in edits.items() if name in own}
    wanted = {name: edit for name, edit in edits.items() if name not in own}
    if not wanted:
        return Targets({}, tensors)
    first_run = Recorder(budget=0, seed=segment.recorder.seed, substitutes=tensors, **after(earlier))
    first_run.run(segment.run)
    plan = build((*earlier, segment.with_recorder(first_run)))
    steps = {_place(plan, address, first_run.first): edit for address, edit in wanted.items()}
    _undo(first_run)
    return Targets(steps, tensors)


def _own_tensors(segment: Segment) -> dict[str, Tensor]:
    """What a model is given and owns, by address."""
    found = named_tensors(segment.model, segment.args, segment.kwargs)
    if isinstance(segment.model, nn.Module):
        found |= dict(segment.model.named_buffers(remove_duplicate=False))
        found |= dict(segment.model.named_parameters(remove_duplicate=False))
    return {join(segment.prefix, path_inside(name)): tensor for name, tensor in found.items()}


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
