"""The named stops of the walk, found in any trace from its operations and module names.

A stage is a run of consecutive steps. What the rules below don't recognise is a stage too, of kind "other": nothing
that a model does is hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, takewhile
from typing import Literal, get_args

from lmviz.stages.roles import Attention, Graph
from lmviz.trace.step import Step, Trace

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
_PRODUCTS = frozenset(("linear", "matmul", "einsum", "addmm"))
_ATTENDING = frozenset(("softmax", "scaled_dot_product_attention", "multi_head_attention_forward"))
_MIXING = re.compile("cum|conv|scan|roll|flip|fft|pool|lstm|gru|rnn|shift|pad$")  # what lets positions see each other
_STATISTICS = frozenset(
    ("mean", "var", "std", "var_mean", "std_mean", "norm", "linalg_vector_norm", "rsqrt", "normalize")
)
Block = tuple[str, int]  # what holds the layers of a stack, and the number of one of them


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps `first` to `last`, both included. `stop` is the one whose result the stage is about.

    The tokenizer comes before the first step: there first, last and stop are -1. `stack` is the path of what holds the
    block ("encoder"), where a model has more than one stack of blocks; else it is empty.
    """

    index: int
    kind: Kind
    block: int | None
    first: int
    last: int
    stop: int
    stack: str = ""

    @property
    def block_name(self) -> str:
        """The number of its block, with its stack if there are several: "0", "encoder.0"; "" outside of blocks."""
        number = "" if self.block is None else str(self.block)
        return f"{self.stack}.{number}" if self.stack and number else number


def stages_of(trace: Trace) -> tuple[Stage, ...]:
    """All stages of a trace in the order of the walk: the tokenizer, every step in exactly one stage, the loss last."""
    graph = Graph(trace)
    blocks = _blocks(trace, graph)
    kinds = _kinds(trace, graph, blocks)
    stacks = {block[0] for block in blocks if block is not None}
    stages = [Stage(0, "tokenizer", None, -1, -1, -1)]
    for step, kind, block in zip(trace, kinds, blocks, strict=True):
        last, (stack, number) = stages[-1], block or ("", None)
        stack = stack if len(stacks) > 1 else ""
        same = (last.kind, last.block, last.stack) == (kind, number, stack)
        first = last.first if same and last.first >= 0 and not _starts_anew(trace, graph, step, last) else step.index
        index = last.index if first < step.index else len(stages)
        stages[index:] = [Stage(index, kind, number, first, step.index, step.index, stack)]
    stages.sort(key=lambda stage: stage.kind == "loss")  # with gradients it is computed before the probabilities
    return tuple(replace(stage, index=index) for index, stage in enumerate(stages))


def stage_at(stages: tuple[Stage, ...], step: int) -> Stage:
    """The stage that a step belongs to."""
    return next((stage for stage in stages if stage.first <= step <= stage.last), stages[0])


def _blocks(trace: Trace, graph: Graph) -> list[Block | None]:
    """The block of each step: a numbered part of those that hold at least one that attends or adds to the stream.

    A sum in the loop over the layers belongs to the layer that made what is added.
    """
    places = [_in_block(trace, step) for step in trace]
    for index, branch in graph.residuals.items():
        places[index] = places[index] or places[branch.index]
    layered = {
        place[0]
        for step, place in zip(trace, places, strict=True)
        if place and (step.op in _ATTENDING or step.index in graph.residuals) and not _follows(step)
    }
    blocks = [place if place and place[0] in layered else None for place in places]
    for i in range(len(blocks) - 2, -1, -1):
        if _COMPUTED in trace[i].module:
            blocks[i] = blocks[i + 1]  # a weight that is computed belongs to what reads it
    return blocks


def _in_block(trace: Trace, step: Step) -> Block | None:
    """What holds the layer that a step is in ("blocks"), and its number: the first number in its module's path.

    A part that all layers share, such as an activation, is in the layer that calls it.
    """
    found = _IN_BLOCK.search(step.module) or _IN_BLOCK.search(step.address.partition("#")[0])
    call = trace.calls[step.call]
    while found is None and call.parent is not None:
        call = trace.calls[call.parent]
        found = _IN_BLOCK.search(call.module)
    return (found[1], int(found[2])) if found else None


def _follows(step: Step) -> bool:
    """Whether it comes after the model: the readout, or the loss."""
    return step.module.partition(".")[0] in (READOUT, LOSS)


def _kinds(trace: Trace, graph: Graph, blocks: list[Block | None]) -> list[Kind]:
    """The kind of each step: the first rule that knows it says it."""
    inside = [i for i, block in enumerate(blocks) if block is not None]
    first, last = (inside[0], inside[-1]) if inside else (len(blocks), -1)
    attention = _attention(trace, graph)
    kinds: list[Kind] = []
    for step, block in zip(trace, blocks, strict=True):
        before = kinds[-1] if kinds else "other"
        kind: Kind
        if _follows(step):
            kind = "probabilities" if step.module.partition(".")[0] == READOUT else "loss"
        elif step.index in graph.residuals and (block is not None or first < step.index < last):
            kind = "residual"
        elif step.index in attention:
            kind = attention[step.index]
        elif _is_norm(trace, graph, step):
            kind = "norm" if block is not None or step.index < last else "final_norm"
        elif step.op == "dropout" and before == "mix":
            kind = "mix"  # what attention found is thinned out before it is added
        elif block is not None:
            kind = "mlp"
        elif inside and step.index < first:
            kind = "embeddings"
        elif inside and step.index > last:
            kind = "logits" if step.op in _PRODUCTS or before == "logits" else "final_norm"
            kind = kind if kind == "logits" or before == "final_norm" else "other"
        else:
            kind = "embeddings" if step.op == "embedding" else "other"
        kinds.append(kind)
    for i in range(len(trace) - 2, -1, -1):
        if _COMPUTED in trace[i].module:
            kinds[i] = kinds[i + 1]
    return _by_what_they_do(trace, graph, kinds, blocks)


