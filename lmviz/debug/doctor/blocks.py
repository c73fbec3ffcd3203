"""The residual stream: what comes to a block goes on past it."""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.patient import Patient
from lmviz.trace.step import ModuleCall, Step, Trace

KEPT = 0.99  # the cosine between what comes in and what goes on, with all weights of the blocks at 0
_NORM = re.compile(r"norm|(?:^|[._])ln(?:[._\d]|$)", re.IGNORECASE)
_NORM_OPS = frozenset(("layer_norm", "rms_norm"))
_ATTENDING = ("softmax", "scaled_dot_product_attention", "multi_head_attention_forward")


def stream(patient: Patient) -> Finding:
    """What a block adds, it adds to the stream itself. Measured: how much of what came to a block goes on past it.

    With its matrices at 0 a block adds nothing, and gives back what it was given, or that normed, if it norms after
    adding. And where one norm lies on the stream, no other lies on a branch: that would be the stream as it was normed
    for the branch.

    Source: He et al. 2016, eq. 1; Xiong et al. 2020, figure 1, for the two places of norms.
    """
    calls = blocks_of(patient.trace)
    if not calls or not patient.is_small:
        return not_measured("stream", "no_blocks" if not calls else "too_large")
    for path, kept in _kept(patient, [call.module for call in calls]).items():
        if kept < KEPT:
            call = next(call for call in calls if call.module == path)
            where = patient.trace[call.last].address
            return Finding("stream", False, kept, 1.0, where, details={"block": path, "why": ""})
    for call in calls:
        if _carries_what_was_normed_for_a_branch(patient.trace, call):
            where = patient.trace[call.last].address
            return Finding("stream", False, 0.0, 1.0, where, details={"block": call.module, "why": "normed"})
    return Finding("stream", True, 1.0, 1.0, details={"blocks": len(calls)})


def blocks_of(trace: Trace) -> tuple[ModuleCall, ...]:
    """The calls of numbered parts that hold an attention, and are in no other such part."""
    found: list[ModuleCall] = []
    for call in trace.calls:
        if call.module.rpartition(".")[2].isdigit() and call.last >= call.first:
            attends = any(step.op in _ATTENDING for step in trace[call.first : call.last + 1])
            if attends and not any(call.module.startswith(f"{other.module}.") for other in found):
                found.append(call)
    return tuple({call.module: call for call in reversed(found)}.values())[::-1]


def _kept(patient: Patient, paths: list[str]) -> dict[str, float]:
    """Of each block, how much of what it was given goes to the next one when its own weights are 0.

    Of the last block only if it gives that back itself: else what is added to it, it is added outside.
    """
    model = patient.fresh(0.1).eval()
    given: dict[str, Tensor] = {}
    made: dict[str, Tensor] = {}
    for path in paths:
        block = model.get_submodule(path)
        _empty(block)
        block.register_forward_hook(partial(_keep, given, made, path), with_kwargs=True)
    patient.reading.attach(model)
    patient.logits(patient.ids, model)
    found = {}
    following = dict(pairwise(paths))
    adds_outside = any(
        path in given and not made[path].any() and _alike(given[path], given[next_path]) > KEPT
        for path, next_path in following.items()
        if next_path in given
    )
    for path in paths:
        goes_on = given.get(following.get(path, ""), made.get(path))
        is_last = path not in following
        if path in given and goes_on is not None and not (is_last and (adds_outside or len(paths) == 1)):
            found[path] = _alike(given[path], goes_on)
        elif path in given and is_last and len(paths) == 1 and bool(made[path].any()):
            found[path] = _alike(given[path], made[path])
    return found


def _empty(block: nn.Module) -> None:
    """All weights of a block at 0, but for the scales of its norms."""
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            if parameter.ndim > 1 or "bias" in name:
                parameter.zero_()


def _keep(
    given: dict[str, Tensor],
    made: dict[str, Tensor],
    path: str,
    _: nn.Module,
    args: object,
    kwargs: object,
    out: object,
) -> None:
    tensors = [one for one in (*_all(args), *_all(kwargs)) if one.is_floating_point() and one.ndim == 3]
    outputs = [one for one in _all(out) if one.is_floating_point()]
    if tensors and outputs and path not in given:
        given[path], made[path] = tensors[0].detach(), outputs[0].detach()


def _all(found: object) -> list[Tensor]:
    if isinstance(found, Tensor):
        return [found]
    several = found.values() if isinstance(found, dict) else found if isinstance(found, tuple | list) else ()
    return [one for one in several if isinstance(one, Tensor)]


def _alike(one: Tensor, other: Tensor) -> float:
    """The mean cosine of the rows of two streams, as they are or less their means, as a norm leaves them."""
    if one.shape != other.shape:
        return 0.0
    plain = torch.cosine_similarity(one, other, dim=-1).mean()
    centred = torch.cosine_similarity(one - one.mean(-1, keepdim=True), other - other.mean(-1, keepdim=True), dim=-1)
    return float(torch.maximum(plain, centred.mean()).nan_to_num(0.0))


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
