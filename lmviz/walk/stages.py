"""The named stops of the walk, found in any trace from its operations and module names.

A stage is a run of consecutive steps. What the rules below don't recognise is a stage too, of kind "other": nothing
that a model does is hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from lmviz.trace.step import Step, Trace, Value

Kind = Literal[
    "tokenizer",
    "embeddings",
    "norm",
    "qkv",
    "scores",
    "softmax",
    "mix",
    "residual",
    "mlp",
    "final_norm",
    "logits",
    "probabilities",
    "loss",
    "other",
]
KINDS: tuple[str, ...] = get_args(Kind)
_COMPUTED = ".parametrizations."  # in the path of what computes a weight each time that it is read: fake quantisation
READOUT, LOSS = "readout", "loss"  # the prefixes under which a temperature and a loss follow the model

_IN_BLOCK = re.compile(r"^(.*?)(?:^|\.)(\d+)(?:\.|$)")  # what holds the layers, and the number of one
_NORM = re.compile(r"norm|(?:^|[._])ln(?:[._\d]|$)", re.IGNORECASE)
_NORM_OPS = frozenset(("layer_norm", "rms_norm", "group_norm", "native_layer_norm"))
_PRODUCTS = frozenset(("matmul", "einsum"))
_ATTENDING = frozenset(("softmax", "scaled_dot_product_attention", "multi_head_attention_forward"))


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps `first` to `last`, both included. `stop` is the one whose result the stage is about.

    The tokenizer comes before the first step: there first, last and stop are -1.
    """

    index: int
    kind: Kind
    block: int | None
    first: int
    last: int
    stop: int


def stages_of(trace: Trace) -> tuple[Stage, ...]:
    """All stages of a trace in the order of the walk: the tokenizer, every step in exactly one stage, the loss last."""
    kinds = _kinds(trace)
    stages = [Stage(0, "tokenizer", None, -1, -1, -1)]
    for step in trace:
        kind, block = kinds[step.index]
        last = stages[-1]
        if (last.kind, last.block) == (kind, block) and last.first >= 0 and not _starts_anew(trace, step, last):
            stages[-1] = Stage(last.index, kind, block, last.first, step.index, step.index)
        else:
            stages.append(Stage(len(stages), kind, block, step.index, step.index, step.index))
    stages.sort(key=lambda stage: stage.kind == "loss")  # with gradients it is computed before the probabilities
    return tuple(replace(stage, index=index) for index, stage in enumerate(stages))


def stage_at(stages: tuple[Stage, ...], step: int) -> Stage:
    """The stage that a step belongs to."""
    return next((stage for stage in stages if stage.first <= step <= stage.last), stages[0])


def _kinds(trace: Trace) -> list[tuple[Kind, int | None]]:
    """A kind and a block number for each step. Blocks are the numbered parts of which at least one attends."""
    places = [_in_block(step) for step in trace]
    layered = {place[0] for step, place in zip(trace, places, strict=True) if place and step.op in _ATTENDING}
    blocks = [place[1] if place and place[0] in layered else None for place in places]
    inside = [i for i, block in enumerate(blocks) if block is not None]
    first, last = (inside[0], inside[-1]) if inside else (len(blocks), -1)
    attention = _attention(trace)
    kinds: list[tuple[Kind, int | None]] = []
    for step, block in zip(trace, blocks, strict=True):
        kind: Kind
        if step.module == READOUT or step.module.startswith(f"{READOUT}."):
            kind = "probabilities"
        elif step.module == LOSS or step.module.startswith(f"{LOSS}."):
            kind = "loss"
        elif step.index in attention:
            kind = attention[step.index]
        elif _is_norm(trace, step):
            kind = "norm" if block is not None or step.index < last else "final_norm"
        elif step.op == "dropout" and kinds[-1:] == [("mix", block)]:
            kind = "mix"  # what attention found is thinned out before it is added
        elif block is not None:
            kind = "residual" if _is_residual(step) else "mlp"
        elif inside and step.index < first:
            kind = "embeddings"
        elif inside and step.index > last:
            kind = "logits" if step.op in ("linear", "matmul", "einsum") else kinds[-1][0]
            kind = kind if kind in ("logits", "final_norm") else "other"
        else:
            kind = "embeddings" if step.op == "embedding" else "other"
        kinds.append((kind, block))
    for i in range(len(trace) - 2, -1, -1):
        if _COMPUTED in trace[i].module:
            kinds[i] = kinds[i + 1]  # a weight that is computed belongs to what reads it
    return kinds