def _by_what_they_do(trace: Trace, graph: Graph, kinds: list[Kind], blocks: list[Block | None]) -> list[Kind]:
    """An MLP multiplies by weights, each position by itself. Without them it is a norm, if it divides by a statistic;
    else it belongs to what it is beside: a layout, a factor."""
    last = max((i for i, block in enumerate(blocks) if block is not None), default=len(kinds))
    for (kind, block), group in groupby(range(len(kinds)), key=lambda i: (kinds[i], blocks[i])):
        run = list(group)
        steps = trace[run[0] : run[-1] + 1]
        if kind == "mlp":
            beside = (i for i in (run[0] - 1, run[-1] + 1) if 0 <= i < len(kinds) and blocks[i] == block)
            of_neighbour: Kind = next((kinds[i] for i in beside), "other")
            found = _of_each_position(graph, steps) or of_neighbour
            kinds[run[0] : run[-1] + 1] = [found] * len(run)
            if found == "mlp" and _is_written_norm(graph, before := tuple(_before_weights(graph, steps))):
                kinds[run[0] : run[0] + len(before)] = ["norm"] * len(before)
        elif kind == "other" and run[0] > last and _is_written_norm(graph, steps):
            kinds[run[0] : run[-1] + 1] = ["final_norm"] * len(run)
    return kinds


def _of_each_position(graph: Graph, steps: tuple[Step, ...]) -> Kind | None:
    """What steps of a block do that neither attend nor add to the stream; None: nothing of their own."""
    if any(_mixes(step) or graph.is_product(step) for step in steps):
        return "other"
    if any(map(graph.is_weighted, steps)):
        return "mlp"
    return "norm" if _is_written_norm(graph, steps) else None


def _before_weights(graph: Graph, steps: tuple[Step, ...]) -> Iterator[Step]:
    return takewhile(lambda step: not graph.is_weighted(step), steps)


def _mixes(step: Step) -> bool:
    """Whether it lets positions see each other: whole numbers are counts of tokens, or places."""
    return _MIXING.search(step.op) is not None and any(
        value.dtype.startswith(("float", "bf")) for value in step.outputs
    )


def _is_written_norm(graph: Graph, steps: tuple[Step, ...]) -> bool:
    return any(step.op in _STATISTICS for step in steps) and not any(map(graph.is_weighted, steps))


def _attention(trace: Trace, graph: Graph) -> dict[int, Kind]:
    """Steps of attention by what they do, around each softmax over products of queries and keys."""
    kinds: dict[int, Kind] = {}
    for found in graph.attentions:
        softmax, product = trace[found.softmax], trace[found.product]
        if _follows(softmax):
            continue
        start = next(i for i in range(product.index, -1, -1) if i == 0 or trace[i - 1].statement != product.statement)
        start = softmax.opened if softmax.opened is not None else start
        for index in _extent(trace, graph, found):
            if index < softmax.index:
                kinds.setdefault(index, "scores" if index >= start else "qkv")
            else:
                kinds[index] = "softmax" if index == softmax.index else "mix"
    return kinds


def _extent(trace: Trace, graph: Graph, found: Attention) -> range:
    """The steps of one attention.

    Attention that is a module of its own is the whole of the call in which its projections are. Where a block does it
    inline, it begins with the projections and ends before what is added to the stream.
    """
    begin = min((*found.makers, found.product))
    call = trace.calls[trace[found.softmax].call]
    while call.parent is not None and not call.first <= begin:
        call = trace.calls[call.parent]
    apart = [i for i in range(call.first, call.last + 1) if i in graph.residuals or _is_norm(trace, graph, trace[i])]
    if not any(i in graph.residuals for i in apart) and call.module:
        return range(call.first, _projected(trace, graph, call.last) + 1)
    end = min((i for i in apart if i > found.softmax), default=call.last + 1)
    return range(begin, end)


def _projected(trace: Trace, graph: Graph, last: int) -> int:
    """The last step of one projection of what attention found, which some models keep beside it; else `last`."""
    end = min((i for i in graph.residuals if i > last), default=last + 1)
    between = trace[last + 1 : end]
    is_one = sum(map(graph.is_weighted, between)) == 1 and not any(_is_norm(trace, graph, step) for step in between)
    return end - 1 if is_one else last


def _is_norm(trace: Trace, graph: Graph, step: Step) -> bool:
    """By its operation; or by its name, if it is a part without products and sums onto the stream."""
    if step.op in _NORM_OPS:
        return True
    call = trace.calls[step.call]
    if not any(_NORM.search(name) for name in (step.module.rpartition(".")[2], call.class_name)):
        return False
    return not any(graph.is_weighted(s) or s.index in graph.residuals for s in trace[call.first : call.last + 1])


def _starts_anew(trace: Trace, graph: Graph, step: Step, stage: Stage) -> bool:
    """Whether a step of the same kind as the stage before it belongs to another norm."""
    first = trace[stage.first]
    of_norms = stage.kind in ("norm", "final_norm") and _is_norm(trace, graph, first) and _is_norm(trace, graph, step)
    return of_norms and first.call != step.call
