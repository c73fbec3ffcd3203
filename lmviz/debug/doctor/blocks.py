"""The residual stream: what comes to a block goes on past it."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import torch

from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.doctor.patterns import attentions_of
from lmviz.debug.subject import Subject
from lmviz.trace.recorder import record
from lmviz.trace.step import ModuleCall, Step, Trace

_MATRICES = frozenset(("linear", "matmul", "addmm", "einsum", "conv1d", "multi_head_attention_forward"))
_NORM = re.compile(r"norm|(?:^|[._])ln(?:[._\d]|$)", re.IGNORECASE)
_NORM_OPS = frozenset(("layer_norm", "rms_norm"))


def stream(subject: Subject) -> Finding:
    """What a block adds, it adds to the stream itself. Measured: how far another last token moves the last logits when
    all matrices between the first attention and the last are 0.

    Then no block adds anything, and the token reaches its logits by the stream alone. And where one norm of a block
    lies on the stream, no other lies on a branch: that would be the stream as it was normed for the branch.

    Source: He et al. 2016, eq. 1; Xiong et al. 2020, figure 1, for the two places of norms.
    """
    if not subject.is_small:
        return not_measured("stream", "too_large")
    model = subject.fresh(0.1).eval()
    weights = _between(subject.trace)
    if not weights:
        return not_measured("stream", "no_blocks")
    with torch.no_grad():
        for path in weights:
            model.get_parameter(path).zero_()
        emptied = record(model, subject.ids)
    subject.reading.attach(model)
    other = subject.ids.clone()
    other[0, -1] = (other[0, -1] + 1) % subject.d_vocab
    moved = float((subject.logits(other, model) - subject.logits(subject.ids, model))[0, -1].abs().max())
    calls = blocks_of(subject.trace)
    if moved == 0:
        where, block = _lost_at(emptied, calls)
        return Finding("stream", False, 0.0, 0.0, where, details={"block": block, "why": ""})
    for call in calls:
        if _carries_what_was_normed_for_a_branch(subject.trace, call):
            where = subject.trace[call.last].address
            return Finding("stream", False, moved, 0.0, where, details={"block": call.module, "why": "normed"})
    return Finding("stream", True, moved, 0.0, details={"blocks": len(calls)})


def _between(trace: Trace) -> set[str]:
    """The matrices that are read after the first attention and before the last one's pattern; of a single attention,
    those after it, but for the last. Tables of tokens are none of them."""
    attentions = attentions_of(trace)
    matrices = [step for step in trace if step.op in _MATRICES and _weights(step)]
    if not attentions or not matrices:
        return set()
    first, last = attentions[0].index, attentions[-1].index
    calls = {step.call for step in attentions}
    inside = [step for step in matrices if first < step.index < last] if len(calls) > 1 else []
    inside = inside or [step for step in matrices[:-1] if step.index > first]
    tables = {path for step in trace if step.op not in _MATRICES for path in _weights(step)}
    return {path for step in inside for path in _weights(step)} - tables


def _weights(step: Step) -> list[str]:
    return [value.address for value in step.inputs if value.role == "weight" and len(value.shape) > 1]


def _lost_at(trace: Trace, calls: tuple[ModuleCall, ...]) -> tuple[str, str]:
    """Where the stream ends when blocks add nothing: the first block that gives back no more than biases."""
    for known in calls:
        call = next((call for call in trace.calls if call.module == known.module), None)
        if call is not None and call.last >= call.first and trace[call.last].outputs:
            made = trace[call.last].outputs[0].array
            if made.ndim == 3 and np.ptp(made, axis=1).max() == 0:
                return trace[call.last].address, call.module
    return "", ""


def blocks_of(trace: Trace) -> tuple[ModuleCall, ...]:
    """The calls of parts that hold an attention and are numbered, or of one kind with their neighbours; the outermost
    ones, each once."""
    attentions = [step.index for step in attentions_of(trace)]
    attending = [c for c in trace.calls if c.parent is not None and any(c.first <= i <= c.last for i in attentions)]
    kinds = Counter((call.parent, call.class_name) for call in attending)
    found: dict[str, ModuleCall] = {}
    for call in attending:
        is_one_of_several = kinds[call.parent, call.class_name] > 1 or call.module.rpartition(".")[2].isdigit()
        is_inside = any(call.module.startswith(f"{path}.") for path in found)
        if is_one_of_several and not is_inside:
            found.setdefault(call.module, call)
    return tuple(found.values())


def _carries_what_was_normed_for_a_branch(trace: Trace, call: ModuleCall) -> bool:
    """Whether one norm of a block lies on its stream, and another does not."""
    steps = trace[call.first : call.last + 1]
    made = {value.address: step for step in steps for value in step.outputs}
    frontier = [steps[-1].outputs[0].address] if steps[-1].outputs else []
    on_stream, seen = set[int](), set[str]()
    while frontier:
        address = frontier.pop()
        step = made.get(address)
        if step is None or address in seen:
            continue
        seen.add(address)
        if (norm := _norm_call(trace, step, call)) is not None:
            on_stream.add(norm)
            frontier += [value.address for value in _begins(trace, norm, step).inputs[:1]]
        elif step.op in ("add", "dropout", "to", "type_as", "float", "contiguous"):
            frontier += [value.address for value in step.inputs if value.shape == step.outputs[0].shape]
    stream_shape = steps[-1].outputs[0].shape if steps[-1].outputs else ()
    norms = {
        norm
        for step in steps
        if step.inputs and step.inputs[0].shape == stream_shape
        and (norm := _norm_call(trace, step, call)) is not None
    }  # fmt: skip
    return bool(on_stream) and bool(norms - on_stream)


def _norm_call(trace: Trace, step: Step, block: ModuleCall) -> int | None:
    """What a step is a part of, if that is a norm: its call, or, of one that is a single step, minus its index."""
    own = trace.calls[step.call]
    if own.index != block.index and (_NORM.search(own.class_name) or _NORM.search(own.module.rpartition(".")[2])):
        return own.index
    return -step.index if step.op in _NORM_OPS else None


def _begins(trace: Trace, norm: int, step: Step) -> Step:
    return trace[trace.calls[norm].first] if norm > 0 else step