def _in_block(step: Step) -> tuple[str, int] | None:
    """What holds the layer that a step is in ("blocks"), and its number: the first number in its module's path."""
    found = _IN_BLOCK.search(step.module) or _IN_BLOCK.search(step.address.partition("#")[0])
    return (found[1], int(found[2])) if found else None


def _attention(trace: Trace) -> dict[int, Kind]:
    """Steps of attention by what they do, around each softmax over products of queries and keys."""
    kinds: dict[int, Kind] = {}
    for softmax in trace:
        if softmax.op != "softmax" or not softmax.inputs or softmax.module in (READOUT, LOSS):
            continue
        product = _product_behind(trace, softmax.inputs[0], 6)
        if product is None or product.call != softmax.call:
            continue
        before, after = _around(trace, softmax, product)
        start = next(i for i in range(product.index, -1, -1) if i == 0 or trace[i - 1].statement != product.statement)
        start = softmax.opened if softmax.opened is not None else start
        for index in before:
            kinds.setdefault(index, "scores" if index >= start and trace[index].call == softmax.call else "qkv")
        kinds[softmax.index] = "softmax"
        kinds.update(dict.fromkeys(after, "mix"))
    return kinds


def _around(trace: Trace, softmax: Step, product: Step) -> tuple[list[int], list[int]]:
    """The steps of the attention before its softmax, and those after it.

    Attention that is a module of its own is the whole of its call. Where a block does it inline, it begins with the
    products that make q, k and v, and ends before what is added to the stream.
    """
    call = trace.calls[softmax.call]
    steps = [step.index for step in trace[call.first : call.last + 1]]
    if any(_is_residual(trace[i]) for i in steps):
        makers = {i for value in product.inputs for i in _makers(trace, value, 8)}
        values = next((s for s in trace[softmax.index + 1 : call.last + 1] if s.op in _PRODUCTS), softmax)
        makers |= {i for value in values.inputs for i in _makers(trace, value, 8) if i < softmax.index}
        end = next(
            (i for i in steps if i > softmax.index and (_is_residual(trace[i]) or _is_norm(trace, trace[i]))), None
        )
        first = min(makers, default=product.index)
        steps = [i for i in steps if first <= i and (end is None or i < end)]
    return [i for i in steps if i < softmax.index], [i for i in steps if i > softmax.index]


def _makers(trace: Trace, value: Value, depth: int) -> set[int]:
    """The steps from the last product with weights to a value."""
    if depth == 0 or value.role != "activation" or value.address not in trace:
        return set()
    step = trace[value.address]
    if step.op == "linear" or _is_norm(trace, step) or any(v.role == "weight" for v in step.inputs):
        return {step.index} if not _is_norm(trace, step) else set()
    return {step.index}.union(*(_makers(trace, v, depth - 1) for v in step.inputs))


def _product_behind(trace: Trace, value: Value, depth: int) -> Step | None:
    """The product of two activations from which a value came, through scaling and masking."""
    if depth == 0 or value.role != "activation" or value.address not in trace:
        return None
    step = trace[value.address]
    if step.op in _PRODUCTS and sum(v.role == "activation" for v in step.inputs) == 2:
        return step
    return next((found for v in step.inputs if (found := _product_behind(trace, v, depth - 1)) is not None), None)


def _is_norm(trace: Trace, step: Step) -> bool:
    return (
        step.op in _NORM_OPS
        or _NORM.search(step.module.rpartition(".")[2]) is not None
        or _NORM.search(trace.calls[step.call].class_name) is not None
    )


def _is_residual(step: Step) -> bool:
    """An addition of two activations of one shape, in the block's own source and not in a part of it."""
    own = step.module.rpartition(".")[2].isdigit() and _COMPUTED not in step.module
    shapes = [value.shape for value in step.inputs if value.role == "activation"]
    return own and step.op == "add" and len(shapes) == 2 and shapes[0] == shapes[1]


def _starts_anew(trace: Trace, step: Step, stage: Stage) -> bool:
    """Whether a step of the same kind as the stage before it belongs to another call of the same part."""
    return stage.kind in ("norm", "final_norm") and trace[stage.first].call != step.call
