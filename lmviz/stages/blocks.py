"""The block that each step belongs to: the numbered layers that a model is a stack of."""

from __future__ import annotations

import re
from collections import Counter
from typing import TypeVar

from lmviz.stages.data_flow import ATTENDING, DataFlow
from lmviz.stages.stage import LOSS, READOUT
from lmviz.trace.step import Step, Trace

Block = tuple[str, int]  # what holds the layers of a stack, and the number of one of them
_T = TypeVar("_T")

_NUMBERED = re.compile(r"^(.*?)(?:^|\.)(\d+)(?:\.|$)")  # what holds the layers, and the number of one
_COMPUTED = ".parametrizations."  # in the path of what computes a weight each time that it is read: fake quantisation


def blocks_of(trace: Trace, flow: DataFlow) -> list[Block | None]:
    """The block of each step: a numbered part of those that hold at least one that attends or adds to the stream.

    A sum in the loop over the layers belongs to the layer that made what is added.
    """
    places = [_numbered_part(trace, step) for step in trace]
    stacks = {place[0] for step, place in zip(trace, places, strict=True) if place and _is_of_layer(flow, step)}
    added: set[Block] = set()
    for index, branch in flow.residuals.items():
        if places[index] is None and (layer := places[branch.index]) and not comes_after_model(trace[index]):
            places[index] = layer
            added.add(layer)
    stacks |= _holders_of_layers(added, {place for place in places if place})
    return like_what_reads_it(trace, [place if place and place[0] in stacks else None for place in places])


def _holders_of_layers(added: set[Block], parts: set[Block]) -> set[str]:
    """What holds layers, of those with a part that is added to the stream: several are, or there is only one.

    Of an MLP in an `nn.Sequential` only the last part is.
    """
    n_added, n_parts = (Counter(holder for holder, _ in found) for found in (added, parts))
    return {holder for holder in n_added if n_added[holder] > 1 or n_parts[holder] == 1}


def like_what_reads_it(trace: Trace, of_steps: list[_T]) -> list[_T]:
    """The same, where a step that computes a weight has what the step has that reads the weight."""
    found = list(of_steps)
    for i in range(len(found) - 2, -1, -1):
        if _COMPUTED in trace[i].module:
            found[i] = found[i + 1]
    return found


def comes_after_model(step: Step) -> bool:
    """Whether it belongs to the readout, or to the loss."""
    return root_of(step) in (READOUT, LOSS)


def root_of(step: Step) -> str:
    return step.module.partition(".")[0]


def _is_of_layer(flow: DataFlow, step: Step) -> bool:
    """Whether it does what only layers do: it attends, or adds to the stream."""
    return (step.op in ATTENDING or step.index in flow.residuals) and not comes_after_model(step)


def _numbered_part(trace: Trace, step: Step) -> Block | None:
    """What holds the layer that a step is in ("blocks"), and its number: the first number in its module's path.

    A part that all layers share, such as an activation, is in the layer that calls it.
    """
    found = _NUMBERED.search(step.module) or _NUMBERED.search(step.address.partition("#")[0])
    call = trace.calls[step.call]
    while found is None and call.parent is not None:
        call = trace.calls[call.parent]
        found = _NUMBERED.search(call.module)
    return (found[1], int(found[2])) if found else None
