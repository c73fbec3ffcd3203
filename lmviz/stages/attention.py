"""The steps of attention by what they do, around each softmax over products of queries and keys."""

from __future__ import annotations

from lmviz.stages.blocks import comes_after_model
from lmviz.stages.data_flow import Attention, DataFlow
from lmviz.stages.norms import is_norm
from lmviz.stages.rotation import between
from lmviz.stages.stage import Kind
from lmviz.trace.step import Step, Trace


def attention_of(trace: Trace, flow: DataFlow) -> dict[int, Kind]:
    """For the steps of attention, which part they are: "qkv", "rotation", "sharing", "scores", "softmax" or "mix"."""
    kinds: dict[int, Kind] = {}
    for found in flow.attentions:
        softmax = trace[found.softmax]
        if comes_after_model(softmax):
            continue
        start = _start_of_scores(trace, flow, softmax, trace[found.product])
        before = between(trace, flow, found.makers, start)
        for index in _extent(trace, flow, found):
            if index < softmax.index:
                kinds.setdefault(index, "scores" if index >= start else before.get(index, "qkv"))
            else:
                kinds[index] = "softmax" if index == softmax.index else "mix"
    return kinds


def _start_of_scores(trace: Trace, flow: DataFlow, softmax: Step, product: Step) -> int:
    """The first step of the statement that multiplies queries and keys, or of the mask and the bias right before it.

    Of a fused call, that call; or, where the call projects too, the product in it.
    """
    start = product.index
    if softmax.opened is not None and not any(map(flow.is_weighted, trace[softmax.opened + 1 : start])):
        start = softmax.opened
    while product.opened is not None and trace[start - 1].op in ("transpose", "mT") and start > product.opened + 1:
        start -= 1
    while start > 0 and product.opened is None and trace[start - 1].statement == product.statement:
        start -= 1
    while start > 0 and trace[start - 1].opened is None and not flow.depends_on_data(trace[start - 1]):
        start -= 1
    return start


def _extent(trace: Trace, flow: DataFlow, found: Attention) -> range:
    """The steps of one attention.

    Attention that is a module of its own is the whole of the call in which its projections are. Where a block does it
    inline, it begins with the projections and ends before what is added to the stream.
    """
    begin = min((*found.makers, found.product))
    call = trace.calls[trace[found.softmax].call]
    while call.parent is not None and not call.first <= begin:
        call = trace.calls[call.parent]
    inside = range(call.first, call.last + 1)
    if call.module and not any(i in flow.residuals for i in inside):
        return range(call.first, _projected(trace, flow, call.last) + 1)
    behind = (i for i in inside if i > found.softmax and (i in flow.residuals or is_norm(trace, flow, trace[i])))
    return range(begin, next(behind, call.last + 1))


def _projected(trace: Trace, flow: DataFlow, last: int) -> int:
    """The last step of one projection of what attention found, which some models keep beside it; else `last`."""
    end = min((i for i in flow.residuals if i > last), default=last + 1)
    between = trace[last + 1 : end]
    is_one = sum(map(flow.is_weighted, between)) == 1 and not any(is_norm(trace, flow, step) for step in between)
    return end - 1 if is_one else last
